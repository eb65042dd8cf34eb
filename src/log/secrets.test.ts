import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { secretsRemover, withoutSecrets } from "./secrets.ts";

test("logins and keys of addresses are hidden, and nothing else of them", () => {
  const shown: [string, string][] = [
    ["redis://:hunter2@10.0.0.1:6379/0", "redis://***@10.0.0.1:6379/0"],
    ["rediss+sentinel://app:p@ss@a:1,b:2/m", "rediss+sentinel://***@a:1,b:2/m"],
    ["wss://feed.example/v1?symbols=A&apiKey=abc123&x=1", "wss://feed.example/v1?symbols=A&apiKey=***&x=1"],
    ["https://h/?access_token=abc#frag", "https://h/?access_token=***#frag"],
    [
      "coinbase:A?url=wss%3A%2F%2Fme%3Apw%40h%2F%3Ftoken%3Dabc%26a%3D1",
      "coinbase:A?url=wss%3A%2F%2F***%40h%2F%3Ftoken%3D***%26a%3D1",
    ],
    ["redis://app:hun/t?e#r2@10.0.0.1:6379/0", "redis://***@10.0.0.1:6379/0"],
    ["wss://app:hun/ter2@feed.example/v1", "wss://***@feed.example/v1"],
    ["at file:///app/node_modules/@scope/part.js:1:2", "at file:///app/node_modules/@scope/part.js:1:2"],
    ['not "redis://:hunter2@h ost"', 'not "redis://***@h ost"'],
    ["see https://example.com/a?b=c, mail me@example.com", "see https://example.com/a?b=c, mail me@example.com"],
    ["sim:?symbols=1000&rate=20000", "sim:?symbols=1000&rate=20000"],
  ];
  for (const [text, expected] of shown) assert.equal(withoutSecrets(text), expected);
});

test("what the settings hold as secrets is hidden wherever it stands, as it was written and as it is meant", () => {
  const remove = secretsRemover({
    redisUrl: "redis+sentinel://app:hun%2Fter2@a:1/m?sentinel-password=s3ntinel",
    redisPassword: 'quo"ted',
    adminToken: [],
    jwtSecret: "signed with this",
  });
  for (const secret of ["hun/ter2", "hun%2Fter2", "s3ntinel", 'quo"ted', "signed with this"])
    assert.equal(remove(`AUTH ${secret} failed`), "AUTH *** failed");
  assert.equal(remove(JSON.stringify({ args: ['quo"ted'] })), '{"args":["***"]}');
});

test("whatever a password is made of, it is hidden as it was written, as it is meant, encoded, and in JSON", () => {
  const password = fc.string({ minLength: 4, unit: "grapheme" }).filter((text) => encodes(text));
  fc.assert(
    fc.property(password, fc.constantFrom("address", "setting", "sentinel", "token"), (text, from) => {
      const encoded = encodeURIComponent(text);
      const settings = {
        redisUrl:
          from === "address"
            ? `redis://app:${encoded}@h:1`
            : from === "sentinel"
              ? `redis+sentinel://h:1/m?sentinel-password=${encoded}`
              : "redis://h:1",
        redisPassword: from === "setting" ? text : "",
        adminToken: [],
        jwtSecret: from === "token" ? text : "",
      };
      const remove = secretsRemover(settings);
      for (const form of [text, encoded, JSON.stringify(text).slice(1, -1)])
        assert.equal(remove(`\u0001${form}\u0001`), "\u0001***\u0001");
    }),
  );
});

/** Whether it is no half of a character, which no address could hold, and no end of the test's own marks. */
function encodes(text: string): boolean {
  return text.isWellFormed() && !text.includes("\u0001") && !text.includes("*");
}

test("without secrets nothing is hidden; short ones are left", () => {
  assert.equal(
    secretsRemover({ redisUrl: "redis://a:1", redisPassword: "", adminToken: [], jwtSecret: "" })("a:1 b"),
    "a:1 b",
  );
  assert.equal(
    secretsRemover({ redisUrl: "", redisPassword: "abc", adminToken: [], jwtSecret: "" })("abc def"),
    "abc def",
  );
});

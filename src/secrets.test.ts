import assert from "node:assert/strict";
import { test } from "node:test";
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
  });
  for (const secret of ["hun/ter2", "hun%2Fter2", "s3ntinel", 'quo"ted'])
    assert.equal(remove(`AUTH ${secret} failed`), "AUTH *** failed");
  assert.equal(remove(JSON.stringify({ args: ['quo"ted'] })), '{"args":["***"]}');
});

test("without secrets nothing is hidden; short ones are left", () => {
  assert.equal(secretsRemover({ redisUrl: "redis://a:1", redisPassword: "" })("a:1 b"), "a:1 b");
  assert.equal(secretsRemover({ redisUrl: "", redisPassword: "abc" })("abc def"), "abc def");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { withoutSecrets } from "../../../log/secrets.ts";
import { UsageError } from "../../../settings/option.ts";
import { describeTarget, parseRedisUrl } from "./url.ts";

test("a single server has a port, a database and TLS by its scheme", () => {
  assert.deepEqual(parseRedisUrl("redis://localhost"), {
    topology: "standalone",
    nodes: [{ host: "localhost", port: 6379 }],
    tls: false,
    db: 0,
    master: "",
  });
  const secure = parseRedisUrl("rediss://feed:s%40crt@redis.example.com:6380/2");
  assert.equal(secure.tls, true);
  assert.equal(secure.username, "feed");
  assert.equal(secure.password, "s@crt");
  assert.equal(secure.db, 2);
});

test("a password without a user", () => {
  const target = parseRedisUrl("redis://:secret@[::1]:7000");
  assert.equal(target.username, undefined);
  assert.equal(target.password, "secret");
  assert.deepEqual(target.nodes, [{ host: "::1", port: 7000 }]);
});

test("Sentinels name a master, and may have a login of their own", () => {
  const target = parseRedisUrl("redis+sentinel://u:p@a,b:5000/mymaster/1?sentinel-user=s&sentinel-password=t");
  assert.equal(target.topology, "sentinel");
  assert.deepEqual(target.nodes, [
    { host: "a", port: 26_379 },
    { host: "b", port: 5_000 },
  ]);
  assert.equal(target.master, "mymaster");
  assert.equal(target.db, 1);
  assert.equal(target.sentinelUsername, "s");
  assert.equal(target.sentinelPassword, "t");
  assert.equal(describeTarget(target), "redis+sentinel://a:26379,b:5000/mymaster");
});

test("a Cluster has several nodes", () => {
  const target = parseRedisUrl("rediss+cluster://a:1,b:2,c:3");
  assert.equal(target.topology, "cluster");
  assert.equal(target.nodes.length, 3);
});

const WRONG: [string, RegExp][] = [
  ["localhost:6379", /must be redis:/],
  ["http://localhost", /must be redis:/],
  ["redis://", /no host/],
  ["redis://a,b", /one host/],
  ["redis://a:0", /HOST:PORT/],
  ["redis://a:70000", /HOST:PORT/],
  ["redis://a/x", /must be a number/],
  ["redis://user@a", /no password/],
  ["redis://a?x=1", /has none/],
  ["redis+sentinel://a:1/m?x=1", /must be sentinel-user/],
  ["redis+cluster://a:1?x=1", /has none/],
  ["redis+sentinel://a:1/m@b", /must be redis:/],
  ["redis+sentinel://a:1", /must name the master/],
  ["redis+cluster://a:1/3", /only database 0/],
  ["redis://:50%@a", /percent-encoding/],
];

for (const [url, message] of WRONG)
  test(`${url} is refused`, () => {
    assert.throws(
      () => parseRedisUrl(url),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });

/** Parts of a secret that stand nowhere else, between characters that have a meaning in an address. */
const secret = fc
  .array(fc.tuple(fc.stringMatching(/^[0-9a-f]{8}$/), fc.constantFrom(..."/?#@:%&=+, []\\'\"")), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => parts.map(([part, between]) => `s3${part}${between}`).join(""));

function partsOf(password: string): string[] {
  return password.match(/s3[0-9a-f]{8}/g) ?? [];
}

test("no refusal contains any part of a password that is not encoded, at any place", () => {
  const address = fc.oneof(
    ...["redis", "rediss", "redis+sentinel", "rediss+cluster", "http", ""].flatMap((scheme) => [
      secret.map((password) => `${scheme}://user:${password}@host:1`),
      secret.map((password) => `${scheme}://:${password}@a:1,b:2/master/0`),
      secret.map((password) => `${scheme}://${password}@host`),
      secret.map((password) => `${scheme}://user:${password}`),
      secret.map((password) => `${scheme}:/user:${password}@host`),
      secret.map((password) => `${scheme}://a:1/master?sentinel-password=${password}&x=1`),
      secret.map((password) => `${scheme}://a:1/master?${password}`),
    ]),
  );
  fc.assert(
    fc.property(address, (url) => {
      let shown: string;
      try {
        const target = parseRedisUrl(url);
        // What is taken for a host or a master by its place may be shown.
        if (partsOf(`${target.nodes.map(({ host }) => host)} ${target.master}`).length > 0) return;
        shown = describeTarget(target);
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
        shown = error.message;
      }
      assert.deepEqual(partsOf(shown), [], `${url}: ${shown}`);
    }),
    { numRuns: 2_000 },
  );
});

test("what a refusal says of the forms is not taken for a secret", () => {
  for (const [url] of WRONG)
    assert.throws(
      () => parseRedisUrl(url),
      (error: Error) => withoutSecrets(error.message) === error.message,
    );
});

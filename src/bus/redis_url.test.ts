import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../option.ts";
import { describeTarget, parseRedisUrl } from "./redis_url.ts";

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
  ["redis://a?x=1", /no option/],
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

test("no refusal tells the password", () => {
  for (const url of ["redis://u:hunter2@a:b:c", "redis://u:hunter2@a/x", "redis://u:hunter2@", "redis:/u:hunter2@a"])
    assert.throws(
      () => parseRedisUrl(url),
      (error) => error instanceof UsageError && !error.message.includes("hunter2"),
    );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clientReport,
  feedReport,
  gatewayReport,
  heardReport,
  nodeReport,
  publishedReport,
  redisReport,
  shardReport,
  tokensReport,
} from "../../../test/support/reports.ts";
import { problemsOf } from "./problems.ts";
import type { NodeReport } from "./report.ts";

function texts(own: Partial<NodeReport>): string[] {
  return problemsOf(nodeReport(own)).map(({ severity, text }) => `${severity}: ${text}`);
}

test("of a node that does well nothing stands out", () => {
  assert.deepEqual(texts({}), []);
  assert.deepEqual(texts({ gateway: null, feeds: [feedReport({ heard: null, published: publishedReport() })] }), []);
});

test("a slow client is named, with how far it is behind and why", () => {
  const slow = clientReport({ address: "198.51.100.7", agent: "acme/3", behind: 13_200, why: "client: reads 10 KB/s" });
  assert.deepEqual(texts({ gateway: gatewayReport({ clients: [slow, clientReport()] }) }), [
    "warning: a client is slow: 198.51.100.7 (acme/3), 13.2 s behind: reads 10 KB/s",
  ]);
  const nameless = gatewayReport({ clients: [{ ...slow, agent: " " }] });
  assert.deepEqual(texts({ gateway: nameless }), [
    "warning: a client is slow: 198.51.100.7, 13.2 s behind: reads 10 KB/s",
  ]);
  const many = gatewayReport({ clients: [slow, slow], conflating: { client: 40, server: 0 } });
  assert.deepEqual(texts({ gateway: many }), [
    "warning: 40 clients are slow; the slowest is 198.51.100.7 (acme/3), 13.2 s behind: reads 10 KB/s",
  ]);
});

test("a feed that has stopped, Redis that is away and a process that is saturated are told, the worst first", () => {
  const silent = [shardReport({ silent: true }), shardReport({ shard: 1, silent: true })];
  assert.deepEqual(
    texts({ feeds: [feedReport({ heard: heardReport({ silent: 2, shards: silent, lastBatch: 4_000 }) })] }),
    ["critical: feed sim: nothing heard for 4.0 s"],
  );
  assert.deepEqual(texts({ feeds: [feedReport({ heard: heardReport({ silent: 1 }) })] }), [
    "critical: feed sim: nothing heard on 1 of 2 shards",
  ]);
  assert.deepEqual(texts({ feeds: [feedReport({ heard: heardReport({ stale: 40 }) })] }), [
    "warning: feed sim: 40 of 1,000 symbols are stale",
  ]);
  assert.deepEqual(texts({ feeds: [feedReport({ heard: heardReport({ clockSkew: -3_000 }) })] }), [
    "warning: feed sim: its clock is 3.0 s behind ours",
  ]);
  const published = publishedReport({ connected: false, lastTick: 61_000 });
  assert.deepEqual(texts({ feeds: [feedReport({ published, heard: null })] }), [
    "critical: feed sim: not connected to its source",
    "warning: feed sim: no tick for 1 m 01 s",
  ]);
  assert.deepEqual(texts({ feeds: [feedReport({ published: publishedReport({ role: "waiting" }), heard: null })] }), [
    "critical: feed sim: waits for Redis, and publishes nothing",
  ]);
  const redis = redisReport({ connected: false, reason: "ECONNREFUSED" });
  assert.deepEqual(texts({ redis }), ["critical: Redis is not connected: ECONNREFUSED"]);
  assert.deepEqual(texts({ redis, unready: "Redis is not connected: ECONNREFUSED" }), [
    "critical: not ready: Redis is not connected: ECONNREFUSED",
  ]);
  const process = { cpu: 1, loop: 0.99, memory: 1, heap: 1 };
  const gateway = gatewayReport({ lag: 340, waiting: 900, conflating: { client: 0, server: 12 } });
  assert.deepEqual(texts({ process, gateway, unready: "draining" }), [
    "critical: not ready: draining",
    "warning: turns are 340 ms late: 12 connections get less for it",
    "warning: saturated: the event loop is busy 99% of the time; 900 turns wait",
  ]);
});

test("a node that fills up, or refuses, says so", () => {
  const rates = { ...gatewayReport().rates, refused: 3.2 };
  assert.deepEqual(texts({ gateway: gatewayReport({ connections: 15_000, rates }) }), [
    "warning: 15,000 of at most 16,384 connections are taken",
    "warning: 3.2 connections a second are refused",
  ]);
});

test("what tokens are judged by and cannot be read is told, and whether tokens are still accepted", () => {
  assert.deepEqual(texts({ tokens: tokensReport({ keysAge: null }) }), []);
  assert.deepEqual(texts({ tokens: tokensReport({ keysFailing: 61_000 }) }), [
    "warning: the keys of tokens cannot be read for 1 m 01 s: the last ones are in use",
  ]);
  assert.deepEqual(texts({ tokens: tokensReport({ keysFailing: 2_000, keysAge: null, policyFailing: 3_000 }) }), [
    "critical: the keys of tokens cannot be read for 2.0 s: no token is accepted",
    "warning: the policy cannot be read for 3.0 s: the last one is in force",
  ]);
  const tokens = tokensReport({ revocationsKnown: false, revocationsLeftOut: 3 });
  assert.deepEqual(texts({ tokens }), [
    "critical: the revocations of tokens have not been read: no token is accepted",
    "critical: revocations that do not fit: 3; such tokens are accepted",
  ]);
  const unready = "the revocations of tokens have not been read";
  assert.deepEqual(texts({ tokens: tokensReport({ revocationsKnown: false }), unready }), [
    "critical: not ready: the revocations of tokens have not been read",
  ]);
});

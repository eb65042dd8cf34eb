import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clientReport,
  feedReport,
  gatewayReport,
  heardReport,
  nodeReport,
  redisReport,
  shardReport,
  tokensReport,
} from "../../../test/support/reports.ts";
import { mergeReports, type NodeHead } from "./merge.ts";
import type { NodeReport } from "./report.ts";

const HEAD: NodeHead = {
  reportVersion: 1,
  node: "gateway1",
  version: "1.2.3",
  pid: 1,
  time: 1,
  uptime: 1,
  unready: null,
};

function merged(...reports: (NodeReport | undefined)[]): NodeReport {
  const answers = reports.map((report, index) => ({ worker: index + 1, report }));
  return mergeReports(HEAD, answers, 2);
}

test("what is counted by connection adds up, what each worker has for itself does not", () => {
  const { gateway, process } = merged(
    nodeReport({ process: { cpu: 0.5, loop: 0.4, memory: 100, heap: 10 } }),
    nodeReport({
      process: { cpu: 0.75, loop: 0.9, memory: 200, heap: 20 },
      gateway: gatewayReport({ connections: 5, lag: 30, refused: { address: 2 }, closed: { 4408: 1 } }),
    }),
  );
  assert.deepEqual(process, { cpu: 1.25, loop: 0.9, memory: 300, heap: 30 });
  assert.equal(gateway?.connections, 7);
  assert.equal(gateway?.symbols.known, 1_000);
  assert.deepEqual([gateway?.rates.ticksIn, gateway?.rates.ticksOut], [20_000, 1_000]);
  assert.deepEqual([gateway?.lag, gateway?.refused, gateway?.closed], [30, { address: 2 }, { 4408: 1 }]);
});

test("the slowest clients are the slowest of all workers", () => {
  const of = (...behind: number[]) =>
    nodeReport({ gateway: gatewayReport({ clients: behind.map((millis) => clientReport({ behind: millis })) }) });
  assert.deepEqual(
    merged(of(5, 1), of(9, 3)).gateway?.clients.map(({ behind }) => behind),
    [9, 5],
  );
});

test("a shard that one worker does not hear is silent; batches are those of whoever is furthest", () => {
  const [{ heard }] = merged(
    nodeReport({ feeds: [feedReport({ heard: heardReport({ shards: [shardReport({ batch: 9 })], stale: 1 }) })] }),
    nodeReport({
      feeds: [
        feedReport({ heard: heardReport({ shards: [shardReport({ silent: true, age: 3_000 })], lastTick: null }) }),
      ],
    }),
  ).feeds;
  assert.deepEqual(heard?.shards, [shardReport({ batch: 9, silent: true, age: 3_000 })]);
  assert.deepEqual([heard?.silent, heard?.stale, heard?.lastTick], [1, 1, 1.5]);
});

test("Redis is as it is for the worker that has lost it; a worker that does not answer is there and says so", () => {
  const lost = redisReport({ connected: false, reason: "gone" });
  const report = merged(nodeReport(), nodeReport({ redis: lost, unready: "no Redis" }), undefined);
  assert.deepEqual(report.redis, lost);
  assert.deepEqual(
    report.workers.map(({ worker, unready, connections }) => [worker, unready, connections]),
    [
      [1, null, 2],
      [2, "no Redis", 2],
      [3, "does not run, or does not answer", 0],
    ],
  );
});

test("when nobody answers there is a node all the same", () => {
  const report = merged(undefined, undefined);
  assert.deepEqual([report.gateway, report.feeds, report.redis, report.process.cpu], [null, [], null, 0]);
});

test("of what tokens are judged by, the worst of the workers counts", () => {
  const all = [
    tokensReport({ keysAge: 5, keysFailing: 7 }),
    tokensReport({ keysAge: 9, revocationsLeftOut: 2 }),
    tokensReport({ keysAge: null, policyFailing: 3, revocationsKnown: false }),
  ];
  assert.deepEqual(merged(...all.map((tokens) => nodeReport({ tokens })), undefined).tokens, {
    keysAge: 9,
    keysFailing: 7,
    policyFailing: 3,
    revocationsKnown: false,
    revocationsLeftOut: 2,
  });
  const without = tokensReport({ keysAge: null, keysFailing: 1 });
  assert.equal(merged(nodeReport({ tokens: without }), nodeReport({ tokens: all[0] })).tokens?.keysAge, null);
  assert.equal(merged(nodeReport()).tokens, null);
});

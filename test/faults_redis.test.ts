/** Redis that ends or hangs, with real processes: killed and restarted empty, and stopped for ten seconds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pass } from "node:timers/promises";
import { BUSY, FaultMarket, PATIENCE, QUIET } from "./support/fault_market.ts";

/** The longest time until symbols without ticks are marked, in milliseconds. */
const STALE = 3_000;

test("Redis is killed, and started again empty", { timeout: 60_000 }, async (t) => {
  const market = await FaultMarket.open(t);
  await market.follow(30, [0, 100, 250]);
  await market.cluster.redis.kill();
  assert.ok(await market.everyState("stale", [QUIET, ...BUSY], STALE), "everything is stale within 3 s");

  await market.cluster.redis.start();
  assert.ok(await market.everyState("live", [QUIET, ...BUSY], PATIENCE), "everything is live again");
  await market.assertConverged();
  market.assertUnbroken();
  const fresh = new Set(market.followers.map((follower) => follower.connections));
  assert.deepEqual([...fresh], [1], "no connection was closed");
});

test("Redis hangs for ten seconds", { timeout: 60_000 }, async (t) => {
  const market = await FaultMarket.open(t);
  await market.follow(30, [0, 100, 250]);
  market.cluster.redis.signal("SIGSTOP");
  const resumeAt = performance.now() + 10_000;
  assert.ok(await market.everyState("stale", [QUIET, ...BUSY], STALE), "everything is stale within 3 s");
  // A new client is accepted, gets the last values that the gateway knows, and a status that they are stale.
  await market.follow(3, [100]);
  assert.ok(await market.everyState("stale", [QUIET, ...BUSY], STALE), "also for new clients");

  // The length of the fault is part of the test.
  await pass(resumeAt - performance.now());
  market.cluster.redis.signal("SIGCONT");
  assert.ok(await market.everyState("live", [QUIET, ...BUSY], PATIENCE), "everything is live again");
  await market.assertConverged();
  market.assertUnbroken();
});

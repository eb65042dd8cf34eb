/** Redis that goes, with real processes: killed and started again with nothing in it, and stopped for ten seconds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pass } from "node:timers/promises";
import { BUSY, FaultMarket, PATIENCE, QUIET } from "./support/fault_market.ts";

/** How soon symbols that get no ticks must be marked, in milliseconds. */
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
  assert.deepEqual([...fresh], [1], "nobody was cut off");
});

test("Redis hangs for ten seconds", { timeout: 60_000 }, async (t) => {
  const market = await FaultMarket.open(t);
  await market.follow(30, [0, 100, 250]);
  market.cluster.redis.signal("SIGSTOP");
  const resumeAt = performance.now() + 10_000;
  assert.ok(await market.everyState("stale", [QUIET, ...BUSY], STALE), "everything is stale within 3 s");
  // A client that comes now is let in, has the last values where the gateway knows them, and is told that they are old.
  await market.follow(3, [100]);
  assert.ok(await market.everyState("stale", [QUIET, ...BUSY], STALE), "so it is for those who come now");

  // The fault's own length is what is tested.
  await pass(resumeAt - performance.now());
  market.cluster.redis.signal("SIGCONT");
  assert.ok(await market.everyState("live", [QUIET, ...BUSY], PATIENCE), "everything is live again");
  await market.assertConverged();
  market.assertUnbroken();
});

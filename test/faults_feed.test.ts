/**
 * Publishers of one feed that end or hang, with real processes: the standby takes over, and the old leader's writes are
 * refused.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { waitUntil } from "../scripts/cluster/probe.ts";
import { BUSY, FaultMarket, PATIENCE, QUIET } from "./support/fault_market.ts";

/** The longest time until the standby has taken over, in milliseconds. */
const TAKEOVER = 3_000;
/** The same if the leader has released its lease. */
const HANDOVER = 1_000;

test("the leading feed is killed: the standby takes over", { timeout: 60_000 }, async (t) => {
  const market = await FaultMarket.open(t);
  await market.follow(30, [0, 100, 250]);
  const first = await market.untilLed();
  const second = market.cluster.feeds.find((feed) => feed !== first);

  await first.kill();
  const takeover = await market.untilTicks(TAKEOVER);
  assert.ok(takeover !== undefined, "ticks come within 3 s of the kill");
  t.diagnostic(`the standby's ticks came ${takeover} ms after the kill`);
  assert.equal(await market.untilLed(), second);

  await first.start();
  market.writer.tick([QUIET]);
  await market.assertConverged();
  assert.equal(await market.untilLed(), second, "the restarted one is the standby");
  market.assertUnbroken();
});

test("the leading feed ends at a signal: the standby takes over at once", { timeout: 60_000 }, async (t) => {
  const market = await FaultMarket.open(t);
  await market.follow(30, [0, 100]);
  const first = await market.untilLed();
  const stopped = first.stop();
  assert.ok((await market.untilTicks(HANDOVER)) !== undefined, "ticks continue within a second");
  await stopped;
  await first.start();
  await market.assertConverged();
  market.assertUnbroken();
});

test("the leading feed is paused and continued: it finds that another leads", { timeout: 60_000 }, async (t) => {
  const market = await FaultMarket.open(t);
  await market.follow(30, [0, 100, 250]);
  const first = await market.untilLed();
  const second = market.cluster.feeds.find((feed) => feed !== first);

  first.signal("SIGSTOP");
  assert.ok((await market.untilTicks(TAKEOVER)) !== undefined, "ticks come within 3 s of the pause");
  first.signal("SIGCONT");
  const isDeposed = () => first.lines.some((line) => /no longer leading|standing by/.test(line));
  assert.ok(await waitUntil(isDeposed, PATIENCE), "it is the standby");
  assert.ok((await market.untilTicks(TAKEOVER)) !== undefined, "ticks still come");
  assert.equal(await market.untilLed(), second);

  await market.assertConverged();
  market.assertUnbroken();
});

test("both feeds have ended: everything is stale until one is restarted", { timeout: 60_000 }, async (t) => {
  const market = await FaultMarket.open(t);
  await market.follow(30, [0, 100, 250]);
  await market.untilLed();
  await Promise.all(market.cluster.feeds.map((feed) => feed.kill()));
  assert.ok(await market.everyState("stale", [QUIET, ...BUSY], 3_000), "everything is stale within 3 s");

  await Promise.all(market.cluster.feeds.map((feed) => feed.start()));
  market.writer.tick([QUIET, ...BUSY]);
  assert.ok(await market.everyState("live", [QUIET, ...BUSY], PATIENCE), "everything is live again");
  await market.assertConverged();
  market.assertUnbroken();
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../base/clock.ts";
import { Freshness, GUARD_MILLIS } from "./freshness.ts";

test("on one connection the venue's order holds, whatever it counts", () => {
  const freshness = new Freshness(new ManualClock());
  freshness.connected();
  for (const order of [5, 3, 9, undefined, 1]) assert.equal(freshness.isOld("A", order), false);
});

test("on the next one, what is older than the last that was told is old, until it has caught up", () => {
  const freshness = new Freshness(new ManualClock());
  freshness.connected();
  freshness.isOld("A", 7);
  freshness.connected();
  assert.equal(freshness.isOld("B", 1), false);
  assert.equal(freshness.isOld("A", 5), true);
  freshness.connected();
  assert.equal(freshness.isOld("A", 6), true);
  assert.equal(freshness.isOld("A", 7), false);
  assert.equal(freshness.isOld("A", 6), false);
});

test("a venue that counts anew is believed soon", () => {
  const clock = new ManualClock();
  const freshness = new Freshness(clock);
  freshness.connected();
  freshness.isOld("A", 7_000);
  freshness.connected();
  assert.equal(freshness.isOld("A", 1), true);
  clock.advance(GUARD_MILLIS);
  assert.equal(freshness.isOld("A", 2), false);
  assert.equal(freshness.isOld("A", 3), false);
});

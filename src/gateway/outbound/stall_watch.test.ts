import assert from "node:assert/strict";
import { test } from "node:test";
import { StallWatch } from "./stall_watch.ts";

test("a pause counts when it is longer than a beat can be late, at once and for good", () => {
  const watch = new StallWatch(0);
  watch.beat(25);
  watch.beat(120);
  assert.equal(watch.stalled(130), 0);
  assert.equal(watch.stalled(10_120), 10_000, "before the next beat");
  watch.beat(10_125);
  assert.equal(watch.stalled(10_130), 10_005);
  watch.beat(10_150);
  assert.equal(watch.stalled(10_160), 10_005, "beats on time add nothing");
});

test("one pause counts for a minute at most", () => {
  const watch = new StallWatch(0);
  assert.equal(watch.stalled(3_600_000), 60_000);
});

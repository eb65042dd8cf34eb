import assert from "node:assert/strict";
import { test } from "node:test";
import { QualityWatch } from "./quality.ts";

test("one late turn is a hiccup, two in a row are told once", () => {
  const watch = new QualityWatch();
  assert.equal(watch.noteLateness(500, 100, "client", 0), undefined);
  assert.deepEqual(watch.noteLateness(400, 100, "client", 500), {
    op: "quality",
    state: "conflating",
    interval: 500,
    reason: "client",
  });
  assert.equal(watch.noteLateness(400, 100, "client", 1_000), undefined);
  assert.ok(watch.conflating);
});

test("a turn in time between two late ones makes them hiccups", () => {
  const watch = new QualityWatch();
  for (let now = 0; now < 10_000; now += 200) {
    assert.equal(watch.noteLateness(300, 100, "server", now), undefined);
    assert.equal(watch.noteLateness(10, 100, "server", now + 100), undefined);
  }
});

test("late is more than 100 ms, or half the interval if that is more", () => {
  const late = (millis: number, interval: number) => {
    const watch = new QualityWatch();
    watch.noteLateness(millis, interval, "server", 0);
    return watch.noteLateness(millis, interval, "server", 1) !== undefined;
  };
  assert.equal(late(100, 0), false);
  assert.equal(late(101, 0), true);
  assert.equal(late(101, 100), true);
  assert.equal(late(499, 1_000), false);
  assert.equal(late(501, 1_000), true);
});

test("all is well again two seconds after the last late turn, told once, with what was granted", () => {
  const watch = new QualityWatch();
  assert.equal(watch.check(0, 100), undefined, "all was well");
  watch.noteLateness(500, 100, "client", 1_000);
  watch.noteLateness(500, 100, "client", 2_000);
  assert.equal(watch.check(3_999, 100), undefined);
  assert.deepEqual(watch.check(4_000, 100), { op: "quality", state: "realtime", interval: 100, reason: "client" });
  assert.equal(watch.check(9_000, 100), undefined);
  assert.equal(watch.noteLateness(500, 100, "client", 9_000), undefined, "it begins with a hiccup again");
});

test("another culprit is told", () => {
  const watch = new QualityWatch();
  watch.noteLateness(500, 100, "client", 0);
  watch.noteLateness(500, 100, "client", 1);
  assert.equal(watch.noteLateness(500, 100, "server", 2)?.reason, "server");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CLOSE_CODES, ERROR_CODES } from "../protocol/codes.ts";
import { GatewayCounts } from "./counts.ts";

const measured = { metrics: true };

function shares(...args: Parameters<GatewayCounts["countConflated"]>) {
  const counts = new GatewayCounts(measured);
  counts.countConflated(...args);
  return counts.conflatedBy;
}

test("what was conflated is shared out by where the time between two sends went", () => {
  assert.deepEqual(shares(9, 100, 100, 0, 0), { feed: 0, interval: 9, server: 0, client: 0 });
  assert.deepEqual(shares(9, 100, 100, 200, 0), { feed: 0, interval: 3, server: 6, client: 0 });
  assert.deepEqual(shares(8, 100, 100, 300, 200), { feed: 0, interval: 2, server: 2, client: 4 });
  assert.deepEqual(shares(8, 0, 4, 4, 0), { feed: 4, interval: 0, server: 4, client: 0 });
  assert.deepEqual(shares(8, 0, 0, 4, 3), { feed: 0, interval: 0, server: 2, client: 6 });
  // The first pass has none before it.
  assert.deepEqual(shares(2, 100, 0, 0, 0), { feed: 0, interval: 2, server: 0, client: 0 });
  // It cannot have been held longer than it was late.
  assert.deepEqual(shares(4, 100, 100, 100, 500), { feed: 0, interval: 2, server: 0, client: 2 });
});

test("whatever the times, the shares are all that was conflated, and none is negative", () => {
  const millis = fc.double({ min: 0, max: 1e7, noNaN: true });
  const one = fc.tuple(fc.integer({ min: 1, max: 100_000 }), fc.constantFrom(0, 10, 1_000), millis, millis, millis);
  fc.assert(
    fc.property(fc.array(one), (frames) => {
      const counts = new GatewayCounts(measured);
      for (const frame of frames) {
        const before = { ...counts.conflatedBy };
        counts.countConflated(...frame);
        for (const by of ["feed", "interval", "server", "client"] as const)
          assert.ok(counts.conflatedBy[by] >= before[by] - 1e-9 * counts.ticksConflated, by);
      }
      const sum = Object.values(counts.conflatedBy).reduce((total, share) => total + share, 0);
      assert.ok(Math.abs(sum - counts.ticksConflated) <= 1e-9 * sum);
    }),
  );
});

test("everything that can be counted by a name is there from the start, at 0", () => {
  const { closes, errors, refused, conflating } = new GatewayCounts(measured);
  assert.deepEqual(Object.keys(closes), [...Object.keys(CLOSE_CODES), "client"]);
  assert.deepEqual(Object.keys(errors), Object.keys(ERROR_CODES));
  for (const counts of [closes, errors, refused, conflating])
    for (const count of Object.values(counts)) assert.equal(count, 0);
});

test("where latencies are not measured nothing is", () => {
  const { roundTrip, latency } = new GatewayCounts({ metrics: false });
  for (const histogram of [roundTrip, latency.age, ...latency.stages]) {
    histogram.observe(1_000);
    assert.equal(histogram.count, 0);
  }
});

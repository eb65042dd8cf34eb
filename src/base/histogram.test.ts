import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BOUNDS, Histogram } from "./histogram.ts";

test("the bounds go up from 100 µs to a minute, and are as short as they look in seconds", () => {
  assert.equal(BOUNDS[0], 100);
  assert.equal(BOUNDS.at(-1), 60_000_000);
  assert.ok(BOUNDS.every((bound, index) => index === 0 || bound > BOUNDS[index - 1]));
  for (const bound of BOUNDS) assert.ok(String(bound / 1_000_000).length <= 7, String(bound / 1_000_000));
});

test("each duration is counted once, in the first bucket whose bound is not below it", () => {
  const micros = fc.oneof(
    fc.double({ min: 0, max: 8e10, noNaN: true }),
    fc.integer({ min: 0, max: 200_000_000 }),
    // The bounds themselves, and their neighbours.
    fc.tuple(fc.constantFrom(...BOUNDS), fc.constantFrom(-1, -0.01, 0, 0.01, 1)).map(([bound, by]) => bound + by),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(micros, fc.integer({ min: 1, max: 1_000 }))), (observed) => {
      const histogram = new Histogram();
      const expected = new Float64Array(BOUNDS.length + 1);
      for (const [time, weight] of observed) {
        histogram.observe(time, weight);
        const bucket = BOUNDS.findIndex((bound) => time <= bound);
        expected[bucket < 0 ? BOUNDS.length : bucket] += weight;
      }
      assert.deepEqual(histogram.counts, expected);
      const sum = observed.reduce((total, [time, weight]) => total + time * weight, 0);
      assert.ok(Math.abs(histogram.sum - sum) <= 1e-9 * sum);
      assert.equal(
        histogram.count,
        observed.reduce((total, [, weight]) => total + weight, 0),
      );
    }),
    { numRuns: 1_000 },
  );
});

test("the longest is a day, so that nonsense does not spoil the sum", () => {
  const histogram = new Histogram();
  histogram.observe(Number.POSITIVE_INFINITY);
  histogram.observe(1e18, 2);
  assert.equal(histogram.counts.at(-1), 3);
  assert.equal(histogram.sum, 3 * 86_400_000_000);
});

test("a negative duration, of clocks that do not agree, is none at all", () => {
  const histogram = new Histogram();
  histogram.observe(-5_000);
  histogram.observe(Number.NEGATIVE_INFINITY);
  histogram.observe(Number.NaN);
  assert.equal(histogram.counts[0], 3);
  assert.equal(histogram.sum, 0);
});

test("of very many about as many are counted as there were, and like them; of a thousand all", () => {
  const [all, sampled] = [new Histogram(), new Histogram()];
  for (let count = 1; count <= 200_000; count++) {
    // Regular in steps of eight, as what is sampled.
    const micros = count % 8 === 0 ? 4_000 : 400;
    all.observe(micros);
    sampled.sample(micros);
    if (count === 1_000) assert.deepEqual([sampled.counts, sampled.sum], [all.counts, all.sum]);
  }
  // 25,000 were chosen: deviations of their number and of their sum are below 0.5 and 1 %.
  assert.ok(Math.abs(sampled.count / all.count - 1) < 0.03, `${sampled.count} of ${all.count}`);
  assert.ok(Math.abs(sampled.sum / all.sum - 1) < 0.06, `${sampled.sum} of ${all.sum}`);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { WriteGap } from "./write_gap.ts";

/** The times of writes where these are the times of ticks, ms; a timer that is set fires up to a millisecond late. */
function writes(ticks: readonly number[], late: number): number[] {
  const gap = new WriteGap();
  const written: number[] = [];
  for (const tick of ticks) {
    // It went with the write that was waited for.
    if (tick <= (written.at(-1) ?? Number.NEGATIVE_INFINITY)) continue;
    const rest = gap.rest(tick);
    const at = rest > 0 ? tick + Math.ceil(rest) + late : tick;
    gap.wrote(at);
    written.push(at);
  }
  return written;
}

test("ticks every 2 ms, each up to half a millisecond early or late, are written at once", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -0.5, max: 0.5, noNaN: true }), { maxLength: 200 }), (jitter) => {
      const ticks = jitter.map((by, index) => index * 2 + by);
      assert.deepEqual(writes(ticks, 0.5), ticks);
    }),
  );
});

test("whatever comes, there is at most one write more than one in 2 ms, and nothing waits longer than 3 ms", () => {
  const gaps = fc.array(fc.double({ min: 0.01, max: 6, noNaN: true }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(gaps, fc.double({ min: 0, max: 1, noNaN: true }), (apart, late) => {
      let time = 0;
      const ticks = apart.map((by) => (time += by));
      const written = writes(ticks, late);
      for (const [index, at] of written.entries())
        for (let later = index + 1; later < written.length; later++)
          assert.ok(later - index <= (written[later] - at) / 2 + 1, `${later - index} in ${written[later] - at} ms`);
      for (const tick of ticks) {
        const at = written.find((each) => each >= tick);
        assert.ok(at !== undefined && at - tick <= 3 + late, `${at} for ${tick}`);
      }
    }),
  );
});

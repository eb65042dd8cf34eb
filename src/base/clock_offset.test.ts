import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ClockOffset } from "./clock_offset.ts";

test("before the first answer nothing is known", () => {
  const offset = new ClockOffset();
  assert.ok(Number.isNaN(offset.offset));
  assert.ok(Number.isNaN(offset.uncertainty));
});

test("the answer that took the shortest tells the offset, and half its trip how wrong that may be", () => {
  const clock = new ClockOffset();
  clock.add(10_000, 5_500, 10_400);
  assert.deepEqual([clock.offset, clock.uncertainty], [4_700, 200]);
  clock.add(20_000, 15_250, 20_040);
  assert.deepEqual([clock.offset, clock.uncertainty], [4_770, 20]);
  clock.add(30_000, 25_900, 32_000);
  assert.deepEqual([clock.offset, clock.uncertainty], [4_770, 20]);
  // Nine more, and the good one is too long ago.
  for (let second = 0; second < 9; second++) clock.add(40_000, 35_300, 40_100);
  assert.deepEqual([clock.offset, clock.uncertainty], [4_750, 50]);
});

test("however long answers take on either way, the offset is never further off than it says", () => {
  const trips = fc.array(fc.tuple(fc.nat(1_000_000), fc.nat(1_000_000)), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(trips, fc.integer({ min: -5_000_000, max: 5_000_000 }), (all, ahead) => {
      const clock = new ClockOffset();
      let now = 1e15;
      for (const [there, back] of all) {
        clock.add(now + ahead, now + there, now + there + back + ahead);
        now += 2_500_000;
        assert.ok(Math.abs(clock.offset - ahead) <= clock.uncertainty, `${clock.offset} ± ${clock.uncertainty}`);
      }
    }),
  );
});

test("a clock that is set makes what was known before of no use, at once", () => {
  const clock = new ClockOffset();
  clock.add(10_000, 9_990, 10_020);
  clock.add(3_020_000, 20_000, 3_020_400);
  assert.deepEqual([clock.offset, clock.uncertainty], [3_000_200, 200]);
});

test("an answer that is none, or came before it was asked for, is left out", () => {
  const clock = new ClockOffset();
  clock.add(10_000, Number.NaN, 10_020);
  clock.add(10_000, 5_000, 9_000);
  assert.ok(Number.isNaN(clock.offset));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { History } from "./history.ts";

const bars = (history: History) => Array.from({ length: history.length }, (_, index) => history.bar(index));

test("prices within a bar's time become one bar", () => {
  const history = new History(4, 1_000);
  for (const [time, price] of [
    [1_000, 5],
    [1_200, 9],
    [1_800, 3],
    [1_999, 4],
    [2_000, 6],
  ])
    history.add(time, price);
  assert.deepEqual(bars(history), [
    { time: 1_000, open: 5, high: 9, low: 3, close: 4 },
    { time: 2_000, open: 6, high: 6, low: 6, close: 6 },
  ]);
});

test("full, every two bars become one, and the whole time is still there", () => {
  const history = new History(4, 1_000);
  for (let second = 0; second < 5; second++) history.add(second * 1_000, second + 1);
  assert.equal(history.step, 2_000);
  assert.deepEqual(bars(history), [
    { time: 0, open: 1, high: 2, low: 1, close: 2 },
    { time: 2_000, open: 3, high: 4, low: 3, close: 4 },
    { time: 4_000, open: 5, high: 5, low: 5, close: 5 },
  ]);
  assert.equal(history.edition, 1);
});

test("a clock that goes back makes no bar out of order", () => {
  const history = new History(4, 1_000);
  history.add(5_000, 1);
  history.add(3_000, 2);
  assert.deepEqual(bars(history), [{ time: 5_000, open: 1, high: 2, low: 1, close: 2 }]);
});

test("what was noted coarsely is gone on with finely", () => {
  const coarse = new History(4, 1_000);
  for (let second = 0; second < 5; second++) coarse.add(second * 1_000, second);
  const fine = new History(100, 1_000);
  fine.continue(coarse);
  fine.add(6_000, 9);
  assert.deepEqual(
    bars(fine).map((bar) => bar.time),
    [0, 2_000, 4_000, 6_000],
  );
});

test("whatever comes, it is never over its bound, in order, and holds first, last, highest and lowest", () => {
  const step = fc.record({ wait: fc.integer({ min: 0, max: 100_000 }), price: fc.integer({ min: 1, max: 1_000 }) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 200 }), (steps) => {
      const history = new History(8, 1_000);
      let time = 1_700_000_000_000;
      for (const { wait, price } of steps) {
        time += wait;
        history.add(time, price);
      }
      const all = bars(history);
      const prices = steps.map(({ price }) => price);
      assert.ok(all.length <= 8);
      for (let index = 1; index < all.length; index++) assert.ok(all[index].time > all[index - 1].time);
      assert.equal(all[0].open, prices[0]);
      assert.equal(all.at(-1)?.close, prices.at(-1));
      assert.equal(Math.max(...all.map((bar) => bar.high)), Math.max(...prices));
      assert.equal(Math.min(...all.map((bar) => bar.low)), Math.min(...prices));
    }),
  );
});

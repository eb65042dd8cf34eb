import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "../state/history.ts";
import { type Moment, momentsOf } from "./moments.ts";

const historyOf = (...ticks: [number, number][]) => {
  const history = new History(100, 1_000);
  for (const [time, price] of ticks) history.add(time, price);
  return history;
};
const closes = (moments: readonly Moment[]) => moments.map(({ start, close }) => [start, close]);

test("a constant price has a moment for each second", () => {
  const history = historyOf([2_500, 7], [5_100, 9], [5_200, 8]);
  const moments = momentsOf(history, [], 1_000, undefined, 7_999);
  assert.deepEqual(closes(moments), [
    [2_000, 7],
    [3_000, 7],
    [4_000, 7],
    [5_000, 8],
    [6_000, 8],
    [7_000, 8],
  ]);
  assert.deepEqual(moments[3].bar, { time: 5_000, open: 9, high: 9, low: 8, close: 8 });
  assert.equal(moments[1].bar, undefined);
});

test("what has been drawn is not made again: only its last moment, and what came since", () => {
  const history = historyOf([2_500, 7], [5_100, 9]);
  assert.deepEqual(closes(momentsOf(history, [], 1_000, 5_000, 6_500)), [
    [5_000, 9],
    [6_000, 9],
  ]);
  history.add(6_700, 4);
  assert.deepEqual(closes(momentsOf(history, [], 1_000, 6_000, 7_000)), [
    [6_000, 4],
    [7_000, 4],
  ]);
});

test("longer moments put bars together", () => {
  const history = historyOf([0, 5], [1_000, 9], [2_000, 1], [3_000, 4]);
  const moments = momentsOf(history, [], 4_000, undefined, 5_000);
  assert.deepEqual(moments[0].bar, { time: 0, open: 5, high: 9, low: 1, close: 4 });
  assert.deepEqual(closes(moments), [
    [0, 4],
    [4_000, 4],
  ]);
});

test("silence is where nothing could be heard, one that lasts goes on until now", () => {
  const history = historyOf([0, 5], [6_000, 6]);
  const silences = [
    { from: 1_500, to: 3_200 },
    { from: 7_100, to: undefined },
  ];
  const silent = momentsOf(history, silences, 1_000, undefined, 9_000).filter((moment) => moment.isSilent);
  assert.deepEqual(
    silent.map(({ start }) => start),
    [1_000, 2_000, 3_000, 7_000, 8_000, 9_000],
  );
});

test("of what has no price there is nothing to draw", () => {
  assert.deepEqual(momentsOf(historyOf(), [], 1_000, undefined, 5_000), []);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { clockText, intervalText, measureText, spanText } from "./duration.ts";

test("a duration is shown in one unit, rounded down", () => {
  const spans = [-5, 999, 12_400, 59_999, 60_000, 3_599_000, 7_200_000, 86_400_000 * 5];
  assert.deepEqual(spans.map(spanText), ["0 s", "0 s", "12 s", "59 s", "1 min", "59 min", "2 h", "5 d"]);
});

test("what is measured has as many digits as mean something", () => {
  const values = [undefined, 0.42, 12.3, 999, 1_234, 90_000];
  assert.deepEqual(values.map(measureText), ["–", "0.4 ms", "12 ms", "999 ms", "1.2 s", "1 min"]);
  assert.deepEqual([0, 250, 1_000, 1_500, 5_000].map(intervalText), ["0 ms", "250 ms", "1 s", "1500 ms", "5 s"]);
});

test("a time of another day has its date", () => {
  const now = new Date(2026, 4, 9, 10, 31, 5).getTime();
  assert.equal(clockText(now, now), "10:31:05");
  assert.equal(clockText(now, now + 86_400_000), "May 9 10:31:05");
  assert.equal(clockText(new Date(2026, 4, 9, 0, 0, 0).getTime(), now), "00:00:00");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram } from "../../base/histogram.ts";
import { histogramText } from "./text.ts";

test("a histogram is as Prometheus reads it: seconds, and buckets that count all that is smaller", () => {
  const histogram = new Histogram();
  for (const micros of [90, 150, 151, 2_000_000]) histogram.observe(micros);
  histogram.observe(70_000_000, 5);
  const lines = histogramText("h_seconds", "How long.", [[{}, histogram]]).split("\n");
  assert.deepEqual(lines.slice(0, 5), [
    "# HELP h_seconds How long.",
    "# TYPE h_seconds histogram",
    'h_seconds_bucket{le="0.0001"} 1',
    'h_seconds_bucket{le="0.00015"} 2',
    'h_seconds_bucket{le="0.0002"} 3',
  ]);
  assert.deepEqual(lines.slice(-5), [
    'h_seconds_bucket{le="60"} 4',
    'h_seconds_bucket{le="+Inf"} 9',
    "h_seconds_sum 352.000391",
    "h_seconds_count 9",
    "",
  ]);
});

test("each set of labels has a histogram of its own; a label's value may be any text", () => {
  const [one, two] = [new Histogram(), new Histogram()];
  one.observe(50);
  const text = histogramText("h", "H.", [
    [{ worker: "1", feed: 'a"b\\c\nd' }, one],
    [{ worker: "1", feed: "e" }, two],
  ]);
  assert.ok(text.includes('h_bucket{worker="1",feed="a\\"b\\\\c\\nd",le="0.0001"} 1\n'));
  assert.ok(text.includes('h_sum{worker="1",feed="e"} 0\n'));
  assert.equal(text.match(/# TYPE/g)?.length, 1);
});

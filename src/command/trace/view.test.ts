import assert from "node:assert/strict";
import { test } from "node:test";
import type { TracedTick } from "./join.ts";
import { micros, TraceView } from "./view.ts";

function tick(seq: number, stages: TracedTick["stages"]): TracedTick {
  const total = Object.values(stages).reduce((sum, stage) => sum + stage, 0);
  return { kind: "tick", seq, eventTime: 0, stages, total };
}

test("a line for each tick, with a bar of its stages, and a summary at the end", () => {
  const view = new TraceView();
  const stages = { source: 100, feed: 100, bus: 200, interval: 0, server: 0, client: 0, network: 400 };
  assert.deepEqual(view.lines(tick(7, stages)), [
    "       seq    source      feed       bus  interval    Server    client   network     total",
    "         7    100 µs    100 µs    200 µs      0 µs      0 µs      0 µs    400 µs    800 µs  ssssffffbbbbbbbbnnnnnnnnnnnnnnnn",
  ]);
  assert.equal(view.lines(tick(8, { ...stages, network: 25_000 })).length, 1);
  assert.deepEqual(view.lines({ kind: "conflated", from: 9, to: 9, by: 10, why: "server" }), [
    "            9 conflated: 10 replaced it while the node was late",
  ]);
  assert.deepEqual(view.summary(), [
    "",
    "2 ticks, 1 conflated",
    "       p50    100 µs    100 µs    200 µs      0 µs      0 µs      0 µs    400 µs    800 µs",
    "       max    100 µs    100 µs    200 µs      0 µs      0 µs      0 µs   25.0 ms   25.4 ms",
    "     share        1%        1%        2%        0%        0%        0%       97%",
  ]);
});

test("stages that cannot be separated are one column", () => {
  const view = new TraceView();
  const [titles] = view.lines(tick(1, { inbound: 500, interval: 1, server: 1, client: 1, network: 1 }));
  assert.deepEqual(titles.trim().split(/ +/), ["seq", "inbound", "interval", "Server", "client", "network", "total"]);
});

test("without a tick the summary says so", () => {
  assert.deepEqual(new TraceView().summary(), ["no tick was traced"]);
});

test("times are in microseconds up to ten milliseconds", () => {
  const shown = [0, 999.6, 9_999, 10_000, 999_900, 12_345_678].map(micros);
  assert.deepEqual(shown, ["0 µs", "1000 µs", "9999 µs", "10.0 ms", "999.9 ms", "12.35 s"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../base/clock.ts";
import { Rates } from "./rates.ts";

test("a counter's rate is over the last five seconds, whoever asks and how often", () => {
  const clock = new ManualClock();
  const counters: Record<string, number> = { ticks: 1_000 };
  const rates = new Rates(clock, () => ({ ...counters }));
  assert.deepEqual(rates.perSecond(), { ticks: 0 }, "no time has passed");
  for (let second = 0; second < 20; second++) {
    clock.advance(1_000);
    counters.ticks += second < 10 ? 100 : 300;
    rates.sample();
  }
  assert.deepEqual(rates.perSecond(), { ticks: 300 });
  clock.advance(1_000);
  assert.equal(rates.perSecond().ticks, (4 * 300) / 5, "a second in which nothing came");
  assert.deepEqual(rates.perSecond(), rates.perSecond());
});

test("right after the start, the rate is over what there is; a counter that comes later began at 0", () => {
  const clock = new ManualClock();
  const counters: Record<string, number> = { a: 5 };
  const rates = new Rates(clock, () => ({ ...counters }));
  clock.advance(500);
  counters.a = 10;
  counters.b = 50;
  assert.deepEqual(rates.perSecond(), { a: 10, b: 100 });
});

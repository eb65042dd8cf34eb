import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock, SystemClock } from "./clock.ts";

test("the wall time is the machine's, to the millisecond, with microseconds in between", () => {
  const clock = new SystemClock();
  const before = Date.now() * 1_000;
  const micros = clock.micros();
  const after = (Date.now() + 1) * 1_000;
  assert.ok(Number.isInteger(micros));
  assert.ok(micros >= before - 2_000 && micros <= after + 2_000, `${before} ${micros} ${after}`);
});

test("the wall time follows when the machine's clock is set, and durations do not", (t) => {
  const clock = new SystemClock();
  const [wall, millis] = [clock.micros(), clock.millis()];
  const real = Date.now;
  t.mock.method(Date, "now", () => real() + 3_600_000);
  // It looks once a second: the next look is brought here by moving its own clock on.
  const performanceNow = performance.now.bind(performance);
  t.mock.method(performance, "now", () => performanceNow() + 2_000);
  assert.ok(clock.micros() - wall > 3_590_000_000);
  assert.ok(clock.millis() - millis < 60_000);
});

test("a manual clock moves when it is moved", () => {
  const clock = new ManualClock(1_000_000);
  clock.advance(1.5);
  assert.equal(clock.micros(), 1_001_500);
  assert.equal(clock.millis(), 1.5);
});

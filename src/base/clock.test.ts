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

test("a process that is put aside while it looks at the machine's clock does not take that time for the clock's", (t) => {
  const real = performance.now.bind(performance);
  let aside = 0;
  let pause = 0;
  t.mock.method(performance, "now", () => real() + aside);
  const clock = new SystemClock();
  const wall = Date.now.bind(Date);
  t.mock.method(Date, "now", () => {
    // What is read is the time after the pause; the other clock was read before it.
    aside += pause;
    return wall() + Math.floor(aside);
  });
  const offset = () => {
    const millis = clock.millis();
    return clock.microsAt(millis) - millis * 1_000;
  };
  const before = offset();
  pause = 5;
  aside += 2_000;
  const during = offset();
  pause = 0;
  assert.ok(Math.abs(during - before) < 3_000, `off by ${during - before} µs`);
  assert.ok(Math.abs(offset() - before) < 3_000);
});

test("an interval between two times is one between their wall times, to the microsecond", () => {
  const clock = new SystemClock();
  const start = clock.millis();
  for (let index = 0; index < 1_000; index++) {
    const millis = start + index / 1_024;
    assert.ok(clock.microsAt(millis + 7) - clock.microsAt(millis) >= 7_000);
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Ages } from "./ages.ts";

test("a quantile is never below the exact one, and at most 1/32 above it", () => {
  for (let exact = 0; exact < 2_000_000; exact = Math.ceil(exact * 1.01) + 1) {
    const ages = new Ages();
    ages.observe(exact);
    const value = ages.quantile(0.5);
    assert.ok(value >= exact && value <= exact * (1 + 1 / 32) + 1, `${exact} became ${value}`);
  }
});

test("quantiles split the ages at the right place", () => {
  const ages = new Ages();
  for (let micros = 1; micros <= 1_000; micros++) ages.observe(micros);
  assert.equal(ages.count, 1_000);
  for (const [share, exact] of [
    [0.5, 500],
    [0.99, 990],
    [1, 1_000],
  ] as const) {
    const value = ages.quantile(share);
    assert.ok(value >= exact && value <= exact * 1.04, `${share}: ${value}`);
  }
});

test("no ages, negative ages and ages beyond the last bucket have a quantile", () => {
  const ages = new Ages();
  assert.equal(ages.quantile(0.99), 0);
  ages.observe(-5);
  assert.equal(ages.quantile(1), 1);
  ages.observe(1e15);
  assert.ok(ages.quantile(1) >= 0x7fffffff);
  ages.clear();
  assert.equal(ages.count, 0);
});

test("the counts of several instances are added", () => {
  const [one, other, both, all] = [new Ages(), new Ages(), new Ages(), new Ages()];
  for (let micros = 0; micros < 5_000; micros += 7) {
    (micros % 2 === 0 ? one : other).observe(micros);
    all.observe(micros);
  }
  both.add(one.toCounts());
  both.add(other.toCounts());
  assert.deepEqual(both.toCounts(), all.toCounts());
  assert.equal(both.count, all.count);
  assert.equal(both.quantile(0.9), all.quantile(0.9));
});

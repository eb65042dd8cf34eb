import assert from "node:assert/strict";
import { test } from "node:test";
import { Ages } from "./ages.ts";

test("age quantiles cover the latest ticks only, in a fixed amount of memory", () => {
  const ages = new Ages();
  assert.deepEqual(ages.quantiles, { p50: undefined, p90: undefined, p99: undefined });
  ages.add(-500);
  assert.deepEqual(ages.quantiles, { p50: 0, p90: 0, p99: 0 });
  for (let millis = 100; millis >= 1; millis--) ages.add(millis * 1_000);
  assert.deepEqual(ages.quantiles, { p50: 50, p90: 90, p99: 99 });
  for (let count = 0; count < 10_000; count++) ages.add(7_000);
  assert.deepEqual(ages.quantiles, { p50: 7, p90: 7, p99: 7 });
});

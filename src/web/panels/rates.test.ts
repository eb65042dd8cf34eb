import assert from "node:assert/strict";
import { test } from "node:test";
import { Rates } from "./rates.ts";

test("a rate is what was counted over the last samples, a second", () => {
  const rates = new Rates<"ticks">();
  assert.equal(rates.rate("ticks"), 0);
  rates.add(0, { ticks: 1_000 });
  assert.equal(rates.rate("ticks"), 0);
  rates.add(500, { ticks: 1_100 });
  assert.equal(rates.rate("ticks"), 200);
  for (let second = 1; second <= 10; second++) rates.add(500 + second * 1_000, { ticks: 1_100 + second * 10 });
  assert.equal(rates.rate("ticks"), 10, "what is longer ago does not count");
  assert.equal(rates.grown("ticks"), 50);
});

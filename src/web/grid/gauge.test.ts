import assert from "node:assert/strict";
import { test } from "node:test";
import { Gauge } from "./gauge.ts";

test("a rate is what was counted over the last samples, a second", () => {
  const gauge = new Gauge<"ticks">();
  assert.equal(gauge.rate("ticks"), 0);
  gauge.note(0, { ticks: 1_000 });
  assert.equal(gauge.rate("ticks"), 0);
  gauge.note(500, { ticks: 1_100 });
  assert.equal(gauge.rate("ticks"), 200);
  for (let second = 1; second <= 10; second++) gauge.note(500 + second * 1_000, { ticks: 1_100 + second * 10 });
  assert.equal(gauge.rate("ticks"), 10, "what is longer ago does not count");
  assert.equal(gauge.grown("ticks"), 50);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { quartilesOf } from "./quartiles.ts";

test("quartiles lie between the values", () => {
  assert.deepEqual(quartilesOf([3, 1, 2]), { low: 1.5, median: 2, high: 2.5 });
  assert.deepEqual(quartilesOf([4, 1, 2, 3]), { low: 1.75, median: 2.5, high: 3.25 });
  assert.deepEqual(quartilesOf([7]), { low: 7, median: 7, high: 7 });
});

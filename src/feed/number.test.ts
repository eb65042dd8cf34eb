import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readNumber } from "./number.ts";

test("decimal strings and numbers are read exactly", () => {
  for (const [given, number] of [
    ["0.00000638", 0.00000638],
    ["-1.50", -1.5],
    ["1e-7", 1e-7],
    ["-0.00", 0],
    [-0, 0],
    [42, 42],
  ])
    assert.equal(readNumber(given), number);
});

test("what is no finite decimal is no number", () => {
  for (const given of ["", " ", "1 ", "0x10", "NaN", "Infinity", "1,5", "1e999", null, undefined, true, [], ["1"], {}])
    assert.equal(readNumber(given), undefined, JSON.stringify(given));
  assert.equal(readNumber(Number.NaN), undefined);
});

test("a number or nothing, whatever is given", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      const number = readNumber(value);
      assert.ok(number === undefined || Number.isFinite(number));
    }),
  );
});

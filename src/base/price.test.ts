import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { changeOf, exponentText, isTooSmall, shareOf, smallText } from "./price.ts";

test("the difference of two decimals is a decimal", () => {
  assert.equal(changeOf(1.3, 1.2), 0.1);
  assert.equal(changeOf(-2.45, -2), -0.45);
  assert.equal(changeOf(0.1 + 0.2, 0.3), 0);
  assert.equal(changeOf(0, 0), 0);
  const units = fc.integer({ min: -1e12, max: 1e12 });
  fc.assert(
    fc.property(units, units, fc.integer({ min: 0, max: 12 }), (price, open, places) => {
      const decimal = (count: number) => Number(`${count}e-${places}`);
      assert.equal(changeOf(decimal(price), decimal(open)), decimal(price - open));
    }),
  );
});

test("a share is up where the price is above the open, and of an open of 0 there is none", () => {
  assert.equal(shareOf(-2.45, -2), -0.225);
  assert.equal(shareOf(-1, -2), 0.5);
  assert.equal(shareOf(5, 0), null);
});

test("a small number is written by its first digits", () => {
  assert.deepEqual(
    [0.000_4, -0.000_400_04, 1.235e-9, 1.235e-13].map((value) => smallText(value)),
    [...["0.0004", "-0.0004", "1.235e-9", "1.235e-13"]],
  );
  assert.deepEqual([exponentText(1e300), exponentText(-1.2e-13)], ["1e+300", "-1.2e-13"]);
  assert.deepEqual([isTooSmall(0.004, 2), isTooSmall(0.006, 2), isTooSmall(0, 2)], [true, false, false]);
  assert.deepEqual([isTooSmall(2e-8, 8), isTooSmall(2.4e-8, 8)], [false, true]);
  assert.deepEqual(
    [1.235e-9, 1.2e-9, 1.23456e-6].map((value) => isTooSmall(value, 10)),
    [true, false, false],
  );
});

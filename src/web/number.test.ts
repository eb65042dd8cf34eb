import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  bytesText,
  changeText,
  Decimals,
  NOTHING,
  percentText,
  priceText,
  shortText,
  usualDecimals,
} from "./number.ts";

test("cheap prices are shown with more decimals, and millions with none", () => {
  const sizes = [1_234_567_890, 67_123.5, 1, 0.99, 0.1, 0.05, 0.000_45];
  assert.deepEqual(sizes.map(usualDecimals), [0, 2, 2, 4, 4, 6, 8]);
});

test("a symbol's decimals grow with what its prices need, and never shrink", () => {
  const decimals = new Decimals();
  assert.equal(decimals.count, 2);
  const seen = [null, 12.5, 12.505, 12.5, 0.1 + 0.2, 1 / 3].map((price) => {
    decimals.see(price);
    return decimals.count;
  });
  assert.deepEqual(seen, [2, 2, 3, 3, 3, 8]);
});

test("a shown price is the price, to the last digit of eight", () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e12 }), fc.integer({ min: 0, max: 8 }), (units, places) => {
      const price = Number(`${units}e-${places}`);
      const decimals = new Decimals();
      decimals.see(price);
      const text = priceText(price, decimals.count);
      assert.equal(Number(text.replaceAll(",", "").replace("−", "-")), price);
    }),
  );
});

test("a change says its direction by its sign, and nothing where there is none", () => {
  assert.equal(changeText(1.2, 2), "+1.20");
  assert.equal(changeText(-0.35, 2), "−0.35");
  assert.equal(changeText(0, 2), "0.00");
  assert.equal(changeText(-0.0001, 2), "0.00");
  assert.equal(percentText(0.0128), "+1.28%");
  assert.equal(percentText(null), NOTHING);
  assert.equal(priceText(null, 2), NOTHING);
});

test("bytes have their unit apart", () => {
  assert.deepEqual([0, 899, 8_000, 1_234_567].map(bytesText), ["0 B", "899 B", "8.00 KB", "1.23 MB"]);
});

test("large numbers are short", () => {
  const cases: [number, string][] = [
    ...([
      [0, "0"],
      [7, "7"],
      [789, "789"],
      [0.125, "0.125"],
      [12.5, "12.5"],
      [1_234, "1.23K"],
    ] as [number, string][]),
    ...([
      [45_600, "45.6K"],
      [999_499, "999K"],
      [999_999, "1.00M"],
      [1_234_567, "1.23M"],
    ] as [number, string][]),
    ...([
      [3.2e9, "3.20B"],
      [4.5e15, "4,500T"],
      [-45_600, "-45.6K"],
      [99.96, "100"],
    ] as [number, string][]),
  ];
  for (const [value, text] of cases) assert.equal(shortText(value), text, String(value));
});

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
  stepOf,
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
    decimals.add(price);
    return decimals.count;
  });
  assert.deepEqual(seen, [2, 2, 3, 3, 3, 8]);
});

test("a shown price is the price, to the last digit of eight", () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e12 }), fc.integer({ min: 0, max: 8 }), (units, places) => {
      const price = Number(`${units}e-${places}`);
      const decimals = new Decimals();
      decimals.add(price);
      const text = priceText(price, decimals.count);
      assert.equal(Number(text.replaceAll(",", "").replace("−", "-")), price);
    }),
  );
});

test("a change says its direction by its sign, and nothing where there is none", () => {
  assert.equal(changeText(1.2, 2), "+1.20");
  assert.equal(changeText(-0.35, 2), "−0.35");
  assert.equal(changeText(0, 2), "0.00");
  assert.equal(changeText(-0.0001, 2), "−0.0001");
  assert.equal(percentText(0.0128), "+1.28%");
  assert.equal(percentText(-0.225), "−22.50%");
  assert.equal(percentText(-0.000_014_9), "−0.001%");
  assert.equal(percentText(null), NOTHING);
  assert.equal(priceText(null, 2), NOTHING);
});

test("a tiny price is shown by its digits, and one that is tinier or huge with an exponent", () => {
  const shown = (price: number) => {
    const decimals = new Decimals();
    decimals.add(price);
    return priceText(price, decimals.count);
  };
  assert.equal(shown(1.235e-9), "1.235e-9");
  assert.equal(shown(-1.235e-9), "−1.235e-9");
  assert.equal(shown(1.2e-9), "1.2e-9");
  assert.equal(shown(2e-8), "0.00000002");
  assert.equal(shown(0.000_012_34), "0.00001234");
  assert.equal(shown(1.2345e-6), "1.234e-6");
  assert.equal(shown(0.000_45), "0.00045000");
  assert.equal(shown(1.2e-13), "1.2e-13");
  assert.equal(shown(5e-324), "4.941e-324");
  assert.equal(shown(-1e300), "−1e+300");
  assert.equal(shown(-0), "0.00");
  // A symbol whose prices were of two decimals keeps them.
  assert.equal(priceText(0.000_4, 2), "0.0004");
});

test("a chart's step is as fine as its prices need", () => {
  assert.deepEqual([stepOf(67_123.5, 2), stepOf(1.5, 2), stepOf(-0.05, 6), stepOf(0, 2)], [0.01, 0.01, 1e-6, 0.01]);
  assert.deepEqual([stepOf(1.235e-9, 8), stepOf(1e-300, 8)], [1e-12, 1e-15]);
});

/** What a text says, and half a unit of its last digit. */
function readBack(text: string): [value: number, half: number] {
  const [, number, unit, exponent = "0"] =
    /^([^KMBTe]+)([KMBT]?)(?:e(.+))?$/.exec(text.replace("−", "-").replace("%", "")) ?? [];
  const digits = number.replaceAll(",", "");
  const scale = 1_000 ** ["", "K", "M", "B", "T"].indexOf(unit);
  const [, fraction = ""] = digits.split(".");
  return [Number(`${digits}e${exponent}`) * scale, (Number(`1e${Number(exponent) - fraction.length}`) * scale) / 2];
}

test("any number that is shown is the number to half a unit of its last digit, never 0 for another, with its sign", () => {
  const anyNumber = fc.oneof(
    fc.double({ min: -1e300, max: 1e300, noNaN: true }),
    fc.double({ min: -1_000, max: 1_000, noNaN: true }),
    fc
      .tuple(fc.integer({ min: -9_999, max: 9_999 }), fc.integer({ min: -20, max: 20 }))
      .map(([n, e]) => Number(`${n}e${e}`)),
  );
  const isShown = (value: number, text: string) => {
    const [read, half] = readBack(text);
    assert.equal(Math.sign(read), Math.sign(value) || 0, `${value} as ${text}`);
    // What doubles add, here and in the reading.
    assert.ok(Math.abs(read - value) <= half * (1 + 1e-9) + Math.abs(value) * 1e-15, `${value} as ${text}`);
  };
  fc.assert(
    fc.property(anyNumber, fc.integer({ min: 0, max: 8 }), (value, places) => {
      const decimals = new Decimals();
      decimals.add(value);
      isShown(value, priceText(value, decimals.count));
      isShown(value, priceText(value, places));
      isShown(value, changeText(value, places));
      isShown(value, shortText(value));
      isShown(value * 100, percentText(value));
    }),
    { numRuns: 2_000 },
  );
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

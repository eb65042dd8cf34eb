import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { TickPatch } from "../../base/tick.ts";
import { clearZeroPairs } from "../price_pairs.ts";
import { type FieldKeys, readPatch } from "./venue_patch.ts";

const KEYS: FieldKeys = {
  ...{ bid: "b", bidSize: "B", ask: "a", askSize: "A", last: "p", lastSize: "q" },
  ...{ open: "o", high: "h", low: "l", volume: "v" },
};

test("a price and a size that are both 0, empty or absent are no value; all else is what the venue says", () => {
  const cases: [Record<string, unknown>, TickPatch][] = [
    [
      { b: "0.00", B: "0" },
      { bid: null, bidSize: null },
    ],
    [{ b: "0.00" }, { bid: null, bidSize: null }],
    [{ B: 0 }, { bid: null, bidSize: null }],
    [
      { a: "", A: null },
      { ask: null, askSize: null },
    ],
    [
      { a: "0", A: "NaN" },
      { ask: null, askSize: null },
    ],
    [
      { p: "-0.0", q: "0e3" },
      { last: null, lastSize: null },
    ],
    // A price of 0 for which there is a size, and negative ones: oil in 2020, spreads, rates.
    [
      { b: "0", B: "5" },
      { bid: 0, bidSize: 5 },
    ],
    [
      { b: "-37.63", B: "0" },
      { bid: -37.63, bidSize: 0 },
    ],
    [
      { p: "0.05", q: "0" },
      { last: 0.05, lastSize: 0 },
    ],
    [{ p: "-0.5" }, { last: -0.5 }],
    // What cannot be read keeps its value.
    [{ b: "1", B: "1e999", a: "NaN", A: "Infinity" }, { bid: 1 }],
    [
      { o: "0", h: "0.000", l: "", v: "0" },
      { open: null, high: null, low: null, volume: 0 },
    ],
    [
      { o: "-2", h: "-1", l: "-3", v: "" },
      { open: -2, high: -1, low: -3, volume: null },
    ],
  ];
  for (const [message, patch] of cases) assert.deepEqual(readPatch(message, KEYS), patch, JSON.stringify(message));
});

test("a message without a field that can be read makes no patch", () => {
  for (const message of [{}, { x: 1 }, { b: "x", B: undefined, a: [], o: {}, v: true }])
    assert.equal(readPatch(message, KEYS), undefined);
});

test("no value is infinite, no number or minus 0, and no pair is 0 and 0", () => {
  const value = fc.oneof(fc.constantFrom("0", "-0", "0.0", "", "1", "-2.5", "1e999", null), fc.anything());
  const message = fc.dictionary(fc.constantFrom(...Object.values(KEYS)), value);
  fc.assert(
    fc.property(message, (given) => {
      const patch = readPatch(given, KEYS) ?? {};
      for (const number of Object.values(patch))
        assert.ok(number === null || (Number.isFinite(number) && !Object.is(number, -0)));
      for (const [price, size] of [
        [patch.bid, patch.bidSize],
        [patch.ask, patch.askSize],
        [patch.last, patch.lastSize],
      ])
        assert.ok(price !== 0 || Number(size) !== 0);
      for (const price of [patch.open, patch.high, patch.low]) assert.notEqual(price, 0);
    }),
    { numRuns: 1_000 },
  );
});

test("where a source can say null, a 0 is a 0, unless price and size both are", () => {
  const patch: TickPatch = { bid: 0, bidSize: 0, ask: 0, askSize: null, last: 0, open: 0, volume: 0 };
  clearZeroPairs(patch);
  assert.deepEqual(patch, { bid: null, bidSize: null, ask: 0, askSize: null, last: 0, open: 0, volume: 0 });
});

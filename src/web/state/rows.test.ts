import assert from "node:assert/strict";
import { test } from "node:test";
import type { Quote } from "../../client/client.ts";
import { Instrument } from "./instrument.ts";
import { expand, keyOf, type Row, sortRows } from "./rows.ts";
import { add, fold, remove } from "./watchlist.ts";

const keys = (rows: readonly Row[]) => rows.map(keyOf);
const KNOWN = ["SIM:S0002", "SIM:S0000", "B", "SIM:S0001", "SIM:S0010"];

test("a pattern is its head and its symbols in order; a symbol with an entry of its own keeps its position", () => {
  const rows = expand(add([], ["SIM:S0001", "A", "SIM:*", "B"]), KNOWN);
  assert.deepEqual(keys(rows), ["SIM:S0001", "A", "SIM:*", "SIM:S0000", "SIM:S0002", "SIM:S0010", "B"]);
  assert.deepEqual(rows[2], { kind: "group", pattern: "SIM:*", count: 3, isFolded: false });
});

test("a symbol of two patterns is the first one's, or the other's when it is left out there", () => {
  const list = add([], ["SIM:S000*", "SIM:*"]);
  const all = expand(list, KNOWN);
  assert.deepEqual(keys(all), ["SIM:S000*", "SIM:S0000", "SIM:S0001", "SIM:S0002", "SIM:*", "SIM:S0010"]);
  assert.deepEqual(keys(expand(remove(list, "SIM:S0000"), KNOWN)), [
    ...["SIM:S000*", "SIM:S0001", "SIM:S0002", "SIM:*", "SIM:S0010"],
  ]);
});

test("a folded pattern shows only its head, unless a filter is set", () => {
  const list = fold(add([], ["A", "SIM:*"]), "SIM:*", true);
  assert.deepEqual(keys(expand(list, KNOWN)), ["A", "SIM:*"]);
  assert.deepEqual(keys(expand(list, KNOWN, "S001")), ["SIM:*", "SIM:S0010"]);
  assert.deepEqual(expand(list, KNOWN, "NOTHING"), []);
});

test("a pattern that has met nothing yet is there", () => {
  assert.deepEqual(expand(add([], ["X:*"]), KNOWN), [{ kind: "group", pattern: "X:*", count: 0, isFolded: false }]);
});

test("sorted, rows are by their value; what has none is last, either way round", () => {
  const prices: Record<string, number | null> = { A: 3, B: null, C: 1, D: 2, E: 2 };
  const instruments = new Map(
    Object.entries(prices).map(([symbol, last]) => {
      const instrument = new Instrument(symbol);
      const quote = { seq: 1, last, bid: null, ask: null, open: 2, volume: 1, eventTime: 5, receivedAt: 5 };
      instrument.update(quote as unknown as Quote, 0);
      return [symbol, instrument];
    }),
  );
  const rows = expand(add([], ["E", "B", "A", "*"]), ["C", "D"]);
  const sorted = (key: "last" | "change" | "symbol" | "volume", isDescending: boolean) =>
    keys(sortRows(rows, { key, isDescending }, (symbol) => instruments.get(symbol))).join("");
  assert.equal(sorted("last", false), "CDEAB");
  assert.equal(sorted("last", true), "ADECB");
  assert.equal(sorted("change", true), "ADECB");
  assert.equal(sorted("symbol", true), "EDCBA");
  assert.equal(sorted("volume", true), "ABCDE", "what is alike is by its symbol");
});

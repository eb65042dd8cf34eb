import assert from "node:assert/strict";
import { test } from "node:test";
import { add, fold, MOST_ENTRIES, move, ownerOf, remove, step, type Watchlist } from "./watchlist.ts";

const listOf = (...texts: string[]) => add([], texts);
const textsOf = (list: Watchlist) => list.map((entry) => entry.text);

test("what is added goes to the end, once, and what is no symbol is not", () => {
  const list = add(listOf("A", "SIM:*"), ["B", "A", "no symbol", "SIM:S0001", "SIM:*"]);
  assert.deepEqual(textsOf(list), ["A", "SIM:*", "B"]);
});

test("a row of a pattern that is removed is left out of it, and comes back when it is added", () => {
  const without = remove(listOf("SIM:*", "A"), "SIM:S0001");
  assert.deepEqual(without[0].without, ["SIM:S0001"]);
  assert.equal(ownerOf(without, "SIM:S0001"), undefined);
  assert.equal(ownerOf(without, "SIM:S0002"), without[0]);
  assert.deepEqual(add(without, ["SIM:S0001"]), listOf("SIM:*", "A"));
  assert.deepEqual(textsOf(remove(without, "SIM:*")), ["A"]);
});

test("an entry moves before another, to the end, and one step at a time", () => {
  const list = listOf("A", "B", "C", "D");
  assert.deepEqual(textsOf(move(list, "D", "B")), ["A", "D", "B", "C"]);
  assert.deepEqual(textsOf(move(list, "A", undefined)), ["B", "C", "D", "A"]);
  assert.deepEqual(textsOf(step(list, "B", -1)), ["B", "A", "C", "D"]);
  assert.deepEqual(textsOf(step(list, "B", 1)), ["A", "C", "B", "D"]);
  assert.equal(step(list, "A", -1), list);
  assert.equal(step(list, "D", 1), list);
  assert.equal(move(list, "X", "A"), list);
});

test("a row that is moved out of a pattern becomes an entry of its own, before or behind it", () => {
  const list = listOf("A", "SIM:*", "B");
  assert.deepEqual(textsOf(step(list, "SIM:S0001", -1)), ["A", "SIM:S0001", "SIM:*", "B"]);
  assert.deepEqual(textsOf(step(list, "SIM:S0001", 1)), ["A", "SIM:*", "SIM:S0001", "B"]);
  assert.deepEqual(textsOf(step(listOf("SIM:*"), "SIM:S0001", 1)), ["SIM:*", "SIM:S0001"]);
});

test("a pattern is folded and unfolded", () => {
  const folded = fold(listOf("SIM:*", "A"), "SIM:*", true);
  assert.deepEqual(
    folded.map((entry) => entry.isFolded),
    [true, false],
  );
  assert.deepEqual(fold(folded, "SIM:*", false), listOf("SIM:*", "A"));
});

test("a list is bounded", () => {
  const many = Array.from({ length: MOST_ENTRIES + 5 }, (_, index) => `S${index}`);
  const full = add([], many);
  assert.equal(full.length, MOST_ENTRIES);
  assert.equal(move(add(full.slice(1), ["T:*"]), "T:A", undefined).length, MOST_ENTRIES);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isPattern } from "../../base/tick.ts";
import { readSymbolQuery, type SymbolQuery } from "./symbol_query.ts";

function read(list: string, most = 1_000): SymbolQuery {
  const query = readSymbolQuery(list, most);
  assert.ok(!("error" in query), JSON.stringify(query));
  return query;
}

test("each text counts once, in the order in which it was first named", () => {
  assert.deepEqual(read("B,A,B,,A*,B").texts, ["B", "A", "A*"]);
  assert.deepEqual(read(`${"A*,".repeat(1_200)}`).texts, ["A*"]);
});

test("a pattern that another one covers is left out", () => {
  assert.deepEqual(read("AB*,A*,ABC*,B*").texts, ["A*", "B*"]);
  assert.deepEqual(read("A*,*,B").texts, ["*", "B"]);
  assert.ok(read("A*,AB").isCovered("AB"));
  assert.ok(read("A*").isCovered("A"));
  assert.ok(!read("AB*,A").isCovered("A"));
});

test("what is wrong is named, and not sent back at any length", () => {
  assert.deepEqual(readSymbolQuery("", 10), { error: "symbols is missing: ?symbols=A,B" });
  assert.deepEqual(readSymbolQuery(",,,", 10), { error: "symbols is missing: ?symbols=A,B" });
  assert.deepEqual(readSymbolQuery(`A,${"%".repeat(5_000)}`, 10), { error: `not a symbol: ${"%".repeat(64)}` });
  assert.deepEqual(readSymbolQuery("A,B,C,D,E,F", 5), { error: "more than 5 symbols" });
  const many = Array.from({ length: 2_000 }, (_, index) => `S${index}`).join(",");
  assert.deepEqual(readSymbolQuery(many, 20_000), { error: "more than 1024 symbols" });
});

const text = fc
  .tuple(fc.stringMatching(/^[ABC]{0,4}$/), fc.boolean())
  .map(([word, isPrefix]) => (isPrefix ? `${word}*` : word || "A"));

test("what is left matches the same symbols, and each of them by one pattern", () => {
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 12 }), fc.stringMatching(/^[ABC]{1,5}$/), (texts, symbol) => {
      const query = read(texts.join(","));
      const matches = (list: readonly string[]) =>
        list.filter((each) => isPattern(each) && symbol.startsWith(each.slice(0, -1)));
      assert.equal(query.isCovered(symbol), matches(texts).length > 0);
      assert.equal(matches(query.texts).length, query.isCovered(symbol) ? 1 : 0);
      const symbols = new Set(texts.filter((each) => !isPattern(each)));
      assert.deepEqual(new Set(query.texts.filter((each) => !isPattern(each))), symbols);
    }),
  );
});

test("no text makes it throw, and it never names more than was asked for", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (list) => {
      const query = readSymbolQuery(list, 1_000);
      if (!("error" in query)) assert.ok(query.texts.length <= list.split(",").length);
    }),
  );
});

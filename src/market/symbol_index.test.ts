import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { prefixRange, SymbolIndex, textRange } from "./symbol_index.ts";

const text = fc.string({ unit: fc.constantFrom("A", "B", "Z", ":", "-", "9"), minLength: 1, maxLength: 4 });

test("rows come in the order of their symbols, however they appear, and a prefix is a range of them", () => {
  fc.assert(
    fc.property(fc.uniqueArray(text, { maxLength: 40 }), text, fc.array(fc.nat(5)), (symbols, prefix, steps) => {
      const table = { symbols, known: Int32Array.from(symbols.keys()), knownCount: 0 };
      const index = new SymbolIndex(table);
      for (const step of [...steps, symbols.length]) {
        const before = index.sorted();
        const copy = Int32Array.from(before);
        table.knownCount = Math.min(symbols.length, table.knownCount + step);
        const named = Array.from(index.sorted(), (row) => symbols[row]);
        const known = symbols.slice(0, table.knownCount);
        assert.deepEqual(named, known.toSorted());
        assert.deepEqual(before, copy, "an array that was handed out stays as it is");
        const [from, to] = prefixRange(symbols, index.sorted(), prefix);
        assert.deepEqual(named.slice(from, to), known.filter((symbol) => symbol.startsWith(prefix)).toSorted());
        assert.deepEqual(textRange(symbols, index.sorted(), `${prefix}*`), [from, to]);
        const [first, last] = textRange(symbols, index.sorted(), prefix);
        assert.deepEqual(
          named.slice(first, last),
          known.filter((symbol) => symbol === prefix),
        );
      }
    }),
  );
});

test("many rows are sorted as they appear", () => {
  const symbols = Array.from({ length: 20_000 }, (_, index) => `S${(index * 7_919) % 20_011}`);
  const table = { symbols, known: Int32Array.from(symbols.keys()), knownCount: 0 };
  const index = new SymbolIndex(table);
  for (; table.knownCount < symbols.length; table.knownCount++) index.appended();
  assert.deepEqual(
    Array.from(index.sorted(), (row) => symbols[row]),
    symbols.toSorted(),
  );
});

test("the empty prefix is all", () => {
  const table = { symbols: ["B", "A"], known: Int32Array.of(0, 1), knownCount: 2 };
  assert.deepEqual(prefixRange(table.symbols, new SymbolIndex(table).sorted(), ""), [0, 2]);
});

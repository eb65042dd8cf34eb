import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Prefixes } from "./prefixes.ts";

const text = fc.string({ unit: fc.constantFrom("A", "B", ":", "9"), maxLength: 4 });

test("each symbol has the shortest of the prefixes that it begins with", () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 8 }), text, (prefixes, symbol) => {
      const matching = prefixes.filter((prefix) => symbol.startsWith(prefix)).sort((a, b) => a.length - b.length);
      const set = new Prefixes(prefixes);
      assert.equal(set.of(symbol), matching[0]);
      for (const one of set.list)
        for (const other of set.list) assert.ok(one === other || !one.startsWith(other), `${one} in ${other}`);
    }),
    { numRuns: 1_000 },
  );
});

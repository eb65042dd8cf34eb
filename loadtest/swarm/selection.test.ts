import assert from "node:assert/strict";
import { test } from "node:test";
import { Selection } from "./selection.ts";

const market = (length: number) => Array.from({ length }, (_, symbol) => `S${symbol}`);

for (const [symbols, count] of [
  [1, 1],
  [7, 7],
  [1_000, 50],
  [1_003, 50],
])
  test(`${count} of ${symbols} symbols: each slot has its own symbol, and the symbol finds the slot`, () => {
    const names = market(symbols);
    for (const index of [0, 1, symbols - 1, symbols, symbols * 3 + 2]) {
      const selection = new Selection(names, index, count);
      assert.equal(new Set(selection.names()).size, count);
      const slots = names.map((_, symbol) => selection.slotOf(symbol));
      for (let slot = 0; slot < count; slot++) assert.equal(slots.indexOf(slot), selection.symbolAt(slot));
      assert.equal(slots.filter((slot) => slot >= 0).length, count);
      for (const none of [-1, symbols, symbols + 1, Number.NaN]) assert.equal(selection.slotOf(none), -1);
      assert.equal(selection.nameAt(0), `S${index % symbols}`);
    }
  });

test("every symbol belongs to a connection", () => {
  const seen = new Set<string>();
  for (let index = 0; index < 20; index++)
    for (const name of new Selection(market(1_000), index, 50).names()) seen.add(name);
  assert.equal(seen.size, 1_000);
});

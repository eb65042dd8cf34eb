import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { matches } from "../../../test/support/client_model.ts";
import { isPattern } from "../../base/tick.ts";
import { nearest, Selection } from "./selection.ts";

const SYMBOLS = ["A", "AB", "ABC", "B"];
const TEXTS = [...SYMBOLS, "*", "A*", "AB*", "B*"];

function selectionOf(...texts: string[]): Selection {
  const selection = new Selection();
  for (const text of texts) selection.add(text);
  return selection;
}

const covered = (selection: Selection) => SYMBOLS.filter((symbol) => selection.covers(symbol)).join();

test("what is added is covered, and what is removed is taken away or left out", () => {
  const selection = selectionOf("A*", "B");
  assert.equal(covered(selection), "A,AB,ABC,B");
  selection.remove("AB");
  assert.equal(covered(selection), "A,ABC,B");
  selection.remove("AB*");
  assert.equal(covered(selection), "A,B");
  selection.add("AB");
  assert.equal(covered(selection), "A,AB,B");
  selection.add("A*");
  assert.equal(covered(selection), "A,AB,ABC,B", "a pattern that is added takes back what was left out of it");
  selection.remove("A*");
  assert.equal(covered(selection), "AB,B", "what was added by name stays");
  selection.remove("*");
  assert.equal(covered(selection), "", "a pattern that was not added takes away all that it matches");
  assert.deepEqual([selection.symbols.size, selection.prefixes.size], [0, 0]);
});

test("nothing is left out of no pattern: what is void is forgotten", () => {
  const selection = selectionOf("A*");
  for (let count = 0; count < 100; count++) selection.remove(`A${count}`);
  assert.equal(selection.symbols.size, 100);
  selection.remove("A*");
  assert.deepEqual([selection.symbols.size, selection.prefixes.size], [0, 0]);
  selection.remove("C");
  assert.equal(selection.symbols.size, 0);
});

test("all hidden but for some, or none but for some", () => {
  const selection = selectionOf("*");
  assert.ok(selection.setHidden("A", true) && !selection.setHidden("A", true));
  assert.deepEqual([selection.isHidden("A"), selection.isHidden("B")], [true, false]);
  assert.deepEqual([selection.names("A"), selection.names("B")], [true, false]);
  selection.setAllHidden(true);
  assert.deepEqual([selection.isHidden("A"), selection.isHidden("B"), selection.names("A")], [true, true, false]);
  assert.ok(selection.setHidden("A", false));
  assert.deepEqual([selection.isHidden("A"), selection.isHidden("B")], [false, true]);
  assert.deepEqual([...selection.named], ["A"]);
});

test("of the entries that match a symbol the longest decides, whatever was said before", () => {
  const step = fc.record({ add: fc.boolean(), text: fc.constantFrom(...TEXTS) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const selection = new Selection();
      const said = new Map<string, boolean>();
      const covers = (symbol: string) => {
        const rank = (text: string) => (isPattern(text) ? text.length - 1 : 100);
        const matching = [...said].filter(([text]) => matches(text, symbol));
        return matching.sort(([a], [b]) => rank(b) - rank(a))[0]?.[1] ?? false;
      };
      for (const { add, text } of steps) {
        const under = [...said].filter(([other]) => isPattern(text) && other !== text && matches(text, other));
        if (add) {
          for (const [other, wanted] of under) if (!wanted) said.delete(other);
          said.set(text, true);
          selection.add(text);
          continue;
        }
        selection.remove(text);
        if (said.get(text)) said.delete(text);
        else {
          said.delete(text);
          for (const [other] of under) said.delete(other);
          if ([...said].some(([other, wanted]) => wanted && isPattern(other) && matches(other, text)))
            said.set(text, false);
        }
      }
      for (const symbol of SYMBOLS) assert.equal(selection.covers(symbol), covers(symbol), symbol);
    }),
    { numRuns: 2_000 },
  );
});

test("the nearest prefix is the longest that fits", () => {
  const prefixes = new Map([
    ["", 1],
    ["AB", 2],
    ["A", 3],
  ]);
  assert.deepEqual(
    ["ABC", "AB", "AC", "B"].map((text) => nearest(prefixes, text)?.join()),
    ["AB,2", "AB,2", "A,3", ",1"],
  );
  assert.equal(nearest(new Map([["A", 0]]), "B"), undefined);
});

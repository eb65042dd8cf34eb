import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Grant, MAX_PATTERNS, PatternSet } from "./patterns.ts";

const grant = (interval: number): Grant => ({ interval, fields: ["bid"], selection: Uint8Array.of(0) });

const SYMBOLS = ["A", "AB", "ABC", "B", "BA", "C"];
const PREFIXES = ["", "A", "AB", "B", "ABC"];
const step = fc.oneof(
  fc.record({ kind: fc.constant("want" as const), text: fc.constantFrom(...PREFIXES) }),
  fc.record({ kind: fc.constant("unwant" as const), text: fc.constantFrom(...PREFIXES) }),
  fc.record({ kind: fc.constant("exact" as const), text: fc.constantFrom(...SYMBOLS) }),
);

test("the last word that was said of a symbol decides, and no rule is kept in vain", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const rules = new PatternSet();
      const said = new Map<string, Grant | undefined>();
      steps.forEach(({ kind, text }, index) => {
        const given = kind === "want" ? grant(index) : undefined;
        if (given) assert.ok(rules.want(text, given));
        else rules.unwant(text, kind === "exact");
        for (const symbol of SYMBOLS)
          if (kind === "exact" ? symbol === text : symbol.startsWith(text)) said.set(symbol, given);
        for (const name of SYMBOLS) assert.equal(rules.match(name)?.grant, said.get(name), name);
        assert.ok(rules.size <= PREFIXES.length + SYMBOLS.length);
      });
      rules.unwant("", false);
      assert.equal(rules.size, 0);
    }),
    { numRuns: 1_000 },
  );
});

test("full is full, but for a pattern that takes the place of another", () => {
  const rules = new PatternSet();
  for (let index = 0; index < MAX_PATTERNS; index++) assert.ok(rules.want(`P${index}:`, grant(1)));
  assert.equal(rules.want("Q:", grant(2)), false);
  assert.equal(rules.match("Q:A"), undefined);
  assert.ok(rules.want("P7:", grant(3)));
  assert.equal(rules.match("P7:A")?.grant.interval, 3);
  rules.unwant("P9:", false);
  assert.ok(rules.want("Q:", grant(2)));
  assert.equal(rules.wanted, MAX_PATTERNS);
  assert.ok(rules.want("", grant(4)), "a wider one takes the place of all");
  assert.equal(rules.wanted, 1);
});

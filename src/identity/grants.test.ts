/** What grants allow together, and which are refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Grant, GrantedSymbols, readGrants } from "./grants.ts";
import { readPolicy } from "./policy.ts";

const CHANNELS = ["quote", "book", "trade", "bar"] as const;
const text = fc.string({ unit: fc.constantFrom("A", "B"), minLength: 0, maxLength: 3 });
const symbols = fc.array(fc.tuple(text, fc.boolean()), { maxLength: 4 });
const grant = fc.record({
  symbols: symbols.map((list) => list.map(([name, isPrefix]) => (isPrefix ? `${name}*` : `A${name}`))),
  channels: fc.subarray([...CHANNELS]),
  interval: fc.constantFrom(0, 100, 1_000),
  delay: fc.constantFrom(0, 500, 900),
});

/** The same by comparing with each grant. */
function naive(grants: readonly Grant[], channel: (typeof CHANNELS)[number], symbol: string) {
  const fitting = grants.filter(
    ({ symbols, channels }) =>
      channels.includes(channel) &&
      symbols.some((name) => (name.endsWith("*") ? symbol.startsWith(name.slice(0, -1)) : symbol === name)),
  );
  if (fitting.length === 0) return undefined;
  const delay = Math.min(...fitting.map((each) => each.delay));
  return { delay, interval: Math.min(...fitting.filter((each) => each.delay === delay).map((each) => each.interval)) };
}

test("the union is what a comparison with each grant says; what covers it covers nothing else", () => {
  fc.assert(
    fc.property(fc.array(grant, { maxLength: 6 }), fc.constantFrom(...CHANNELS), text, (grants, channel, name) => {
      const union = new GrantedSymbols(grants);
      const symbol = `A${name}`;
      const access = union.decide(channel, symbol);
      assert.deepEqual(access && { ...access }, naive(grants, channel, symbol));
      const isCovered = (isLive: boolean) =>
        union
          .covering(channel, isLive)
          .some((text) => (text.endsWith("*") ? symbol.startsWith(text.slice(0, -1)) : symbol === text));
      assert.equal(isCovered(false), access !== undefined);
      assert.equal(isCovered(true), access?.delay === 0);
      if (union.allowsAll) assert.deepEqual({ ...access }, { interval: 0, delay: 0 });
    }),
    { numRuns: 2_000 },
  );
});

test("a wrong value is named with its place and its range", () => {
  const wrong: [value: unknown, message: RegExp][] = [
    [{}, /the policy must have the member roles/],
    [{ roles: [] }, /roles must be an object/],
    [{ rules: {} }, /the policy has the member "rules"; there are roles/],
    [{ roles: { "a b": { grants: [] } } }, /the name of a role must be/],
    [{ roles: { a: {} } }, /roles\.a must have the member grants/],
    [{ roles: { a: { grants: {} } } }, /roles\.a\.grants must be a list/],
    [{ roles: { a: { grants: [{}] } } }, /roles\.a\.grants\[0\]\.symbols must be a list/],
    [{ roles: { a: { grants: [{ symbols: ["A", "*B"] }] } } }, /roles\.a\.grants\[0\]\.symbols\[1\] must be a symbol/],
    [{ roles: { a: { grants: [{ symbols: [], delay: 1e9 }] } } }, /delay must be a whole number from 0 to 86400000/],
    [{ roles: { a: { grants: [{ symbols: [], interval: "1" }] } } }, /interval must be a whole number from 0/],
    [{ roles: { a: { grants: [{ symbols: [], channels: ["news"] }] } } }, /channels must be a list of quote, book/],
    [{ roles: { a: { grants: [], connections: -1 } } }, /roles\.a\.connections must be a whole number/],
    [{ roles: { a: { grants: [], conections: 1 } } }, /has the member "conections"/],
  ];
  for (const [value, message] of wrong) assert.throws(() => readPolicy(JSON.stringify(value)), message);
  assert.throws(() => readPolicy("{"), /must be JSON/);
  assert.throws(() => readGrants(new Array(1_001).fill({ symbols: [] }), "grants"), /at most 1000 grants/);
});

test("a role that has not changed stays the same object, so that its clients are not reviewed", () => {
  const before = readPolicy('{"roles":{"a":{"grants":[{"symbols":["A"]}]},"b":{"grants":[]}}}');
  const after = readPolicy('{"roles":{"b":{"grants":[{"symbols":["B"]}]},"a":{"grants":[{"symbols":["A"]}]}}}', before);
  assert.equal(after.get("a"), before.get("a"));
  assert.notEqual(after.get("b"), before.get("b"));
});

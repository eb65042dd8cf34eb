import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ClientReceiver, SessionBench } from "../../../test/support/session_bench.ts";
import type { TickEncoder } from "../../market/encoder.ts";
import { HeapFull } from "../../market/heap.ts";
import { QUOTE_MSGPACK } from "../../market/quote/quote_format.ts";
import type { Rejection } from "../../protocol/messages.ts";
import { CommandScheduler } from "./command_scheduler.ts";
import type { Granted } from "./grants.ts";
import type { Grant } from "./patterns.ts";
import { SubscriptionSet } from "./subscription_set.ts";

const DEAF: ClientReceiver = { control() {}, frame() {} };
const SYMBOLS = ["A", "AB", "ABC", "B", "BA", "C"];
const GRANTS: Grant[] = [
  { interval: 0, fields: ["bid"], selection: Uint8Array.of(0) },
  { interval: 100, fields: ["bid"], selection: Uint8Array.of(0) },
  { interval: 100, fields: ["ask"], selection: Uint8Array.of(2) },
];

/** Symbols that a step handles: so few that most commands take several. */
const STEP_SYMBOLS = 2;

function createSet(bench: SessionBench): SubscriptionSet {
  const set = new SubscriptionSet(bench.context, bench.outbound, QUOTE_MSGPACK);
  set.visible.identity = bench.context.authority.anonymous;
  return set;
}

function open(own = {}) {
  const bench = new SessionBench(
    "tickgate.v1.msgpack",
    DEAF,
    own,
    (clock) => new CommandScheduler(clock, 0, STEP_SYMBOLS),
  );
  return { bench, portfolio: createSet(bench) };
}

/** All that a subscribe comes to. @param between is called between its steps */
function subscribe(portfolio: SubscriptionSet, texts: readonly string[], grant: Grant, between = () => {}) {
  const rows: number[] = [];
  const rejected: Rejection[] = [];
  const steps = portfolio.subscribe(texts, grant);
  for (;;) {
    const { value, done } = steps.next();
    assert.ok(value.rows.length <= STEP_SYMBOLS, "a step is short");
    rows.push(...value.rows);
    rejected.push(...value.rejected);
    if (done) return { rows, rejected };
    between();
  }
}

/** All that an unsubscribe comes to. */
function unsubscribe(portfolio: SubscriptionSet, texts: readonly string[]): string[] | undefined {
  const ended: string[] = [];
  const steps = portfolio.unsubscribe(texts);
  for (;;) {
    const { value, done } = steps.next();
    ended.push(...(value?.symbols ?? []));
    if (done) return value && ended;
  }
}

/** Meets all symbols that have appeared. */
function meetAll(portfolio: SubscriptionSet): Granted[] {
  const met: Granted[] = [];
  portfolio.noticeNewSymbols();
  while (portfolio.hasNewSymbols) met.push(...portfolio.matchNewSymbols().values());
  return met;
}

/** What is held, by symbol: the grant's number. */
function heldBy({ bench, portfolio }: ReturnType<typeof open>): Map<string, number> {
  const held = new Map<string, number>();
  for (const subscription of portfolio.subscriptions) {
    const grant = GRANTS.findIndex(
      ({ interval, selection }) =>
        interval === subscription.interval && selection[0] === (subscription.encoder as TickEncoder).fields[0],
    );
    for (let index = 0; index < subscription.count; index++) {
      const symbol = bench.context.table.symbols[subscription.rowAt(index)];
      assert.ok(!held.has(symbol), `${symbol} is in two subscriptions`);
      held.set(symbol, grant);
    }
  }
  return held;
}

const sorted = (held: Map<string, number>) => [...held].sort();
const texts = fc.array(fc.constantFrom(...SYMBOLS, "*", "A*", "AB*", "B*", "C*"), { minLength: 1, maxLength: 3 });
const step = fc.oneof(
  fc.record({ kind: fc.constant("subscribe" as const), texts, grant: fc.nat(GRANTS.length - 1) }),
  fc.record({ kind: fc.constant("unsubscribe" as const), texts }),
  fc.record({ kind: fc.constant("appear" as const), symbol: fc.constantFrom(...SYMBOLS), meet: fc.boolean() }),
);

test("any sequence of subscribes and unsubscribes comes to what was said last of each symbol", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const both = open();
      const { bench, portfolio } = both;
      const { table, counts, encoders, topics: immediate } = bench.context;
      const held = new Map<string, number>();
      /** What is to become of a symbol when it appears. */
      const later = new Map<string, number>();
      const known = new Set<string>();
      const meet = () => {
        meetAll(portfolio);
        for (const symbol of known)
          if (later.has(symbol)) {
            if (!held.has(symbol)) held.set(symbol, later.get(symbol)!);
            later.delete(symbol);
          }
      };
      for (const each of steps) {
        if (each.kind === "appear") {
          bench.record(each.symbol, { epoch: 1, seq: 1 });
          known.add(each.symbol);
          if (each.meet) meet();
          continue;
        }
        // As a session does before each command.
        meet();
        const matching = (text: string) =>
          SYMBOLS.filter((symbol) => (text.endsWith("*") ? symbol.startsWith(text.slice(0, -1)) : symbol === text));
        if (each.kind === "subscribe") {
          const { rejected } = subscribe(portfolio, each.texts, GRANTS[each.grant]);
          assert.deepEqual(rejected, []);
          for (const text of each.texts)
            for (const symbol of matching(text)) {
              const isPattern = text.endsWith("*");
              if (!isPattern || known.has(symbol) || held.has(symbol)) held.set(symbol, each.grant);
              if (isPattern && !known.has(symbol)) later.set(symbol, each.grant);
            }
        } else {
          const before = new Set(held.keys());
          const ended = unsubscribe(portfolio, each.texts);
          for (const text of each.texts)
            for (const symbol of matching(text)) {
              held.delete(symbol);
              later.delete(symbol);
            }
          assert.deepEqual((ended ?? []).sort(), [...before].filter((symbol) => !held.has(symbol)).sort());
        }
        assert.deepEqual(sorted(heldBy(both)), sorted(held));
        assert.equal(portfolio.count, held.size);
        assert.equal(counts.subscriptions, held.size);
        assert.equal(table.awaitedRows, [...held.keys()].filter((symbol) => !known.has(symbol)).length);
        const followed = [...bench.bus.followed].filter(([symbol]) => symbol !== "*");
        assert.deepEqual(
          followed.sort(),
          [...held.keys()].sort().map((symbol) => [symbol, 1]),
        );
        for (const symbol of SYMBOLS)
          assert.equal(immediate.countOf(table.rowOf(symbol)), held.get(symbol) === 0 ? 1 : 0);
      }
      portfolio.close();
      while (bench.context.commands.waiting > 0) bench.context.commands.run();
      assert.equal(portfolio.count + counts.subscriptions + table.awaitedRows + encoders.size, 0);
      assert.equal(bench.bus.followed.size, 0);
      portfolio.matchNewSymbols();
      assert.equal(portfolio.count, 0);
    }),
    { numRuns: 1_500 },
  );
});

test("over the limit what is held keeps its place, and a pattern is rejected once under its own name", () => {
  const both = open({ maxSymbolsPerConnection: 3 });
  const { bench, portfolio } = both;
  subscribe(portfolio, ["A", "B", "C"], GRANTS[1]);
  const again = subscribe(portfolio, ["AB", "A", "B", "C"], GRANTS[2]);
  assert.equal(again.rows.length, 3);
  assert.deepEqual(
    again.rejected.map(({ symbol, code }) => [symbol, code]),
    [["AB", "too_many_symbols"]],
  );
  for (let index = 0; index < 5_000; index++) bench.record(`P:${index}`, { epoch: 1, seq: 1 });
  const pattern = subscribe(portfolio, ["P:*", "P:1*"], GRANTS[1]);
  assert.deepEqual(pattern.rows, []);
  // P:1* is part of it.
  assert.deepEqual(
    pattern.rejected.map(({ symbol }) => symbol),
    ["P:*"],
  );
  assert.equal(bench.context.table.awaitedRows, 3);
  bench.record("P:NEW", { epoch: 1, seq: 1 });
  const [met] = meetAll(portfolio);
  assert.deepEqual(met.rows, []);
  assert.deepEqual(
    met.rejected.map(({ symbol }) => symbol),
    ["P:*"],
  );
});

test("what is no symbol is rejected by itself, short and as whole characters", () => {
  const { portfolio } = open({ maxAwaitedSymbols: 1 });
  const long = `${"x".repeat(63)}😀`;
  const { rows, rejected } = subscribe(portfolio, ["A", "b?", "", "A*B", "**", long, "B"], GRANTS[1]);
  assert.equal(rows.length, 1);
  assert.deepEqual(
    rejected.map(({ symbol, code }) => [symbol, code]),
    [
      ["b?", "invalid_symbol"],
      ["", "invalid_symbol"],
      ["A*B", "invalid_symbol"],
      ["**", "invalid_symbol"],
      [`${"x".repeat(63)}\ufffd`, "invalid_symbol"],
      ["B", "too_many_symbols"],
    ],
  );
});

test("a connection that awaits thousands leaves some to the others", () => {
  const { bench, portfolio } = open({ maxAwaitedSymbols: 80 });
  const greedy = subscribe(
    portfolio,
    Array.from({ length: 100 }, (_, index) => `G${index}`),
    GRANTS[1],
  );
  assert.equal(greedy.rows.length, 40, "half of them");
  assert.deepEqual([...new Set(greedy.rejected.map(({ code }) => code))], ["too_many_symbols"]);
  const names = Array.from({ length: 20 }, (_, index) => `M${index}`);
  const modest = createSet(bench);
  assert.equal(subscribe(modest, names, GRANTS[1]).rows.length, 20, "as many as are left then");
  assert.equal(subscribe(modest, ["G0", "G1"], GRANTS[1]).rows.length, 2, "what is awaited already takes no row");
  assert.equal(subscribe(portfolio, ["G100"], GRANTS[1]).rows.length, 0);
  portfolio.close();
  while (bench.context.commands.waiting > 0) bench.context.commands.run();
  assert.equal(subscribe(modest, names, GRANTS[1]).rows.length, 20, "room again");
});

test("there is an end to patterns", () => {
  const { portfolio } = open();
  const many = Array.from({ length: 257 }, (_, index) => `P${index}:*`);
  assert.deepEqual(
    subscribe(portfolio, many, GRANTS[1]).rejected.map(({ symbol, code }) => [symbol, code]),
    [["P256:*", "too_many_symbols"]],
  );
  assert.deepEqual(subscribe(portfolio, ["P7:*"], GRANTS[2]).rejected, [], "one more of the same takes its place");
});

test("where memory has run out symbols are rejected, and those held before stay", () => {
  const { bench, portfolio } = open();
  const { heap } = bench.context.table;
  subscribe(portfolio, ["A", "B"], GRANTS[0]);
  for (let block = 2 ** 31; block >= 64; block /= 2)
    try {
      for (;;) heap.alloc(block);
    } catch (error) {
      assert.ok(error instanceof HeapFull);
    }
  const { rows, rejected } = subscribe(portfolio, ["C"], GRANTS[1]);
  assert.deepEqual(rows, []);
  assert.deepEqual(
    rejected.map(({ symbol, code }) => [symbol, code]),
    [["C", "too_many_symbols"]],
  );
  assert.deepEqual(
    [...portfolio.subscriptions].map(({ count }) => count),
    [2],
  );
  assert.equal(portfolio.count, 2);
});

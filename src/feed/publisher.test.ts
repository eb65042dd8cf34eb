import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../base/clock.ts";
import { FIELD_COUNT, FIELDS, STATES, type TickPatch } from "../base/tick.ts";
import type { BusWriter } from "../bus/bus.ts";
import { PublisherTable } from "../market/publisher_table.ts";
import { NO_PRICE, Publisher } from "./publisher.ts";

function setUp(limit = 100) {
  const table = new PublisherTable(limit);
  const changed: number[] = [];
  const bus: BusWriter = {
    isLeading: true,
    start: async () => {},
    changed: (row) => void changed.push(row),
    close: async () => {},
  };
  const clock = new ManualClock();
  return { table, changed, clock, bus, publisher: new Publisher(table, bus, clock) };
}

const symbolArbitrary = fc.constantFrom("A", "B:X-Y", "C");
const tickArbitrary = fc.record({
  kind: fc.constant("tick" as const),
  symbol: symbolArbitrary,
  patch: fc.dictionary(
    fc.constantFrom(...FIELDS),
    fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
  ) as fc.Arbitrary<TickPatch>,
});
const stateArbitrary = fc.oneof(
  fc.record({ kind: fc.constant("stale" as const), symbols: fc.option(fc.array(symbolArbitrary), { nil: undefined }) }),
  fc.record({ kind: fc.constant("closed" as const) }),
);

const hasPrice = ({ bid, ask, last }: TickPatch) => [bid, ask, last].some((price) => typeof price === "number");

test("whatever a feed tells, the table holds the last of each field and counts by one", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(tickArbitrary, stateArbitrary)), (events) => {
      const { table, publisher } = setUp();
      const model = new Map<string, { values: TickPatch; seq: number; state: string }>();
      for (const event of events) {
        if (event.kind === "tick") {
          const known = model.get(event.symbol) ?? { values: {}, seq: 0, state: "live" };
          const values = { ...known.values, ...event.patch };
          const state = hasPrice(values) ? "live" : "stale";
          model.set(event.symbol, { values, seq: known.seq + 1, state });
          publisher.tick(event.symbol, event.patch, known.seq);
        } else {
          const symbols: readonly string[] | undefined = event.kind === "stale" ? event.symbols : undefined;
          for (const [symbol, entry] of model)
            if (entry.state !== "closed" && (symbols?.includes(symbol) ?? true)) entry.state = event.kind;
          if (event.kind === "stale") publisher.stale("silence", symbols);
          else publisher.closed("over");
        }
      }
      assert.equal(table.rows, model.size);
      for (const [symbol, { values, seq, state }] of model) {
        const row = table.rowOf(symbol);
        assert.equal(table.seq[row], seq);
        assert.equal(STATES[table.state[row]], state);
        for (const [index, field] of FIELDS.entries())
          assert.ok(Object.is(table.payload.values[row * FIELD_COUNT + index], values[field] ?? Number.NaN), field);
      }
    }),
  );
});

test("the bus hears of each change and of nothing else", () => {
  const { publisher, changed } = setUp();
  publisher.tick("A", { bid: 1 }, 1);
  publisher.tick("B", { bid: 1 }, 1);
  publisher.stale("silence", ["B", "NOT-KNOWN"]);
  publisher.stale("silence", ["B"]);
  assert.deepEqual(changed, [0, 1, 1]);
});

test("a symbol is live while it has a price: not before its first one, and not after its last one has gone", () => {
  const { publisher, table, changed } = setUp();
  const stands = () => `${STATES[table.state[0]]} ${table.reasons[0]}`.trim();
  const told: string[] = [];
  const patches: TickPatch[] = [
    { open: 1, high: 1, low: 1, volume: 7 },
    { bid: 0, bidSize: 3 },
    { bid: null, bidSize: null },
    { ask: -37.63 },
    { ask: null },
    { last: 5 },
  ];
  for (const patch of patches) {
    publisher.tick("A", patch, undefined);
    told.push(stands());
  }
  const none = `stale ${NO_PRICE}`;
  assert.deepEqual(told, [none, "live", none, "live", none, "live"]);
  assert.equal(changed.length, patches.length);
  publisher.stale("connection lost");
  publisher.tick("A", { last: null }, undefined);
  assert.equal(stands(), none);
  publisher.tick("A", { last: 1 }, undefined);
  publisher.closed("over");
  publisher.tick("A", { last: null }, undefined);
  assert.equal(stands(), none);
});

test("an event time that is none is the time of receipt, and counted; all are whole", () => {
  const { publisher, table, clock } = setUp();
  const now = clock.micros();
  const insane = [Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 1, 1_700_000_000, 1_700_000_000_000, 1e300, -1e300];
  const bounds = [Date.UTC(2000, 0, 1) * 1_000 - 1, now + 600_000_001];
  for (const [index, time] of [...insane, ...bounds].entries()) {
    publisher.tick("A", { bid: 1 }, time);
    assert.deepEqual([table.eventTime[0], publisher.counts.replacedTimes], [now, index + 1], String(time));
  }
  const { replacedTimes, receipt } = publisher.counts;
  assert.equal(receipt.sum, 0);
  for (const time of [Date.UTC(2000, 0, 1) * 1_000, now - 1, now, now + 600_000_000]) {
    publisher.tick("A", { bid: 1 }, time);
    assert.equal(table.eventTime[0], time);
  }
  publisher.tick("A", { bid: 1 }, now - 0.75);
  assert.equal(table.eventTime[0], now - 1);
  // Messages that have no time by their nature are no mistake.
  publisher.tick("A", { bid: 1 }, undefined);
  assert.equal(table.eventTime[0], now);
  assert.equal(publisher.counts.replacedTimes, replacedTimes);
});

test("what cannot be a tick is counted by its reason", () => {
  const { publisher, table } = setUp(1);
  publisher.tick("not a symbol", { bid: 1 }, 1);
  publisher.tick("A", { bid: 1 }, 1);
  publisher.tick("B", { bid: 1 }, 1);
  publisher.skip("unknown");
  assert.deepEqual(publisher.counts.skipped, {
    unknown: 1,
    malformed: 0,
    invalid_symbol: 1,
    table_full: 1,
    duplicate: 0,
  });
  assert.equal(publisher.counts.ticks, 1);
  assert.equal(table.rows, 1);
});

test("how long ticks took to get here is measured, and those that are ahead of our clock are counted", () => {
  const { table, clock, publisher } = setUp();
  const { counts } = publisher;
  assert.ok(Number.isNaN(counts.lastTick));
  publisher.tick("A", { bid: 1 }, clock.micros() - 40_000);
  clock.advance(10);
  publisher.tick("B", { bid: 1 }, clock.micros() - 20_000);
  assert.deepEqual([counts.receipt.count, counts.receipt.sum, counts.lastTick], [2, 60_000, clock.micros()]);
  assert.deepEqual([...table.appliedAt.subarray(0, 2)], [clock.micros() - 10_000, clock.micros()]);
  // A millisecond is what clocks that agree may differ by.
  publisher.tick("A", { bid: 2 }, clock.micros() + 1_000);
  assert.equal(counts.future, 0);
  publisher.tick("A", { bid: 3 }, clock.micros() + 1_001);
  assert.deepEqual([counts.future, counts.receipt.sum], [1, 60_000]);
  publisher.tick("not a symbol", { bid: 1 }, 0);
  assert.equal(counts.receipt.count, 4);
});

test("where latencies are not measured a tick does not tell when it was received", () => {
  const { table, clock, bus } = setUp();
  const publisher = new Publisher(table, bus, clock, { metrics: false });
  publisher.tick("A", { bid: 1 }, 1);
  assert.ok(Number.isNaN(table.appliedAt[0]));
  assert.deepEqual([publisher.counts.ticks, publisher.counts.receipt.count, publisher.counts.future], [1, 0, 0]);
  assert.equal(table.eventTime[0], clock.micros());
});

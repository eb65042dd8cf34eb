import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BarPayload } from "../market/bar/bar_payload.ts";
import { BarRecord } from "../market/bar/bar_record.ts";
import { CLOSED_BAR, CORRECTED_BAR, PARTIAL_BAR } from "../market/bar/bar_series.ts";
import { type BarMarketName, PUBLISHED_BARS } from "../market/market_name.ts";
import { PublisherTable } from "../market/publisher_table.ts";
import { BarBuilder } from "./bar_builder.ts";

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const DAY = 86_400 * SECOND;
const GRACE = 500_000;
const LENGTHS = { "bar:1s": SECOND, "bar:1m": MINUTE } as const;
/** Midnight. */
const START = 1_699_920_000_000_000;

/** A builder with its tables, and the time by our clock. */
class Bench {
  readonly tables: Map<BarMarketName, PublisherTable<BarPayload>>;
  readonly builder: BarBuilder;
  readonly changed: string[] = [];
  now = START;

  constructor(barsPerSymbol = 10_000, symbols = 10) {
    const table = () => new PublisherTable(symbols, new BarPayload({ barsPerSymbol, maxBars: 1_000_000 }, true));
    this.tables = new Map(PUBLISHED_BARS.map((name) => [name, table()]));
    this.builder = new BarBuilder(this.tables, (row, name) => this.changed.push(`${name} ${row}`));
  }

  /** @param time from the start of the test, microseconds */
  trade(symbol: string, time: number, { price = 100, size = 1, at = this.now - START } = {}): void {
    this.now = START + at;
    this.builder.trade(symbol, price, size, START + time, this.now);
  }

  /** Lets time pass, and closes what is due ten times a second. */
  pass(micros: number): void {
    const end = this.now + micros;
    while (this.now < end) {
      this.now = Math.min(end, this.now + 100_000);
      this.builder.closeDue(this.now);
    }
  }

  /** The bars of a symbol, by start: `[open, high, low, close, volume, trades, flags]`. */
  bars(symbol: string, name: BarMarketName): Map<number, number[]> {
    const table = this.tables.get(name) as PublisherTable<BarPayload>;
    const row = table.rowOf(symbol);
    const bars = new Map<number, number[]>();
    if (row < 0) return bars;
    const { start, open, high, low, close, volume, trades, flags, from, end } = table.payload.seriesOf(row);
    for (let at = from; at < end; at++)
      bars.set(start[at] - START, [open[at], high[at], low[at], close[at], volume[at], trades[at], flags[at]]);
    return bars;
  }

  flags(symbol: string, name: BarMarketName, start: number): number | undefined {
    return this.bars(symbol, name).get(start)?.[6];
  }
}

test("a bar has the open and close by the time of the events, and is closed half a second after its end", () => {
  const bench = new Bench();
  bench.trade("A", 100_000, { at: 150_000, price: 10, size: 0.1 });
  bench.trade("A", 900_000, { at: 950_000, price: 14, size: 0.2 });
  bench.trade("A", 50_000, { at: 960_000, price: 12, size: 0.3 });
  bench.trade("A", 500_000, { at: 970_000, price: 9, size: 0.4 });
  assert.deepEqual(bench.bars("A", "bar:1s").get(0)?.slice(0, 6), [12, 14, 9, 14, 1, 4]);
  // The source is 50 ms behind our clock.
  bench.builder.closeDue(START + 1_549_000);
  assert.equal(bench.flags("A", "bar:1s", 0)! & CLOSED_BAR, 0);
  bench.changed.length = 0;
  bench.builder.closeDue(START + 1_550_000);
  assert.equal(bench.flags("A", "bar:1s", 0)! & CLOSED_BAR, CLOSED_BAR);
  assert.deepEqual(bench.changed, ["bar:1s 0"]);
  bench.builder.closeDue(START + 1_700_000);
  assert.equal(bench.changed.length, 1, "it is closed once");
  bench.trade("A", 999_000, { at: 1_800_000, price: 20 });
  assert.deepEqual(bench.bars("A", "bar:1s").get(0), [12, 20, 9, 20, 2, 5, CLOSED_BAR | CORRECTED_BAR | PARTIAL_BAR]);
});

test("of two trades of one time, the first to arrive opens and the last closes", () => {
  const bench = new Bench();
  for (const price of [5, 7, 6]) bench.trade("A", 100_000, { price });
  assert.deepEqual(bench.bars("A", "bar:1s").get(0)?.slice(0, 4), [5, 7, 5, 6]);
});

test("volumes are added as decimals", () => {
  const bench = new Bench();
  for (let count = 0; count < 30; count++) bench.trade("A", count * 1_000, { size: 0.1 });
  assert.equal(bench.bars("A", "bar:1s").get(0)?.[4], 3);
});

test("a trade of the future is a bar of the future, and closes no other bar before its time", () => {
  const bench = new Bench();
  bench.builder.connected(START - MINUTE);
  bench.trade("A", 2_100_000, { at: 2_100_000 });
  bench.trade("A", 600 * SECOND, { at: 2_200_000 });
  bench.trade("A", 2_300_000, { at: 2_300_000 });
  assert.deepEqual([...bench.bars("A", "bar:1s").keys()], [2 * SECOND, 600 * SECOND]);
  // At most a second early.
  bench.builder.closeDue(START + 2_450_000);
  assert.equal(bench.flags("A", "bar:1s", 2 * SECOND), 0);
  bench.pass(10 * SECOND);
  assert.equal(bench.flags("A", "bar:1s", 2 * SECOND), CLOSED_BAR);
  assert.equal(bench.flags("A", "bar:1s", 600 * SECOND), 0);
  bench.pass(600 * SECOND);
  assert.equal(bench.flags("A", "bar:1s", 600 * SECOND), CLOSED_BAR);
  assert.equal(bench.flags("A", "bar:1m", 600 * SECOND), 0);
  bench.pass(60 * SECOND);
  assert.equal(bench.flags("A", "bar:1m", 600 * SECOND), CLOSED_BAR);
});

test("a source whose clock is wrong by days has its own time", () => {
  for (const wrong of [-30 * DAY, -DAY]) {
    const bench = new Bench();
    for (let count = 0; count < 200; count++) {
      bench.trade("A", wrong + count * 100_000, { at: count * 100_000 });
      bench.builder.closeDue(bench.now);
    }
    const bars = [...bench.bars("A", "bar:1s")];
    assert.equal(bars.length, 20);
    for (const [start, bar] of bars) {
      assert.deepEqual(bar.slice(5), [10, start === wrong ? bar[6] : start < wrong + 19 * SECOND ? CLOSED_BAR : 0]);
    }
  }
});

test("a symbol that trades twice a day has two bars, each closed in its time, and complete", () => {
  const bench = new Bench();
  bench.builder.connected(START);
  bench.trade("B", 1_000, { at: 2_000 });
  bench.pass(MINUTE + SECOND);
  bench.trade("A", 90 * SECOND, { at: 90 * SECOND + 1_000 });
  bench.pass(MINUTE);
  assert.equal(bench.flags("A", "bar:1m", MINUTE), CLOSED_BAR);
  bench.now = START + DAY / 2;
  bench.trade("A", DAY / 2, { at: DAY / 2 + 1_000 });
  bench.builder.closeDue(bench.now + 59 * SECOND);
  assert.equal(bench.flags("A", "bar:1m", DAY / 2), 0);
  bench.builder.closeDue(bench.now + 61 * SECOND);
  assert.deepEqual(
    [...bench.bars("A", "bar:1m").values()].map((bar) => bar[6]),
    [CLOSED_BAR, CLOSED_BAR],
  );
});

test("the bar in which the source was connected is partial, and the next one is not", () => {
  const bench = new Bench();
  bench.builder.connected(START + 400_000);
  bench.trade("A", 700_000, { at: 710_000 });
  bench.trade("A", 1_200_000, { at: 1_210_000 });
  assert.equal(bench.flags("A", "bar:1s", 0), PARTIAL_BAR);
  assert.equal(bench.flags("A", "bar:1m", 0), PARTIAL_BAR);
  assert.equal(bench.flags("A", "bar:1s", SECOND), 0);
  // One that comes first later was followed since then as well.
  bench.trade("B", 2_500_000, { at: 2_510_000 });
  assert.equal(bench.flags("B", "bar:1s", 2 * SECOND), 0);
  assert.equal(bench.flags("B", "bar:1m", 0), PARTIAL_BAR);
});

test("a loss makes the bars partial that it touches, and no others", () => {
  const bench = new Bench();
  bench.builder.connected(START - MINUTE);
  for (const symbol of ["A", "B"]) bench.trade(symbol, 100_000, { at: 110_000 });
  bench.pass(3 * SECOND);
  bench.trade("A", 3_050_000, { at: 3_110_000 });
  bench.builder.lost(["A"], bench.now);
  bench.trade("A", 5_500_000, { at: 5_510_000 });
  bench.trade("B", 5_500_000, { at: 5_510_000 });
  bench.trade("A", 6_500_000, { at: 6_510_000 });
  const flags = (symbol: string) => [...bench.bars(symbol, "bar:1s")].map(([start, bar]) => [start / SECOND, bar[6]]);
  assert.deepEqual(flags("A"), [
    [0, CLOSED_BAR],
    [3, PARTIAL_BAR],
    [5, PARTIAL_BAR],
    [6, 0],
  ]);
  assert.deepEqual(flags("B"), [
    [0, CLOSED_BAR],
    [5, 0],
  ]);
  assert.deepEqual([bench.flags("A", "bar:1m", 0), bench.flags("B", "bar:1m", 0)], [PARTIAL_BAR, 0]);
});

test("a symbol that was never heard of is partial too where all was lost", () => {
  const bench = new Bench();
  bench.builder.connected(START - MINUTE);
  bench.trade("A", 100_000, { at: 110_000 });
  bench.builder.lost(undefined, bench.now);
  bench.trade("A", 30 * SECOND, { at: 30 * SECOND });
  bench.trade("B", 40 * SECOND, { at: 40 * SECOND });
  bench.trade("C", 70 * SECOND, { at: 70 * SECOND });
  assert.equal(bench.flags("B", "bar:1m", 0), PARTIAL_BAR);
  assert.equal(bench.flags("C", "bar:1m", MINUTE), 0);
});

test("after a new connection a symbol is complete, however late its next trade is", () => {
  const bench = new Bench();
  bench.builder.connected(START);
  bench.trade("A", MINUTE, { at: MINUTE });
  bench.builder.lost(undefined, bench.now);
  bench.builder.connected(START + 65 * SECOND);
  bench.trade("B", 66 * SECOND, { at: 66 * SECOND });
  bench.trade("A", 10 * MINUTE + SECOND, { at: 10 * MINUTE + SECOND });
  assert.equal(bench.flags("A", "bar:1m", MINUTE), PARTIAL_BAR);
  assert.equal(bench.flags("B", "bar:1m", MINUTE), PARTIAL_BAR);
  assert.equal(bench.flags("A", "bar:1m", 10 * MINUTE), 0);
});

test("a trade of before a loss that comes after it does not make what was lost complete", () => {
  const bench = new Bench();
  bench.builder.connected(START - MINUTE);
  bench.trade("A", 100_000, { at: 110_000 });
  bench.pass(9 * SECOND);
  bench.now = START + 10_300_000;
  bench.builder.lost(["A"], bench.now);
  bench.trade("A", 9_900_000, { at: 10_700_000 });
  bench.trade("A", 10_950_000, { at: 10_970_000 });
  assert.equal(bench.flags("A", "bar:1s", 10 * SECOND), PARTIAL_BAR);
});

test("a bar older than all that are kept is left out, and changes nothing", () => {
  const bench = new Bench(4);
  for (let second = 1; second < 8; second++) bench.trade("A", second * SECOND, { at: second * SECOND });
  const table = bench.tables.get("bar:1s") as PublisherTable<BarPayload>;
  const seq = table.seq[0];
  bench.trade("A", 3 * SECOND, { at: 8 * SECOND });
  assert.deepEqual(
    [...bench.bars("A", "bar:1s").keys()].map((start) => start / SECOND),
    [4, 5, 6, 7],
  );
  assert.equal(table.seq[0], seq);
  assert.equal(bench.builder.trade("B", 1, 1, START, START), true);
});

test("a symbol for which there is no room is refused", () => {
  const bench = new Bench(10, 1);
  assert.equal(bench.builder.trade("A", 1, 1, START, START), true);
  assert.equal(bench.builder.trade("B", 1, 1, START, START), false);
});

/** A source: its clock is ahead of ours by {@link offset}, microseconds. */
const source = fc.record({
  offset: fc.constantFrom(0, 0, 400_000, -300_000, -3 * DAY),
  events: fc.array(
    fc.record({
      kind: fc.constantFrom<("trade" | "connected" | "lost" | "all lost")[]>(
        ...(["trade", "trade", "trade", "trade", "trade", "trade", "trade", "trade", "lost", "all lost"] as const),
        "connected",
      ),
      symbol: fc.constantFrom("A", "A", "A", "B"),
      /** Since the event before, and on its way to us, ms. */
      pause: fc.constantFrom(0, 0, 1, 50, 300, 900, 4_000, 31_000, 130_000),
      latency: fc.constantFrom(5, 5, 20, 150, 450, 450, 2_500),
      price: fc.integer({ min: 90, max: 110 }),
      cents: fc.integer({ min: 1, max: 500 }),
    }),
    { minLength: 1, maxLength: 60, size: "max" },
  ),
});

/** How long the fastest trade is on its way, and how long it takes until a subscription has an effect. */
const FASTEST = 5_000;
const SUBSCRIBING = 200_000;

/** By the source's time; of all symbols where none is named. */
interface Loss {
  readonly from: number;
  to: number;
  readonly symbol?: string;
}

interface Traded {
  readonly time: number;
  readonly price: number;
  readonly cents: number;
}

/** What a bar must be, from the trades in the order of their arrival. */
function expected(trades: readonly Traded[]): number[] {
  const sorted = trades
    .map((trade, order) => ({ ...trade, order }))
    .sort((a, b) => a.time - b.time || a.order - b.order);
  const prices = trades.map(({ price }) => price);
  const cents = trades.reduce((sum, trade) => sum + trade.cents, 0);
  return [
    sorted[0].price,
    Math.max(...prices),
    Math.min(...prices),
    sorted[sorted.length - 1].price,
    cents / 100,
    trades.length,
  ];
}

test("whatever arrives in whatever order, bars are those of the trades, closed once, and partial where trades may be missing", () => {
  fc.assert(
    fc.property(source, ({ offset, events }) => {
      const bench = new Bench();
      const { builder } = bench;
      // By arrival; the time of an event that is none of the source's is ours.
      let clock = 0;
      const arrivals = events
        .map(({ pause, latency, ...event }) => {
          clock += pause * 1_000;
          return { ...event, at: event.kind === "trade" ? clock + latency * 1_000 : clock, time: clock + offset };
        })
        .sort((a, b) => a.at - b.at);
      const trades = new Map<string, Traded[]>();
      /** When a bar was first seen closed, by the latest time that the source can have; and what came afterwards. */
      const closed = new Set<string>();
      const corrected = new Set<string>();
      const leads: { at: number; lead: number }[] = [];
      /** By the source's time: of a symbol, or all. */
      const losses: Loss[] = [{ from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }];
      const known = new Set<string>();
      let subscribedFrom = Number.NEGATIVE_INFINITY;
      const lose = (time: number, symbol?: string) =>
        losses.push({ from: time, to: Number.POSITIVE_INFINITY, ...(symbol && { symbol }) });
      const look = (trade?: { symbol: string; time: number }) => {
        const lead = Math.max(...leads.map((each) => each.lead));
        const recent = Math.max(...leads.filter(({ at }) => bench.now - at <= MINUTE).map((each) => each.lead));
        for (const [name, length] of Object.entries(LENGTHS))
          for (const symbol of ["A", "B"])
            for (const [start, bar] of bench.bars(symbol, name as BarMarketName)) {
              const key = `${name} ${symbol} ${start}`;
              const isClosed = (bar[6] & CLOSED_BAR) > 0;
              const isTraded = trade?.symbol === symbol && Math.floor(trade.time / length) * length === start;
              if (isTraded && (closed.has(key) || isClosed)) corrected.add(key);
              assert.equal((bar[6] & CORRECTED_BAR) > 0, corrected.has(key), `${key}: corrected`);
              if (!isClosed) assert.ok(!closed.has(key), `${key}: open again`);
              else if (!closed.has(key))
                assert.ok(start + length + GRACE <= bench.now - START + lead, `${key}: closed too early`);
              if (!isClosed && !trade) {
                assert.ok(!(start + length + GRACE <= bench.now - START + recent), `${key}: not closed`);
              }
              if (isClosed) closed.add(key);
            }
      };
      for (const { kind, symbol, at, time, price, cents } of arrivals) {
        const millis = 100_000;
        for (
          let next = Math.ceil((bench.now - START + 1) / millis) * millis;
          next < at && leads.length > 0;
          next += millis
        ) {
          bench.now = START + next;
          // Nothing happens in a long pause but that it ends.
          if (next > MINUTE * 2 + millis && at - next > MINUTE * 2) continue;
          builder.closeDue(bench.now);
          look();
        }
        bench.now = START + at;
        if (kind === "trade") {
          if (time < subscribedFrom) continue;
          builder.trade(symbol, price, cents / 100, START + time, bench.now);
          leads.push({ at: bench.now, lead: Math.min(time - at, SECOND) });
          for (const [name, length] of Object.entries(LENGTHS)) {
            const key = `${name} ${symbol} ${Math.floor(time / length) * length}`;
            trades.set(key, [...(trades.get(key) ?? []), { time, price, cents }]);
          }
          for (const loss of losses)
            if (loss.to === Number.POSITIVE_INFINITY && (loss.symbol ?? symbol) === symbol) loss.to = time;
          known.add(symbol);
          look({ symbol, time });
        } else if (kind === "lost") {
          builder.lost([symbol], bench.now);
          lose(at + offset - FASTEST, symbol);
        } else {
          builder.lost(undefined, bench.now);
          for (const each of known) lose(at + offset - FASTEST, each);
          // Of symbols that nobody has heard of, all are lost until any trade comes.
          lose(at + offset - FASTEST);
          if (kind === "all lost") continue;
          builder.connected(bench.now);
          subscribedFrom = at + offset + SUBSCRIBING;
          for (const loss of losses) loss.to = Math.min(loss.to, subscribedFrom);
        }
      }
      bench.pass(0);
      for (const [name, length] of Object.entries(LENGTHS))
        for (const symbol of ["A", "B"]) {
          const bars = bench.bars(symbol, name as BarMarketName);
          const keys = [...trades.keys()].filter((key) => key.startsWith(`${name} ${symbol} `));
          assert.deepEqual(new Set([...bars.keys()].map((start) => `${name} ${symbol} ${start}`)), new Set(keys));
          for (const [start, bar] of bars) {
            const key = `${name} ${symbol} ${start}`;
            assert.deepEqual(bar.slice(0, 6), expected(trades.get(key) as Traded[]), key);
            const touching = (margin: number) =>
              losses.some(
                (loss) =>
                  (loss.symbol ?? symbol) === symbol &&
                  loss.to - loss.from > -margin &&
                  loss.to > start - margin &&
                  loss.from < start + length + margin,
              );
            const isPartial = (bar[6] & PARTIAL_BAR) > 0;
            if (!isPartial) assert.ok(!touching(0), `${key}: complete though trades may be missing`);
            // What is on its way when the source is lost, or connected.
            else assert.ok(touching(14 * SECOND), `${key}: partial without a reason`);
          }
        }
    }),
    { numRuns: 300 },
  );
});

test("the numbers of a row count its changes by one, several of one call too", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(10_000), { minLength: 1, maxLength: 40, size: "max" }), (millis) => {
      const bench = new Bench();
      const times = millis.map((time) => time * 1_000).sort((a, b) => a - b);
      for (const time of times) bench.trade("A", time, { at: time });
      bench.pass(MINUTE * 2);
      for (const [name, table] of bench.tables) {
        const { newest, seq } = table.payload.seriesOf(0);
        assert.equal(table.seq[0], times.length + bench.bars("A", name).size, name);
        assert.equal(seq[newest], table.seq[0]);
        const record = new BarRecord();
        table.read(0, record);
        assert.equal(record.seq, table.seq[0]);
      }
    }),
  );
});

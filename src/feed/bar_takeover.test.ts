/** How a publisher's bars are taken over by another one: of both, and of the store, the right bars come out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LIVE } from "../base/tick.ts";
import { BarPayload } from "../market/bar/bar_payload.ts";
import { BarRecord } from "../market/bar/bar_record.ts";
import { CLOSED_BAR, PARTIAL_BAR } from "../market/bar/bar_series.ts";
import { PublisherTable } from "../market/publisher_table.ts";
import { BarBuilder } from "./bar_builder.ts";

const SECOND = 1_000_000;
const START = 1_700_000_000 * SECOND;

interface Traded {
  readonly time: number;
  readonly at: number;
  readonly price: number;
  readonly size: number;
}

/** A publisher of bars of one second of the symbol A. */
class Leader {
  readonly table: PublisherTable<BarPayload>;
  readonly builder: BarBuilder;
  /** What it has written, by start. */
  #written = 0;

  constructor(connectedAt: number, barsPerSymbol = 1_000) {
    this.table = new PublisherTable(10, new BarPayload({ barsPerSymbol, maxBars: 1_000_000 }, true));
    this.builder = new BarBuilder(new Map([["bar:1s", this.table]]), () => {});
    this.builder.connected(START + connectedAt);
  }

  trade({ time, at, price, size }: Traded): void {
    this.builder.trade("A", price, size, START + time, START + at);
  }

  /** Writes what has changed, as a shard writer does. */
  write(store: Map<number, BarRecord>): void {
    if (this.table.rows === 0) return;
    for (let back = this.table.payload.countSince(0, this.#written) - 1; back >= 0; back--) {
      const record = new BarRecord();
      this.table.read(0, record, back);
      store.set(record.start, record);
    }
    this.#written = this.table.seq[0];
    for (const start of this.table.payload.takeDropped(0)) store.delete(start);
  }

  /** @returns whether there is something to write */
  takeOver(records: readonly BarRecord[], between: (index: number) => void): boolean {
    this.table.beginTakeover();
    for (const [index, record] of records.entries()) {
      this.table.adopt(record);
      this.#written = Math.max(this.#written, record.seq);
      between(index);
    }
    return records.length > 0 ? this.table.finishTakeover(0) : this.table.rows > 0;
  }

  get bars(): Map<number, BarRecord> {
    const bars = new Map<number, BarRecord>();
    if (this.table.rows === 0) return bars;
    const series = this.table.payload.seriesOf(0);
    for (let index = series.from; index < series.end; index++) {
      const record = new BarRecord();
      const { start, seq, open, high, low, close, volume, trades, flags } = series;
      Object.assign(record, { start: start[index], seq: seq[index], open: open[index], high: high[index] });
      Object.assign(record, { low: low[index], close: close[index], volume: volume[index], trades: trades[index] });
      bars.set(start[index], Object.assign(record, { flags: flags[index] }));
    }
    return bars;
  }
}

const said = ({ open, high, low, close, volume, trades, flags }: BarRecord) =>
  [open, high, low, close, volume, trades, flags] as const;

function truth(trades: readonly Traded[]): number[] {
  const sorted = [...trades].sort((a, b) => a.time - b.time || a.at - b.at);
  const prices = trades.map(({ price }) => price);
  const volume = trades.reduce((sum, { size }) => sum + size, 0);
  return [
    sorted[0].price,
    Math.max(...prices),
    Math.min(...prices),
    sorted[sorted.length - 1].price,
    volume,
    trades.length,
  ];
}

const history = fc.record({
  trades: fc.array(
    fc.record({
      pause: fc.constantFrom(0, 20, 150, 400, 900, 2_500),
      /** Later ones than the half second that a bar is open for would correct it. */
      latency: fc.constantFrom(5, 5, 30, 300),
      price: fc.integer({ min: 90, max: 110 }),
      size: fc.integer({ min: 1, max: 50 }),
    }),
    { minLength: 1, maxLength: 60, size: "max" },
  ),
  /** Parts of the time: when each connects, when the old one writes last and dies, and the new one takes over. */
  old: fc.double({ min: -0.1, max: 0.5, noNaN: true }),
  end: fc.double({ min: 0.3, max: 1, noNaN: true }),
  connect: fc.double({ min: -0.3, max: 1.2, noNaN: true }),
  takeover: fc.double({ min: 0, max: 0.3, noNaN: true }),
  /** How many records a first try reads, before Redis is away. */
  tried: fc.constantFrom(0, 0, 1, 5),
  isEmptied: fc.constantFrom(false, false, false, true),
  order: fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
});

test("no bar is lost, none counted twice, none wrong without its flag; what differs from the store, and only that, is written", () => {
  fc.assert(
    fc.property(history, ({ trades: drawn, old, end, connect, takeover, tried, isEmptied, order }) => {
      let clock = 0;
      const trades = drawn
        .map(({ pause, latency, price, size }): Traded => {
          clock += pause * 1_000;
          return { time: clock, at: clock + latency * 1_000, price, size };
        })
        .sort((a, b) => a.at - b.at);
      const length = clock + SECOND;
      const [oldFrom, oldEnd, newFrom] = [old * length, end * length, connect * length];
      const takeoverAt = Math.max(oldEnd, newFrom) + takeover * length;
      const before = new Leader(oldFrom);
      const after = new Leader(newFrom);
      const store = new Map<number, BarRecord>();
      const heard = { old: new Set<Traded>(), new: new Set<Traded>() };
      let next = 0;
      const run = (until: number) => {
        for (; next < trades.length && trades[next].at <= until; next++) {
          const trade = trades[next];
          // What an exchange sends is what happens from the connection on.
          if (trade.time >= oldFrom && trade.at < oldEnd) {
            before.trade(trade);
            heard.old.add(trade);
          }
          if (trade.time >= newFrom) {
            after.trade(trade);
            heard.new.add(trade);
          }
        }
      };
      for (let at = 0; at < takeoverAt; at += 100_000) {
        run(at);
        if (at < oldEnd) {
          before.builder.closeDue(START + at);
          before.write(store);
        }
        if (at >= newFrom) after.builder.closeDue(START + at);
      }
      // What the old one has not written is lost.
      if (isEmptied) store.clear();
      const stored = new Map([...store].map(([start, record]) => [start, Object.assign(new BarRecord(), record)]));
      const shuffled = [...stored.values()]
        .map((record) => ({ record, key: order.next().value as number }))
        .sort((a, b) => a.key - b.key)
        .map(({ record }) => Object.assign(new BarRecord(), record));
      after.table.beginTakeover();
      for (const record of shuffled.slice(0, tried)) after.table.adopt(record);
      // Trades come while the store is read.
      const isDifferent = after.takeOver(shuffled, (index) => run(takeoverAt + index * 20_000));
      const largest = Math.max(0, ...[...stored.values()].map(({ seq }) => seq));
      const { bars } = after;

      const startOf = (time: number) => START + Math.floor(time / SECOND) * SECOND;
      for (const start of [...stored.keys(), ...[...heard.new].map(({ time }) => startOf(time))])
        assert.ok(bars.has(start), `${start - START} is lost`);
      let differing = 0;
      for (const [start, bar] of bars) {
        const all = trades.filter((trade) => startOf(trade.time) === start && trade.at <= trades[next - 1].at);
        const own = all.filter((trade) => heard.new.has(trade));
        const right = truth(all);
        const name = `${start - START}`;
        if ((bar.flags & PARTIAL_BAR) === 0) assert.deepEqual(said(bar).slice(0, 6), right, `${name} is wrong`);
        assert.ok(bar.trades <= all.length && bar.volume <= right[4], `${name} counts trades twice`);
        assert.ok(bar.high <= right[1] && bar.low >= right[2], `${name}: high or low`);
        const had = stored.get(start);
        assert.ok(bar.trades >= Math.max(own.length, had?.trades ?? 0), `${name} has lost trades`);
        if (had && `${said(had)}` === `${said(bar)}`) {
          assert.equal(bar.seq, had.seq, `${name} is as in the store`);
        } else {
          differing++;
          assert.ok(bar.seq > largest, `${name} has the number ${bar.seq} after ${largest}`);
        }
      }
      const numbers = [...bars.values()].map(({ seq }) => seq).filter((seq) => seq > largest);
      assert.equal(new Set(numbers).size, differing, "each has a number of its own");
      if (bars.size === 0) return;
      if (stored.size > 0) assert.equal(after.table.seq[0], largest + differing, "numbers continue");
      if (differing > 0) assert.ok(isDifferent);
      else assert.equal(isDifferent, after.table.state[0] !== LIVE, "only the state");

      // The store is as the table, and later trades count once.
      after.write(store);
      for (const [start, bar] of after.bars) assert.deepEqual(said(store.get(start) as BarRecord), said(bar));
      run(Number.POSITIVE_INFINITY);
      after.builder.closeDue(START + length + 5 * SECOND);
      after.write(store);
      for (const [start, bar] of after.bars) {
        assert.deepEqual(said(store.get(start) as BarRecord), said(bar));
        const all = trades.filter((trade) => startOf(trade.time) === start);
        if ((bar.flags & PARTIAL_BAR) === 0) assert.deepEqual(said(bar).slice(0, 6), truth(all), `${start - START}`);
        assert.ok(bar.trades <= all.length, `${start - START} counts trades twice`);
        const isHeard = all.some((trade) => heard.new.has(trade));
        if (isHeard) assert.ok((bar.flags & CLOSED_BAR) > 0, `${start - START} is closed`);
      }
    }),
    { numRuns: 300 },
  );
});

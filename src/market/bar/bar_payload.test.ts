import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type BarChange, BarPayload } from "./bar_payload.ts";
import { BarRecord } from "./bar_record.ts";
import { CLOSED_BAR, CORRECTED_BAR, PARTIAL_BAR } from "./bar_series.ts";

const SECOND = 1_000_000;

/** A bar of the model. */
interface Bar {
  start: number;
  values: number[];
  flags: number;
  seq: number;
  /** `[time, price]`, in the order of their arrival. */
  trades: [number, number][];
}

/** What a payload must hold of one row: a plain array, sorted by start. */
class Model {
  bars: Bar[] = [];
  dropped: number[] = [];
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** @returns undefined where it is older than all that are kept */
  at(start: number): Bar | undefined {
    const found = this.bars.find((bar) => bar.start === start);
    if (found) return found;
    if (this.bars.length >= this.#most) {
      if (start < this.bars[0].start) return undefined;
      const { start: oldest } = this.bars.shift() as Bar;
      // The store has no more than are kept.
      if (this.dropped.length < this.#most) this.dropped.push(oldest);
    }
    const bar = { start, values: [], flags: 0, seq: 0, trades: [] };
    this.bars = [...this.bars, bar].sort((a, b) => a.start - b.start);
    return bar;
  }

  takeDropped(): number[] {
    return this.dropped.splice(0);
  }

  changedSince(seq: number): number[] {
    const changed = this.bars.filter((bar) => bar.seq > seq).sort((a, b) => a.seq - b.seq);
    return changed.map(({ start }) => start);
  }
}

const change = (part: Partial<BarChange>): BarChange => ({ start: 0, price: 0, size: 0, flags: 0, ...part });

function recordOf({ start, seq, flags, values }: Pick<Bar, "start" | "seq" | "flags" | "values">): BarRecord {
  const [open, high, low, close, volume, trades] = values;
  return Object.assign(new BarRecord(), { start, seq, flags, open, high, low, close, volume, trades });
}

function valuesOf({ open, high, low, close, volume, trades }: BarRecord): number[] {
  return [open, high, low, close, volume, trades];
}

/** Compares a row with the model, the past as well as what has changed since some numbers. */
function compare(payload: BarPayload, row: number, model: Model, seq: number, since: readonly number[]): void {
  const series = payload.seriesOf(row);
  const { from, end, start } = series;
  assert.deepEqual(
    Array.from(start.subarray(from, end)),
    model.bars.map((bar) => bar.start),
  );
  for (const [index, bar] of model.bars.entries()) {
    const at = from + index;
    assert.equal(series.seq[at], bar.seq, `number of ${bar.start}`);
    assert.ok(series.equals(at, recordOf(bar)), `${bar.start}`);
    assert.equal(series.find(bar.start), at);
    assert.equal(payload.has(row, bar.start), true);
  }
  const forming = model.bars.find(({ flags }) => (flags & CLOSED_BAR) === 0);
  assert.equal(series.formingFrom, forming?.start ?? Number.POSITIVE_INFINITY, "formingFrom");
  const last = model.bars.reduce<Bar | undefined>((a, b) => (a && a.seq >= b.seq ? a : b), undefined);
  if (last) assert.equal(start[series.newest], last.start, "newest");
  else assert.equal(series.newest, -1);
  const changed: number[] = [];
  for (const number of [...since, 0, seq]) {
    series.changedSince(number, changed);
    assert.deepEqual(
      changed.map((index) => start[index]),
      model.changedSince(number),
      `since ${number}`,
    );
    // As a writer reads them: the last one is the newest.
    const count = payload.countSince(row, number);
    const record = new BarRecord();
    const read = Array.from({ length: count }, (_, index) => {
      record.seq = seq;
      payload.read(row, record, count - 1 - index);
      return record.start;
    });
    if (model.bars.length > 0 && changed.length > 0) assert.deepEqual(read, model.changedSince(number));
  }
}

const limits = fc.record({
  barsPerSymbol: fc.constantFrom(1, 2, 5, 16, 20, 33, 1_000),
  maxBars: fc.constantFrom(100_000),
});

const merges = fc.array(
  fc.record({
    kind: fc.constantFrom("trade" as const, "trade" as const, "trade" as const, "close" as const),
    /** Most are of the newest bars. */
    bar: fc.oneof(fc.integer({ min: -3, max: 2 }), fc.integer({ min: -60, max: 3 })),
    time: fc.nat(9),
    price: fc.integer({ min: 1, max: 9 }),
    tenths: fc.integer({ min: 1, max: 30 }),
  }),
  { maxLength: 150, size: "max" },
);

test("trades in any order make the bars of a plain model", () => {
  fc.assert(
    fc.property(limits, merges, fc.array(fc.nat(150), { maxLength: 4 }), (bounds, steps, since) => {
      const payload = new BarPayload(bounds, true);
      payload.clear(2);
      const model = new Model(bounds.barsPerSymbol);
      let newest = 100;
      let seq = 0;
      for (const { kind, bar, time, price, tenths } of steps) {
        const start = (newest + bar) * SECOND;
        const known = model.bars.find((each) => each.start === start);
        if (kind === "close") {
          if (!known || (known.flags & CLOSED_BAR) > 0) continue;
          known.flags |= CLOSED_BAR;
          known.seq = ++seq;
          payload.merge(2, change({ start, flags: CLOSED_BAR }), seq, 0);
        } else {
          assert.equal(
            payload.accepts(2, start),
            known !== undefined || isAccepted(model, start, bounds.barsPerSymbol),
          );
          if (!payload.accepts(2, start)) continue;
          newest = Math.max(newest, newest + bar);
          const each = model.at(start) as Bar;
          if ((each.flags & CLOSED_BAR) > 0) each.flags |= CORRECTED_BAR;
          each.trades.push([start + time, price]);
          const volume = Math.round(((each.values[4] ?? 0) + tenths / 10) * 10) / 10;
          each.values = [...ohlc(each.trades), volume, each.trades.length];
          each.seq = ++seq;
          payload.merge(2, change({ start, price, size: tenths / 10 }), seq, start + time);
        }
        compare(payload, 2, model, seq, since);
        if (seq % 7 === 0) assert.deepEqual(payload.takeDropped(2), model.takeDropped());
      }
      assert.deepEqual(payload.takeDropped(2), model.takeDropped());
      assert.deepEqual(payload.takeDropped(2), []);
    }),
  );
});

function isAccepted(model: Model, start: number, most: number): boolean {
  return model.bars.length < most || start >= model.bars[0].start;
}

function ohlc(trades: readonly [number, number][]): number[] {
  const sorted = [...trades].sort(([a], [b]) => a - b);
  const prices = trades.map(([, price]) => price);
  return [sorted[0][1], Math.max(...prices), Math.min(...prices), sorted[sorted.length - 1][1]];
}

const records = fc.array(
  fc.record({
    kind: fc.constantFrom("newer" as const, "newer" as const, "newer" as const, "older" as const),
    bar: fc.oneof(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -40, max: 3 })),
    jump: fc.integer({ min: 1, max: 5 }),
    flags: fc.constantFrom(0, CLOSED_BAR, CLOSED_BAR, CLOSED_BAR | CORRECTED_BAR),
    value: fc.integer({ min: 1, max: 1_000 }),
  }),
  { maxLength: 100, size: "max" },
);

test("records of the bus, newer ones and older ones, make the bars of a plain model", () => {
  fc.assert(
    fc.property(limits, records, fc.array(fc.nat(300), { maxLength: 4 }), (bounds, steps, since) => {
      const payload = new BarPayload(bounds);
      payload.clear(0);
      const model = new Model(bounds.barsPerSymbol);
      let newest = 100;
      let seq = 10;
      const used = new Set<number>();
      for (const { kind, bar, jump, flags, value } of steps) {
        const start = (newest + bar) * SECOND;
        const isNewer = kind === "newer" || model.bars.length === 0;
        const number = isNewer ? seq + jump : seq - jump;
        // Each number is that of one change.
        if (used.has(number) || number < 1) continue;
        const values = [value, value + 1, value - 1, value, value, 1];
        const record = recordOf({ start, seq: number, flags, values });
        const known = model.bars.find((each) => each.start === start);
        const isNews = !isNewer && !(known && known.seq >= number);
        const each = isNewer || isNews ? model.at(start) : undefined;
        if (isNewer) payload.write(0, record);
        else assert.equal(payload.writeOlder(0, record), each !== undefined, `${start} ${number}`);
        if (each) {
          Object.assign(each, { values, flags, seq: number });
          newest = Math.max(newest, start / SECOND);
          used.add(number);
        }
        if (isNewer) seq = number;
        // The row's number may be that of a bar that was not kept.
        compare(payload, 0, model, seq, since);
      }
      assert.deepEqual(payload.takeDropped(0), [], "not noted");
    }),
  );
});

test("numbers that go back begin anew: what was there before has no number", () => {
  const payload = new BarPayload({ barsPerSymbol: 10, maxBars: 1_000 });
  payload.clear(0);
  const values = [1, 1, 1, 1, 1, 1];
  for (let bar = 1; bar <= 5; bar++) payload.write(0, recordOf({ start: bar, seq: 100 + bar, flags: 1, values }));
  payload.write(0, recordOf({ start: 3, seq: 7, flags: 1, values }));
  payload.write(0, recordOf({ start: 6, seq: 8, flags: 0, values }));
  const changed: number[] = [];
  const { start, seq } = payload.seriesOf(0);
  payload.seriesOf(0).changedSince(0, changed);
  assert.deepEqual(
    changed.map((index) => start[index]),
    [3, 6],
  );
  payload.seriesOf(0).changedSince(-1, changed);
  assert.deepEqual(
    changed.map((index) => [start[index], seq[index]]),
    [
      [1, 0],
      [2, 0],
      [4, 0],
      [5, 0],
      [3, 7],
      [6, 8],
    ],
  );
});

test("with many symbols the bars of all together are limited, and each symbol keeps its newest", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 16, max: 400 }),
      fc.constantFrom(10, 50, 1_000),
      fc.array(fc.tuple(fc.nat(4), fc.integer({ min: -40, max: 5 })), { maxLength: 600, size: "max" }),
      (maxBars, barsPerSymbol, steps) => {
        const payload = new BarPayload({ barsPerSymbol, maxBars }, true);
        for (let row = 0; row < 5; row++) payload.clear(row);
        const made = Array.from({ length: 5 }, () => new Set<number>());
        const dropped = Array.from({ length: 5 }, () => new Set<number>());
        const newest = [100, 100, 100, 100, 100];
        let seq = 0;
        for (const [row, bar] of steps) {
          const start = newest[row] + bar;
          newest[row] = Math.max(newest[row], start);
          const before = payload.seriesOf(row).count;
          if (!payload.accepts(row, start)) continue;
          payload.merge(row, change({ start, price: 1, size: 1 }), ++seq, start);
          const series = payload.seriesOf(row);
          const gone = payload.takeDropped(row);
          if (series.find(start) >= 0) {
            made[row].add(start);
            dropped[row].delete(start);
            assert.equal(series.start[series.newest], start);
          } else {
            assert.deepEqual(gone, [], "nothing is dropped for a bar that is not kept");
            assert.equal(series.count, before);
          }
          for (const each of gone) {
            assert.ok(made[row].delete(each), `${each} was there`);
            dropped[row].add(each);
          }
          assert.deepEqual(
            Array.from(series.start.subarray(series.from, series.end)),
            [...made[row]].sort((a, b) => a - b),
          );
        }
        const capacities = [0, 1, 2, 3, 4].map((row) => payload.seriesOf(row).capacity);
        // Each symbol has room for 16 at least.
        assert.ok(capacities.reduce((a, b) => a + b) <= Math.max(maxBars, 5 * 16), `${capacities}`);
      },
    ),
  );
});

test("a row that another symbol gets holds nothing", () => {
  const payload = new BarPayload({ barsPerSymbol: 10, maxBars: 1_000 }, true);
  payload.clear(0);
  payload.merge(0, change({ start: 5, price: 1, size: 1 }), 1, 5);
  payload.clear(0);
  assert.equal(payload.seriesOf(0).count, 0);
  assert.deepEqual(payload.takeDropped(0), []);
  const record = new BarRecord();
  payload.read(0, record, 0);
  assert.deepEqual(valuesOf(record), [0, 0, 0, 0, 0, 0]);
});

/** A bar of a publisher that has led before. */
function stored(bar: number, part: Partial<BarRecord> = {}): BarRecord {
  const values = [1, 2, 1, 2, 5, 5];
  const record = recordOf({ start: bar * SECOND, seq: bar, flags: CLOSED_BAR, values });
  return Object.assign(record, { eventTime: bar * SECOND + 900, ...part });
}

test("what a standby drops is not noted without end; at its takeover the store drops what it does not keep", () => {
  const payload = new BarPayload({ barsPerSymbol: 5, maxBars: 1_000 }, true);
  payload.clear(0);
  for (let bar = 100; bar < 1_000; bar++)
    payload.merge(0, change({ start: bar * SECOND, price: 1, size: 1 }), bar, bar * SECOND);
  assert.equal(payload.seriesOf(0).dropped.length, 5);
  payload.takeover.begin();
  for (const bar of [997, 993, 994, 996]) payload.takeover.adopt(0, stored(bar));
  payload.takeover.finish(0, 1, 0, "");
  assert.deepEqual(payload.takeDropped(0), [993 * SECOND, 994 * SECOND]);
});

test("a late trade does not become the open of a bar that was taken over whole", () => {
  const payload = new BarPayload({ barsPerSymbol: 5, maxBars: 1_000 }, true);
  payload.clear(0);
  payload.merge(0, change({ start: SECOND, price: 9, size: 1, flags: PARTIAL_BAR }), 1, SECOND + 700);
  payload.takeover.begin();
  payload.takeover.adopt(0, stored(1));
  payload.takeover.finish(0, 1, 0, "");
  payload.merge(0, change({ start: SECOND, price: 3, size: 1 }), 2, SECOND + 500);
  const series = payload.seriesOf(0);
  assert.deepEqual([series.open[0], series.high[0], series.close[0], series.trades[0]], [1, 3, 2, 6]);
  assert.equal(series.flags[0], CLOSED_BAR | CORRECTED_BAR);
});

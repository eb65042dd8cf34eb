import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SessionBench } from "../../../test/support/session_bench.ts";
import { LIVE, STALE } from "../../base/tick.ts";
import { MemoryBus } from "../../bus/memory.ts";
import { BarPayload } from "../../market/bar/bar_payload.ts";
import { BarRecord } from "../../market/bar/bar_record.ts";
import { CLOSED_BAR, CORRECTED_BAR, PARTIAL_BAR } from "../../market/bar/bar_series.ts";
import type { BusRecord } from "../../market/bus_record.ts";
import { GatewayTable } from "../../market/gateway_table.ts";
import { type BarMarketName, barLength } from "../../market/market_name.ts";
import { Ingest } from "../ingest.ts";
import { LongerBars } from "./longer_bars.ts";
import { MinuteBars } from "./minute_bars.ts";

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
/** Midnight. */
const START = 1_699_920_000 * SECOND;
const NAMES = ["bar:5m", "bar:15m", "bar:1h", "bar:1d"] as const;

/** Applies records to a table, as the gateway does. */
function applyTo(table: GatewayTable<BarPayload>, seen: BarRecord[], now: () => number) {
  return {
    record(record: BusRecord): number {
      seen.push(Object.assign(new BarRecord(), record));
      table.apply(record, now());
      return table.rowOf(record.symbol);
    },
    batchEnd() {},
    silent() {},
    speaking() {},
  };
}

function setUp({ minuteBars = 10_000, names = NAMES as readonly BarMarketName[] } = {}) {
  let now = START;
  const createTable = (barsPerSymbol: number) =>
    new GatewayTable(10, new BarPayload({ barsPerSymbol, maxBars: 1_000_000 }));
  const table = createTable(minuteBars);
  const minutes = new MinuteBars(
    applyTo(table, [], () => now),
    table,
  );
  const bus = new MemoryBus();
  const longer = new Map(
    names.map((name) => {
      const own = createTable(Math.ceil(minuteBars / (barLength(name) / MINUTE)) + 1);
      const seen: BarRecord[] = [];
      const bars = new LongerBars({ minutes: { table, bus }, minuteBars, table: own, length: barLength(name) });
      minutes.observe(bars);
      const start = () => bars.start(applyTo(own, seen, () => now));
      return [name, { bars, table: own, seen, start }];
    }),
  );
  let seq = 0;
  const made = new Map<number, BarRecord>();
  return {
    table,
    longer,
    made,
    get now() {
      return now;
    },
    pass(micros: number): void {
      now += micros;
      for (const { bars } of longer.values()) bars.closeDue(now);
    },
    /** A bar of one minute, as it is now. */
    minute(minute: number, part: Partial<BarRecord> = {}): BarRecord {
      const record = Object.assign(new BarRecord(), { symbol: "A", epoch: 1, seq: ++seq, state: LIVE, flags: 0 });
      Object.assign(record, {
        start: START + minute * MINUTE,
        open: 1,
        high: 1,
        low: 1,
        close: 1,
        volume: 1,
        trades: 1,
      });
      Object.assign(record, { eventTime: now, since: now, receivedAt: now, sentAt: now }, part);
      return record;
    },
    send(records: readonly BarRecord[]): void {
      for (const record of records) {
        made.set(record.start, record);
        minutes.record(record);
      }
      minutes.batchEnd();
    },
    bars(name: BarMarketName): Map<number, number[]> {
      const own = longer.get(name)?.table as GatewayTable<BarPayload>;
      const row = own.rowOf("A");
      const bars = new Map<number, number[]>();
      if (row < 0) return bars;
      const { start, open, high, low, close, volume, trades, flags, from, end } = own.payload.seriesOf(row);
      for (let at = from; at < end; at++)
        bars.set(start[at], [open[at], high[at], low[at], close[at], volume[at], trades[at], flags[at]]);
      return bars;
    },
  };
}

/** The bars of a length made of those of one minute, without CLOSED and CORRECTED. */
function aggregated(minutes: Iterable<BarRecord>, length: number): Map<number, number[]> {
  const bars = new Map<number, number[]>();
  for (const bar of [...minutes].sort((a, b) => a.start - b.start)) {
    const start = Math.floor(bar.start / length) * length;
    const before = bars.get(start);
    const { open, high, low, close, volume, trades, flags } = bar;
    if (!before) bars.set(start, [open, high, low, close, volume, trades, flags & PARTIAL_BAR]);
    else
      bars.set(start, [
        before[0],
        Math.max(before[1], high),
        Math.min(before[2], low),
        close,
        Math.round((before[4] + volume) * 10) / 10,
        before[5] + trades,
        before[6] | (flags & PARTIAL_BAR),
      ]);
  }
  return bars;
}

const step = fc.record({
  /** Of the newest minute. */
  back: fc.oneof(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -400, max: 40 })),
  open: fc.integer({ min: 1, max: 100 }),
  close: fc.integer({ min: 1, max: 100 }),
  spread: fc.nat(10),
  tenths: fc.integer({ min: 1, max: 100 }),
  flags: fc.constantFrom(0, CLOSED_BAR, CLOSED_BAR, PARTIAL_BAR, CLOSED_BAR | CORRECTED_BAR),
  /** Whether more come with it in one batch, and whether the source's time goes on. */
  isLast: fc.boolean(),
  pause: fc.constantFrom(0, SECOND, MINUTE),
});

test("longer bars are those of the minutes, in any order and with corrections", () => {
  fc.assert(
    fc.property(fc.nat(60), fc.array(step, { minLength: 1, maxLength: 80, size: "max" }), (begun, steps) => {
      const bench = setUp();
      const { longer, made } = bench;
      let newest = 500;
      let batch: BarRecord[] = [];
      const closed = new Set<string>();
      const corrected = new Set<string>();
      const start = () => {
        for (const { start } of longer.values()) start();
      };
      const look = () => {
        for (const name of NAMES) {
          const length = barLength(name);
          const expected = aggregated(made.values(), length);
          const bars = bench.bars(name);
          assert.deepEqual(new Set(bars.keys()), new Set(expected.keys()), name);
          for (const [at, bar] of bars) {
            const [flags, key] = [bar[6], `${name} ${at}`];
            assert.deepEqual([...bar.slice(0, 6), flags & PARTIAL_BAR], expected.get(at), key);
            if ((flags & CLOSED_BAR) === 0) assert.ok(!closed.has(key), `${key} is open again`);
            else closed.add(key);
            if ((flags & CORRECTED_BAR) === 0) assert.ok(!corrected.has(key), `${key} was corrected`);
            else corrected.add(key);
            if (flags & CORRECTED_BAR) assert.ok(flags & CLOSED_BAR);
          }
        }
      };
      for (const [index, { back, open, close, spread, tenths, flags, isLast, pause }] of steps.entries()) {
        if (index === begun) {
          start();
          look();
        }
        bench.pass(pause);
        const minute = newest + back;
        newest = Math.max(newest, minute);
        const [high, low] = [Math.max(open, close) + spread, Math.min(open, close) - spread];
        const part = { open, close, high, low, volume: tenths / 10, trades: tenths, flags };
        batch.push(bench.minute(minute, part));
        if (!isLast) continue;
        bench.send(batch);
        batch = [];
        if (index >= begun) look();
      }
      bench.send(batch);
      if (steps.length <= begun) start();
      look();
      for (const { seen } of longer.values()) {
        // By one for each change.
        for (const [index, record] of seen.entries()) {
          if (index > 0) assert.ok(record.seq === seen[index - 1].seq + 1 || isSame(record, seen[index - 1]));
        }
      }
    }),
  );
});

function isSame(a: BarRecord, b: BarRecord): boolean {
  return a.seq === b.seq && a.start === b.start && a.close === b.close;
}

test("a bar is closed by time, two seconds after its end, where nothing follows", () => {
  const bench = setUp({ names: ["bar:5m"] });
  for (const { start } of bench.longer.values()) start();
  const flags = () => bench.bars("bar:5m").get(START)?.[6];
  bench.pass(65 * SECOND);
  bench.send([bench.minute(1)]);
  // Its publisher closes it half a second after its end; nothing else comes in the five minutes.
  bench.pass(55 * SECOND + 500_000);
  bench.send([bench.minute(1, { flags: CLOSED_BAR, eventTime: START + 65 * SECOND })]);
  assert.equal(flags(), 0);
  while (bench.now < START + 5 * MINUTE + 2 * SECOND - 250_000) bench.pass(250_000);
  assert.equal(flags(), 0);
  for (let count = 0; count < 5; count++) bench.pass(250_000);
  assert.equal(flags(), CLOSED_BAR, "closed");
  const { seen } = bench.longer.get("bar:5m") as { seen: BarRecord[] };
  const { length } = seen;
  bench.pass(MINUTE);
  assert.equal(seen.length, length, "once");
  bench.send([bench.minute(2, { flags: CLOSED_BAR | CORRECTED_BAR })]);
  assert.equal(flags(), CLOSED_BAR | CORRECTED_BAR);
});

test("a bar is closed with its last minute, or by time after a later one", () => {
  const bench = setUp({ names: ["bar:5m"] });
  for (const { start } of bench.longer.values()) start();
  bench.pass(4 * MINUTE + SECOND);
  bench.send([bench.minute(3), bench.minute(4)]);
  assert.equal(bench.bars("bar:5m").get(START)?.[6], 0);
  bench.send([bench.minute(4, { flags: CLOSED_BAR })]);
  assert.equal(bench.bars("bar:5m").get(START)?.[6], CLOSED_BAR);
  bench.pass(2 * MINUTE);
  bench.send([bench.minute(6)]);
  bench.pass(4 * MINUTE + SECOND);
  bench.send([bench.minute(10)]);
  bench.pass(SECOND);
  assert.deepEqual(
    [...bench.bars("bar:5m").values()].map((bar) => bar[6]),
    [CLOSED_BAR, CLOSED_BAR, 0],
  );
});

test("one that is not live is not closed by time", () => {
  const bench = setUp({ names: ["bar:5m"] });
  for (const { start } of bench.longer.values()) start();
  bench.send([bench.minute(1)]);
  bench.send([bench.minute(1, { seq: 1, state: STALE, reason: "cut" })]);
  bench.pass(20 * MINUTE);
  assert.equal(bench.bars("bar:5m").get(START)?.[6], 0);
});

test("the state of the minutes is that of the longer bars", () => {
  const bench = setUp({ names: ["bar:15m"] });
  const own = bench.longer.get("bar:15m") as { table: GatewayTable<BarPayload>; start(): void };
  bench.send([bench.minute(1, { state: STALE, reason: "cut" })]);
  own.start();
  assert.deepEqual([own.table.state[0], own.table.reasons[0]], [STALE, "cut"]);
  const same = bench.minute(1, { seq: 1, state: LIVE, reason: "" });
  bench.send([same]);
  assert.deepEqual([own.table.state[0], own.table.reasons[0]], [LIVE, ""]);
  const seq = own.table.seq[0];
  bench.send([Object.assign(new BarRecord(), same, { state: STALE, reason: "again" })]);
  assert.deepEqual([own.table.state[0], own.table.reasons[0], own.table.seq[0]], [STALE, "again", seq]);
  assert.deepEqual([...bench.bars("bar:15m").values()], [[1, 1, 1, 1, 1, 1, 0]]);
});

test("a bar of which minutes are not kept any more stays as it was, or is partial", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 10, maxLength: 200, size: "max" }),
      fc.nat(200),
      fc.array(fc.nat(30), { maxLength: 10 }),
      (gaps, begun, late) => {
        const bench = setUp({ minuteBars: 20 });
        let minute = 0;
        for (const [index, gap] of gaps.entries()) {
          if (index === begun) for (const { start } of bench.longer.values()) start();
          minute += gap;
          bench.pass(gap * MINUTE);
          bench.send([bench.minute(minute, { volume: index + 1, high: index + 2, flags: CLOSED_BAR })]);
        }
        if (begun >= gaps.length) for (const { start } of bench.longer.values()) start();
        // Late ones of before, which correct.
        for (const back of late) {
          const start = START + (minute - back) * MINUTE;
          const before = bench.made.get(start);
          const series = bench.table.payload.seriesOf(0);
          // One of before all that are kept is not heard of by the gateway.
          if (!before || start < series.start[series.from]) continue;
          bench.send([
            bench.minute(minute - back, { ...before, seq: bench.table.seq[0] + 1, volume: before.volume + 1 }),
          ]);
        }
        for (const name of NAMES) {
          const expected = aggregated(bench.made.values(), barLength(name));
          for (const [at, bar] of bench.bars(name)) {
            if ((bar[6] & PARTIAL_BAR) > 0) continue;
            assert.deepEqual(bar.slice(0, 6), expected.get(at)?.slice(0, 6), `${name} ${(at - START) / MINUTE}`);
          }
        }
      },
    ),
  );
});

test("bars of a symbol that rests are live again when its feed is heard", () => {
  for (const isEarly of [true, false]) {
    const bench = new SessionBench("tickgate.v1.json", { control() {}, frame() {} });
    const { markets, counts } = bench.context;
    const ingestOf = (name: BarMarketName) => {
      const { table, topics } = markets.of(name);
      return new Ingest(table, topics, counts, bench.clock);
    };
    const table = markets.of("bar:1m").table as GatewayTable<BarPayload>;
    const own = markets.of("bar:5m").table as GatewayTable<BarPayload>;
    const minutes = new MinuteBars(ingestOf("bar:1m"), table);
    const parts = { minutes: { table, bus: bench.bus }, minuteBars: 1_500, table: own, length: barLength("bar:5m") };
    const longer = new LongerBars(parts);
    minutes.observe(longer);
    const listener = ingestOf("bar:5m");
    if (isEarly) longer.start(listener);
    minutes.silent(0, 1);
    minutes.record(setUp().minute(1));
    minutes.batchEnd();
    if (!isEarly) longer.start(listener);
    assert.equal(own.state[0], STALE);
    minutes.speaking(0);
    assert.deepEqual([table.state[0], own.state[0], own.reasons[0]], [LIVE, LIVE, ""]);
    minutes.silent(0, 2);
    assert.deepEqual([table.state[0], own.state[0], own.reasons[0]], [STALE, STALE, table.reasons[0]]);
    minutes.speaking(0);
    assert.equal(own.state[0], LIVE);
  }
});

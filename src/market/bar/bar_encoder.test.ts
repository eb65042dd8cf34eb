/** What clients get of bars, whatever happens between a grant and their frames. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "@msgpack/msgpack";
import fc from "fast-check";
import { LIVE } from "../../base/tick.ts";
import { Frame } from "../../gateway/fanout/frame.ts";
import { createGatewayTable } from "../channels.ts";
import type { GatewayTable } from "../gateway_table.ts";
import { ENTRY_BYTES, setEntry, setEntryMark } from "../heap_layout.ts";
import type { BarPayload } from "./bar_payload.ts";
import { BarRecord } from "./bar_record.ts";
import { CLOSED_BAR } from "./bar_series.ts";

const SECOND = 1_000_000;
const FEED = { name: "f", clockSkew: () => 0, inboundAge: { sample() {} } };
const LIMITS = { rows: 10, secondBars: 60, minuteBars: 60, maxBars: 10_000, tradesPerSymbol: 10, maxTrades: 100 };

interface Got {
  readonly seq: number;
  readonly second: number;
  readonly trades: number;
  readonly flags: number;
}

/** A table with bars of one symbol, and a client of it. */
class Bench {
  readonly #table: GatewayTable<BarPayload>;
  readonly #encoder;
  readonly #frame: Frame;
  readonly #block: { entries: number };
  readonly row: number;
  #seq = 0;

  constructor() {
    const { table, createEncoder } = createGatewayTable("bar:1s", LIMITS);
    this.#table = table as unknown as GatewayTable<BarPayload>;
    this.#encoder = createEncoder(true, Uint8Array.of(0), true);
    this.#frame = new Frame(table.heap);
    this.#block = { entries: table.heap.alloc(ENTRY_BYTES) };
    this.row = table.add("A");
  }

  put(second: number, trades: number, flags = 0): void {
    const record = new BarRecord();
    Object.assign(record, { symbol: "A", stream: 0, seq: ++this.#seq, epoch: 1, state: LIVE, feed: FEED });
    Object.assign(record, {
      start: second * SECOND,
      open: 1,
      high: 2,
      low: 1,
      close: 2,
      volume: trades,
      trades,
      flags,
    });
    this.#table.applyAt(this.row, record, 1);
  }

  /** @returns how many past bars come first */
  grant(last: number): number {
    const mark = this.#encoder.firstMark(this.row, 0, last);
    const { i32, u32 } = this.#table.heap;
    setEntry(i32, this.#block.entries, 0, this.row);
    setEntryMark(u32, this.#block.entries, 0, mark);
    return this.#encoder.countBehind(this.row, mark);
  }

  flush(limit = 65_536): Got[] {
    const frame = this.#frame;
    frame.begin(this.#encoder.format, limit, 1e15);
    this.#encoder.copyChanged(this.#block, 0, 1, frame);
    if (frame.count === 0) return [];
    const [, ...ticks] = decode(frame.finish()) as [number, ...number[][]];
    return ticks.map(([, seq, start, , , , , , trades, flags]) => ({ seq, second: start / SECOND, trades, flags }));
  }

  get bars(): Omit<Got, "seq">[] {
    const { start, trades, flags, from, end } = this.#table.payload.seriesOf(this.row);
    const indices = Array.from({ length: end - from }, (_, index) => from + index);
    return indices.map((at) => ({ second: start[at] / SECOND, trades: trades[at], flags: flags[at] }));
  }
}

const shown = (got: readonly Got[]) =>
  got.map(({ seq, second, flags }) => `${second}${flags & CLOSED_BAR ? " closed" : ""} as ${seq}`);

test("bars that begin between the grant and the frame come behind the past ones, with numbers", () => {
  const bench = new Bench();
  bench.put(1, 1, CLOSED_BAR);
  bench.put(2, 1);
  assert.equal(bench.grant(300), 2);
  bench.put(3, 1);
  bench.put(2, 1, CLOSED_BAR);
  assert.deepEqual(shown(bench.flush()), ["1 closed as 0", "2 as 2", "3 as 3", "2 closed as 4"]);
  assert.deepEqual(bench.flush(), []);
});

test("all bars that begin after a grant have numbers", () => {
  const bench = new Bench();
  assert.equal(bench.grant(300), 0);
  for (const second of [1, 2, 3]) bench.put(second, 1);
  assert.deepEqual(shown(bench.flush()), ["1 as 1", "2 as 2", "3 as 3"]);
});

test("whatever happens: as many past bars as granted, each closing once, and all as it is in the end", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant({ op: "trade" as const }) },
    { weight: 3, arbitrary: fc.constant({ op: "next" as const }) },
    { weight: 3, arbitrary: fc.constant({ op: "close" as const }) },
    {
      weight: 3,
      arbitrary: fc.record({ op: fc.constant("flush" as const), limit: fc.integer({ min: 100, max: 700 }) }),
    },
  );
  const run = fc.record({
    before: fc.integer({ min: 0, max: 20 }),
    last: fc.integer({ min: 1, max: 20 }),
    steps: fc.array(step, { maxLength: 60 }),
  });
  fc.assert(
    fc.property(run, ({ before, last, steps }) => {
      const bench = new Bench();
      let [second, trades, closed] = [0, 1, 0];
      for (; second < before; second++) bench.put(second, 1, second < before - 1 ? CLOSED_BAR : 0);
      closed = Math.max(0, second - 1);
      second = Math.max(0, second - 1);
      let past = bench.grant(last);
      const bars = new Map<number, Got>();
      let seq = 0;
      const take = (got: readonly Got[]) => {
        for (const bar of got) {
          if (past > 0) assert.equal(bar.seq === 0, --past > 0, JSON.stringify(bar));
          else assert.ok(bar.seq > seq, `${bar.seq} after ${seq}`);
          seq = bar.seq;
          const known = bars.get(bar.second);
          assert.ok(!known || (known.flags & CLOSED_BAR) === 0, `${bar.second} after it was closed`);
          bars.set(bar.second, bar);
        }
      };
      for (const each of steps) {
        if (each.op === "flush") take(bench.flush(each.limit));
        else if (each.op === "trade") bench.put(second, ++trades);
        else if (each.op === "next") {
          trades = 1;
          bench.put(++second, trades);
        }
        // A bar is closed before the one after the next begins.
        if (each.op === "close" || closed < second - 1)
          if (closed < second) {
            const bar = bench.bars.find((bar) => bar.second === closed);
            if (bar) bench.put(closed, bar.trades, CLOSED_BAR);
            closed++;
          }
      }
      for (let got = bench.flush(); got.length > 0; got = bench.flush()) take(got);
      const first = Math.min(...bars.keys());
      assert.deepEqual(
        [...bars.values()].map(({ seq: _, ...bar }) => bar).sort((a, b) => a.second - b.second),
        bench.bars.filter((bar) => bar.second >= first),
      );
    }),
    { numRuns: 3_000 },
  );
});

/** Bars over a bus that loses batches: in the end the gateway and its clients have what the store has. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../../../base/clock.ts";
import { BarPayload } from "../../../market/bar/bar_payload.ts";
import { BarRecord } from "../../../market/bar/bar_record.ts";
import { CLOSED_BAR } from "../../../market/bar/bar_series.ts";
import { GAP, GatewayTable, RESET } from "../../../market/gateway_table.ts";
import { HeardFeed } from "../../../market/heard_feed.ts";
import { PublisherTable } from "../../../market/publisher_table.ts";
import type { MarketTable } from "../../../market/table.ts";
import { fieldDetail } from "../../wire/record_codec.ts";
import { BatchDecoder, BatchEncoder } from "../../wire/wire.ts";
import { ReaderCounts } from "./reader_counts.ts";
import { ShardFollower } from "./shard_follower.ts";

const SECOND = 1_000_000;
const START = 1_700_000_000;

const payload = (isNoting: boolean) => new BarPayload({ barsPerSymbol: 12, maxBars: 1_000_000 }, isNoting);

/** The bars of a row, by start. */
function barsOf(table: MarketTable<BarPayload>, row: number): Map<number, number[]> {
  const bars = new Map<number, number[]>();
  if (row < 0) return bars;
  const { start, open, close, volume, trades, flags, from, end } = table.payload.seriesOf(row);
  for (let at = from; at < end; at++)
    bars.set(start[at] / SECOND - START, [open[at], close[at], volume[at], trades[at], flags[at]]);
  return bars;
}

/** A publisher with the hash of a shard. */
class Store {
  readonly table = new PublisherTable(10, payload(true));
  readonly values = new Map<string, Buffer>();
  readonly newest = new Map<string, number>();
  readonly #written: number[] = [];
  #number = 0;

  trade(symbol: string, back: number, step: number): void {
    const newest = (this.newest.get(symbol) ?? 20) + step;
    this.newest.set(symbol, newest);
    const row = this.table.add(symbol);
    const start = (START + newest - back) * SECOND;
    if (!this.table.payload.accepts(row, start)) return;
    this.table.merge(row, { start, price: newest - back + 1, size: 1, flags: 0 }, start, start);
    const before = start - 2 * SECOND;
    if (this.table.payload.has(row, before))
      this.table.merge(row, { start: before, price: 0, size: 0, flags: CLOSED_BAR }, start, start);
  }

  /** @returns the batch that is published */
  write(): Buffer {
    const encoder = new BatchEncoder("F", 1, "bar:1s");
    const record = new BarRecord();
    encoder.begin(1_000, ++this.#number, START * SECOND);
    const fields: string[] = [];
    for (let row = 0; row < this.table.rows; row++) {
      const { seq } = this.table;
      if (seq[row] === (this.#written[row] ?? 0)) continue;
      for (let back = this.table.payload.countSince(row, this.#written[row] ?? 0) - 1; back >= 0; back--) {
        this.table.read(row, record, back);
        encoder.add(record);
        fields.push(`${record.symbol} ${fieldDetail(record.start)}`);
      }
      this.#written[row] = seq[row];
      for (const start of this.table.payload.takeDropped(row))
        this.values.delete(`${this.table.symbols[row]} ${fieldDetail(start)}`);
    }
    const { message, start, lengths, prefix } = encoder.end();
    let at = start;
    for (const [index, field] of fields.entries()) {
      const length = lengths.readUInt16BE(index * 2);
      this.values.set(field, Buffer.concat([prefix, message.subarray(at, at + length)]));
      at += length;
    }
    this.values.set("#F", Buffer.from(`1000:${this.#number}:F`));
    return message;
  }

  entries(fields: Iterable<string>): Buffer[] {
    return [...fields].flatMap((field) => {
      const value = this.values.get(field);
      return value ? [Buffer.from(field), value] : [];
    });
  }
}

class Gateway {
  readonly clock = new ManualClock();
  readonly table = new GatewayTable(10, payload(false));
  readonly follower: ShardFollower;
  /** What a client has that gets each change once, by symbol, and up to which number. */
  readonly client = new Map<string, Map<number, number[]>>();
  readonly sent = new Map<string, number>();
  readonly seen: number[] = [];
  resets = 0;

  constructor() {
    const { table } = this;
    this.follower = new ShardFollower(
      {
        shards: 1,
        decoder: new BatchDecoder("bar:1s"),
        clock: this.clock,
        counts: new ReaderCounts(),
        silence: 2_000,
        streamOf: () => 0,
        feedOf: () => new HeardFeed("F"),
        offset: { offset: 0, uncertainty: 0 },
        outranked: () => {},
        leftOut: ({ reason }) => assert.fail(reason),
        forgotten: () => {},
        listener: {
          record: (record) => {
            const changed = table.apply(record);
            if ((changed & RESET) > 0) this.resets++;
            if ((changed & GAP) > 0) this.seen.push(record.seq);
            return table.rowOf(record.symbol);
          },
          batchEnd: () => {},
          silent: () => {},
          speaking: () => {},
        },
      },
      0,
    );
  }

  /** Sends the client what has changed. */
  flush(): void {
    const changed: number[] = [];
    for (let row = 0; row < this.table.rows; row++) {
      const symbol = this.table.symbols[row];
      const series = this.table.payload.seriesOf(row);
      const bars = this.client.get(symbol) ?? new Map();
      this.client.set(symbol, bars);
      series.changedSince(this.sent.get(symbol) ?? -1, changed);
      const all = barsOf(this.table, row);
      for (const index of changed) {
        const bar = series.start[index] / SECOND - START;
        bars.set(bar, all.get(bar));
      }
      this.sent.set(symbol, this.table.seq[row]);
    }
  }
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("trade" as const),
      symbol: fc.constantFrom("A", "B"),
      back: fc.constantFrom(0, 0, 0, 1, 1, 3, 9),
      steps: fc.constantFrom(0, 1, 1, 2),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("write" as const), isLost: fc.constantFrom(false, false, true) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("read" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("fail" as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("flush" as const) }) },
);

test("whatever is lost, gateway and client have in the end the bars of the store, and numbers do not go back", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const store = new Store();
      const gateway = new Gateway();
      const { follower, clock } = gateway;
      let read = 0;
      let areMarksTaken = false;
      let fields: string[] = [];
      const go = () => {
        if (read === 0) {
          if (!follower.wantsRead(clock.millis())) return false;
          read = follower.beginRead();
          areMarksTaken = false;
        } else if (!areMarksTaken) {
          follower.takeMarks(read, store.entries(store.values.keys()));
          // A scan returns what is there from its beginning on.
          fields = [...store.values.keys()];
          areMarksTaken = true;
        } else if (fields.length > 0) follower.takeValues(read, store.entries(fields.splice(0, 4)));
        else {
          follower.takeEndMarks(read, store.entries(["#F"]));
          follower.endRead(read);
          read = 0;
        }
        return true;
      };
      for (const each of steps) {
        clock.advance(50);
        if (each.kind === "trade") store.trade(each.symbol, each.back, each.steps);
        else if (each.kind === "write") {
          const batch = store.write();
          if (!each.isLost) follower.batch(batch);
        } else if (each.kind === "read") go();
        else if (each.kind === "flush") gateway.flush();
        else if (read > 0) {
          follower.failRead(read);
          read = 0;
        }
      }
      follower.batch(store.write());
      for (let count = 0; count < 200; count++) {
        clock.advance(100);
        follower.batch(store.write());
        go();
      }
      gateway.flush();
      assert.equal(gateway.resets, 0);
      for (let row = 0; row < store.table.rows; row++) {
        const symbol = store.table.symbols[row];
        const bars = barsOf(store.table, row);
        const own = gateway.table.rowOf(symbol);
        assert.deepEqual(barsOf(gateway.table, own), bars, `${symbol} at the gateway`);
        assert.equal(gateway.table.seq[own], store.table.seq[row]);
        const client = gateway.client.get(symbol) as Map<number, number[]>;
        for (const [bar, values] of bars) assert.deepEqual(client.get(bar), values, `${symbol} ${bar} at the client`);
        const names = [...store.values.keys()].filter((field) => field.startsWith(`${symbol} `));
        assert.equal(names.length, bars.size, "the store has no more");
      }
    }),
    { numRuns: 300 },
  );
});

/** How a gateway follows trades: the last-value hash has the newest only, and must not overtake the batches. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../../../base/clock.ts";
import { GAP, GatewayTable, RESET, TICKED } from "../../../market/gateway_table.ts";
import { HeardFeed } from "../../../market/heard_feed.ts";
import { PublisherTable } from "../../../market/publisher_table.ts";
import { TradePayload, type TradeRecord } from "../../../market/trade/trade_payload.ts";
import { BatchDecoder, BatchEncoder } from "../../wire/wire.ts";
import { ReaderCounts } from "./reader_counts.ts";
import { ShardFollower } from "./shard_follower.ts";

const TIME = 1_600_000_000_000_000;
const LIMITS = { tradesPerSymbol: 256, maxTrades: 10_000 };

/** The shard in Redis, and the feeds that write to it, each with one symbol. */
class Shard {
  readonly hash = new Map<string, Buffer>();
  #epoch = 1;
  readonly #feeds = new Map<string, { table: PublisherTable<TradePayload>; number: number; written: number }>();

  /** Trades of a feed in one batch. */
  write(feed: string, trades: number): Buffer {
    let found = this.#feeds.get(feed);
    if (!found) {
      found = { table: new PublisherTable<TradePayload>(1, new TradePayload(LIMITS)), number: 0, written: 0 };
      this.#feeds.set(feed, found);
    }
    const { table } = found;
    const row = table.add(`${feed}:A`);
    for (let count = 0; count < trades; count++) {
      const price = table.seq[row] + 1;
      table.merge(row, { price, size: 1, side: 1, id: `${price}` }, TIME + price, TIME + price);
    }
    const encoder = new BatchEncoder(feed, 1, "trade");
    const record = table.payload.createRecord();
    encoder.begin(this.#epoch, ++found.number, TIME);
    for (let back = trades - 1; back >= 0; back--) {
      table.read(row, record, back);
      encoder.add(record);
    }
    const { message, start, lengths, prefix } = encoder.end();
    let at = start;
    for (let index = 0; index < trades; index++) {
      const length = lengths.readUInt16BE(index * 2);
      this.hash.set(`${feed}:A`, Buffer.concat([prefix, message.subarray(at, at + length)]));
      at += length;
    }
    this.#mark(feed, found.number);
    return message;
  }

  /** Other leaders, which continue the numbers of trades, and fence the hash. */
  takeOver(): void {
    this.#epoch++;
    for (const [feed, found] of this.#feeds) {
      found.number = 0;
      this.#mark(feed, 0);
    }
  }

  #mark(feed: string, number: number): void {
    this.hash.set(`#${feed}`, Buffer.from(`${this.#epoch}:${number}:${feed}`));
  }

  get entries(): Buffer[] {
    return [...this.hash].flatMap(([field, value]) => [Buffer.from(field), value]);
  }
}

class Gateway {
  readonly clock = new ManualClock();
  readonly table = new GatewayTable<TradePayload>(10, new TradePayload(LIMITS));
  readonly follower: ShardFollower;
  /** Of each symbol the numbers that were applied, and how many were missed. */
  readonly got = new Map<string, number[]>();
  readonly missed = new Map<string, number>();

  constructor() {
    const { table } = this;
    const feeds = new Map<string, { id: number; feed: HeardFeed }>();
    const feedOf = (name: string) => {
      const known = feeds.get(name) ?? { id: feeds.size, feed: new HeardFeed(name) };
      feeds.set(name, known);
      return known;
    };
    this.follower = new ShardFollower(
      {
        shards: 1,
        decoder: new BatchDecoder("trade"),
        clock: this.clock,
        counts: new ReaderCounts(),
        silence: 2_000,
        streamOf: (feed) => feedOf(feed).id,
        feedOf: (name) => feedOf(name).feed,
        offset: { offset: 0, uncertainty: 0 },
        outranked: () => assert.fail(),
        leftOut: () => {},
        forgotten: () => {},
        listener: {
          record: (record) => {
            const { symbol, seq } = record as TradeRecord;
            const before = Math.max(0, table.seq[table.rowOf(symbol)] ?? 0);
            const changed = table.apply(record);
            assert.equal(changed & RESET, 0);
            if ((changed & GAP) > 0) this.missed.set(symbol, (this.missed.get(symbol) ?? 0) + seq - before - 1);
            if ((changed & TICKED) > 0) this.got.set(symbol, [...(this.got.get(symbol) ?? []), seq]);
            return table.rowOf(symbol);
          },
          batchEnd() {},
          silent: () => {},
          speaking: () => {},
        },
      },
      0,
    );
  }
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      trades: fc.integer({ min: 0, max: 4 }),
      fate: fc.nat(9),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("deliver" as const), batches: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("other" as const), fate: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("read" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("takeover" as const) }) },
);

function run(steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[], isLossy: boolean) {
  const shard = new Shard();
  const gateway = new Gateway();
  const { follower, clock } = gateway;
  const queue: Buffer[] = [];
  const deliver = (count: number) => {
    for (const message of queue.splice(0, count)) follower.batch(message);
  };
  // What Redis answers is known when it is asked; batches that it published before may still be on their way.
  const read = (isForced: boolean) => {
    if (!isForced && !follower.wantsRead(clock.millis())) return;
    const number = follower.beginRead();
    follower.takeMarks(number, shard.entries);
    follower.takeValues(number, shard.entries);
    follower.endRead(number);
  };
  follower.batch(shard.write("F", 1));
  follower.batch(shard.write("G", 1));
  read(true);
  for (const each of steps) {
    clock.advance(50);
    if (each.kind === "write") {
      const message = shard.write("F", each.trades);
      // Lost, or unreadable from its last record on.
      if (isLossy && each.fate === 1) queue.push(message.subarray(0, message.length - 6));
      else if (each.fate > 0 || !isLossy) queue.push(message);
    } else if (each.kind === "deliver") deliver(each.batches);
    else if (each.kind === "read") read(false);
    else if (each.kind === "takeover") {
      if (isLossy) shard.takeOver();
    } else {
      // Another feed on the shard, whose batches are lost: the hash is read because of it.
      const message = shard.write("G", 1);
      if (each.fate > 0) follower.batch(message);
    }
  }
  for (let count = 0; count < 12; count++) {
    queue.push(shard.write("F", 0));
    deliver(queue.length);
    clock.advance(15_000);
    read(false);
  }
  return { got: gateway.got.get("F:A") ?? [], missed: gateway.missed.get("F:A") ?? 0 };
}

test("a read of the hash for another feed's sake takes no trade out of the tape", () => {
  let trades = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const { got, missed } = run(steps, false);
      assert.equal(missed, 0);
      assert.deepEqual(
        got,
        Array.from({ length: got.length }, (_, index) => index + 1),
      );
      trades += got.length;
    }),
    { numRuns: 200 },
  );
  assert.ok(trades > 1_000, `${trades} trades`);
});

test("where batches are lost and leaders change, each trade comes once or is missed, and the newest is there", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const { got, missed } = run(steps, true);
      const all = 1 + steps.reduce((sum, each) => sum + (each.kind === "write" ? each.trades : 0), 0);
      assert.equal(got.at(-1), all);
      assert.equal(got.length + missed, all);
      for (let index = 1; index < got.length; index++) assert.ok(got[index] > got[index - 1]);
    }),
    { numRuns: 200 },
  );
});

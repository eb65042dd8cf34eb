import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../clock.ts";
import { MarketTable } from "../market/table.ts";
import { LIVE, STALE } from "../tick.ts";
import { BusRecord } from "./bus.ts";
import { HeardFeed } from "./heard_feed.ts";
import { ReaderCounts, ShardFollower } from "./shard_follower.ts";
import { BatchDecoder, BatchEncoder, type EncodedBatch } from "./wire.ts";

const SYMBOLS = ["A", "B", "C", "D"];

/** A shard as Redis keeps it, and its publishers, as much of them as the wire shows. */
class Store {
  readonly values = new Map<string, Buffer>();
  readonly table = new MarketTable(10);
  epoch = 1_000;
  number = 0;

  /** Writes these rows in one step and returns the batch that is published. */
  write(rows: readonly number[]): Buffer {
    const encoder = new BatchEncoder("F", 1);
    const record = new BusRecord();
    encoder.begin(this.epoch, ++this.number, 0);
    for (const row of rows) {
      this.table.read(row, record);
      encoder.add(record);
    }
    const batch = encoder.end();
    this.#set(batch, rows);
    return batch.message;
  }

  /** A new leader: a larger epoch, shut in by its mark. */
  takeOver(): void {
    this.epoch++;
    this.number = 0;
    this.#mark();
  }

  #set({ message, start, lengths, prefix }: EncodedBatch, rows: readonly number[]): void {
    let at = start;
    for (const [index, row] of rows.entries()) {
      const length = lengths.readUInt16BE(index * 2);
      this.values.set(this.table.symbols[row], Buffer.concat([prefix, message.subarray(at, at + length)]));
      at += length;
    }
    this.#mark();
  }

  #mark(): void {
    this.values.set("#F", Buffer.from(`${this.epoch}:${this.number}:F`));
  }
}

class Gateway {
  readonly clock = new ManualClock();
  readonly counts = new ReaderCounts();
  readonly table = new MarketTable(10);
  readonly silences: string[] = [];
  readonly outranked: [feed: string, epoch: number, known: number][] = [];
  readonly feed = new HeardFeed("F");
  readonly follower: ShardFollower;
  healed = 0;
  #reset = 0;

  constructor() {
    const { table, silences } = this;
    this.follower = new ShardFollower(
      {
        shards: 1,
        decoder: new BatchDecoder(),
        clock: this.clock,
        counts: this.counts,
        silence: 2_000,
        streamOf: () => 0,
        feedOf: () => this.feed,
        offset: { offset: 500, uncertainty: 100 },
        outranked: (...what) => this.outranked.push(what),
        listener: {
          record: (record) => {
            const row = table.rowOf(record.symbol);
            const before = row < 0 ? 0 : table.seq[row];
            table.apply(record);
            if (record.healed) this.healed++;
            const now = table.rowOf(record.symbol);
            if (table.seq[now] < before) {
              assert.ok(table.resetVersion[now] > this.#reset, "seq went back without a reset");
              this.#reset = table.resetVersion[now];
            }
          },
          batchEnd() {},
          silent: () => silences.push("silent"),
          speaking: () => silences.push("speaking"),
        },
      },
      0,
    );
  }

  /** Reads the hash as it is now. */
  read(store: Store): void {
    this.follower.endRead(this.follower.beginRead(), [...store.values.values()]);
  }
}

function assertSame(gateway: MarketTable, publisher: MarketTable): void {
  for (const symbol of SYMBOLS) {
    const row = publisher.rowOf(symbol);
    if (row < 0 || publisher.seq[row] === 0) continue;
    const mirrored = gateway.rowOf(symbol);
    assert.ok(mirrored >= 0, `${symbol} is missing`);
    assert.equal(gateway.seq[mirrored], publisher.seq[row], `seq of ${symbol}`);
    assert.equal(gateway.values[mirrored * 10], publisher.values[row * 10], `bid of ${symbol}`);
    assert.equal(gateway.state[mirrored], publisher.state[row], `state of ${symbol}`);
  }
}

/** What can happen, in any order. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("tick" as const), symbol: fc.nat(3), fate: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("restate" as const), symbol: fc.nat(3), fate: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("takeover" as const), lost: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("beginRead" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("endRead" as const), fails: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("deliver" as const), which: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const) }) },
);

test("whatever is lost, doubled, late or read in between: after a heartbeat and a read, all is as published", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const store = new Store();
      const gateway = new Gateway();
      const { follower, clock } = gateway;
      for (const symbol of SYMBOLS) store.table.add(symbol);
      /** Delayed batches, and the read under way with what the hash held when it was made. */
      const delayed: Buffer[] = [];
      let read: { number: number; values: Buffer[] } | undefined;
      let price = 0;
      const send = (batch: Buffer, fate: number) => {
        if (fate === 0) return; // lost
        if (fate === 1) delayed.push(batch);
        else follower.batch(batch);
        if (fate === 2) follower.batch(batch); // doubled
      };
      const endRead = (fails: boolean) => {
        if (read) fails ? follower.failRead(read.number) : follower.endRead(read.number, read.values);
        read = undefined;
      };
      for (const one of steps) {
        clock.advance(10);
        if (one.kind === "tick") {
          store.table.merge(one.symbol, { bid: ++price }, price);
          if (store.table.state[one.symbol] !== LIVE) store.table.restate(one.symbol, LIVE, price, "");
          send(store.write([one.symbol]), one.fate);
        } else if (one.kind === "restate" && store.table.seq[one.symbol] > 0) {
          const state = store.table.state[one.symbol] === LIVE ? STALE : LIVE;
          store.table.restate(one.symbol, state, ++price, "");
          send(store.write([one.symbol]), one.fate);
        } else if (one.kind === "takeover") {
          store.takeOver();
          // A replica that lagged has taken over, and its counts with it: seq goes back.
          if (one.lost && store.table.seq[0] > 1) {
            store.table.seq[0]--;
            send(store.write([0]), 3);
          }
        } else if (one.kind === "beginRead" && !read && follower.wantsRead(clock.millis()))
          read = { number: follower.beginRead(), values: [...store.values.values()] };
        else if (one.kind === "endRead") endRead(one.fails);
        else if (one.kind === "deliver" && delayed.length > 0)
          follower.batch(delayed.splice(one.which % delayed.length, 1)[0]);
        else if (one.kind === "leave") follower.leave();
      }
      endRead(false);
      for (const batch of delayed) follower.batch(batch);
      follower.batch(store.write([]));
      for (let tries = 0; tries < 5; tries++) {
        clock.advance(6_000);
        if (follower.wantsRead(clock.millis())) gateway.read(store);
      }
      assert.equal(follower.wantsRead(clock.millis()), false, "it goes on reading");
      assertSame(gateway.table, store.table);
    }),
    { numRuns: 3_000 },
  );
});

function loaded(): { store: Store; gateway: Gateway } {
  const store = new Store();
  const gateway = new Gateway();
  for (const symbol of SYMBOLS) store.table.merge(store.table.add(symbol), { bid: 1 }, 1);
  const first = store.write([0, 1, 2, 3]);
  gateway.read(store);
  gateway.follower.batch(first);
  return { store, gateway };
}

test("batches one after the other need no read", () => {
  const { store, gateway } = loaded();
  store.table.merge(0, { bid: 2 }, 2);
  gateway.follower.batch(store.write([0]));
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), false);
  assert.equal(gateway.counts.gaps, 0);
  assert.equal(gateway.healed, 0);
});

test("a missing number is a gap: what comes until it is healed says so", () => {
  const { store, gateway } = loaded();
  store.table.merge(0, { bid: 2 }, 2);
  store.write([0]);
  store.table.merge(1, { bid: 2 }, 2);
  gateway.follower.batch(store.write([1]));
  assert.equal(gateway.counts.gaps, 1);
  assert.equal(gateway.healed, 1);
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), true);
  gateway.read(store);
  assertSame(gateway.table, store.table);
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), false);
});

test("a stream goes silent once, and speaks again with its next batch", () => {
  const { store, gateway } = loaded();
  gateway.clock.advance(1_999);
  gateway.follower.check(gateway.clock.millis());
  assert.deepEqual(gateway.silences, []);
  gateway.clock.advance(1);
  gateway.follower.check(gateway.clock.millis());
  gateway.follower.check(gateway.clock.millis());
  assert.deepEqual(gateway.silences, ["silent"]);
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), true, "the last batch may have been lost");
  gateway.follower.batch(store.write([]));
  assert.deepEqual(gateway.silences, ["silent", "speaking"]);
});

test("a feed that is only in the store goes silent too", () => {
  const store = loaded().store;
  const gateway = new Gateway();
  gateway.read(store);
  gateway.clock.advance(2_000);
  gateway.follower.check(gateway.clock.millis());
  assert.deepEqual(gateway.silences, ["silent"]);
});

test("a shard that is left is silent at once, and a read from before does not count", () => {
  const { store, gateway } = loaded();
  const read = gateway.follower.beginRead();
  gateway.follower.leave();
  assert.deepEqual(gateway.silences, ["silent"]);
  gateway.follower.endRead(read, [...store.values.values()]);
  assert.equal(gateway.follower.isLoaded, false);
  gateway.read(store);
  assert.deepEqual(gateway.silences, ["silent", "speaking"]);
});

test("batches of a leader that was replaced, of other shard counts, and broken ones are left out and counted", () => {
  const { store, gateway } = loaded();
  const old = store.write([0]);
  store.takeOver();
  gateway.follower.batch(store.write([]));
  gateway.follower.batch(old);
  assert.equal(gateway.counts.ignored, 2); // the first batch was in the hash already
  const other = new BatchEncoder("F", 2);
  other.begin(5_000, 1, 0);
  gateway.follower.batch(other.end().message);
  assert.equal(gateway.counts.mismatched, 1);
  gateway.follower.batch(Buffer.from("nonsense"));
  gateway.read(store);
  gateway.follower.batch(store.write([0]).subarray(0, -3));
  assert.equal(gateway.counts.malformed, 2);
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), true, "a batch read in part is missing");
});

test("an earlier epoch than one that was heard is told of, but not before that one is silent", () => {
  const { store, gateway } = loaded();
  const known = store.epoch;
  store.epoch = known - 10;
  store.number = 0;
  gateway.follower.batch(store.write([]));
  assert.deepEqual(gateway.outranked, []);
  gateway.clock.advance(2_000);
  gateway.follower.check(gateway.clock.millis());
  gateway.follower.batch(store.write([]));
  assert.deepEqual(gateway.outranked, [["F", known - 10, known]]);
  assert.deepEqual(gateway.silences, ["silent"]);
});

test("a listener that fails is given the same again, and not in a loop", () => {
  const store = loaded().store;
  const clock = new ManualClock();
  let fails = true;
  const seen: string[] = [];
  const follower = new ShardFollower(
    {
      shards: 1,
      decoder: new BatchDecoder(),
      clock,
      counts: new ReaderCounts(),
      silence: 2_000,
      streamOf: () => 0,
      feedOf: () => new HeardFeed("F"),
      offset: { offset: Number.NaN, uncertainty: Number.NaN },
      outranked() {},
      listener: {
        record({ symbol }) {
          if (fails) throw new Error("full");
          seen.push(symbol);
        },
        batchEnd() {},
        silent() {},
        speaking() {},
      },
    },
    0,
  );
  assert.throws(() => follower.endRead(follower.beginRead(), [...store.values.values()]), /full/);
  assert.equal(follower.wantsRead(clock.millis()), false);
  clock.advance(200);
  assert.equal(follower.wantsRead(clock.millis()), true);
  fails = false;
  follower.endRead(follower.beginRead(), [...store.values.values()]);
  fails = true;
  assert.throws(() => follower.batch(store.write([0])), /full/);
  assert.equal(follower.wantsRead(clock.millis()), true, "what it did not take is missing");
  fails = false;
  follower.endRead(follower.beginRead(), [...store.values.values()]);
  assert.equal(follower.wantsRead(clock.millis()), false);
  assert.deepEqual(seen.slice(0, 4), SYMBOLS);
});

test("a store that is behind is asked again, later and later", () => {
  const { store, gateway } = loaded();
  const behind = [...store.values.values()];
  store.write([0]);
  gateway.follower.batch(store.write([1]));
  gateway.follower.endRead(gateway.follower.beginRead(), behind);
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), false);
  gateway.clock.advance(200);
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), true);
  gateway.follower.endRead(gateway.follower.beginRead(), behind);
  gateway.clock.advance(200);
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), false);
  gateway.clock.advance(200);
  gateway.read(store);
  assertSame(gateway.table, store.table);
});

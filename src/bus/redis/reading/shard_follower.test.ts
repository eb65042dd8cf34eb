import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { ManualClock } from "../../../base/clock.ts";
import { LIVE, STALE } from "../../../base/tick.ts";
import { BusRecord } from "../../../market/bus_record.ts";
import { GatewayTable } from "../../../market/gateway_table.ts";
import { HeardFeed } from "../../../market/heard_feed.ts";
import { PublisherTable } from "../../../market/publisher_table.ts";
import { BatchDecoder, BatchEncoder, type EncodedBatch } from "../../wire/wire.ts";
import { ReaderCounts } from "./reader_counts.ts";
import { ShardFollower } from "./shard_follower.ts";

/** A time that may stand on the bus, microseconds since the Unix epoch. */
const TIME = 1_600_000_000_000_000;
const SYMBOLS = ["A", "B", "C", "D"];

/** A shard as Redis keeps it, and its publishers, as much of them as the wire shows. */
class Store {
  readonly values = new Map<string, Buffer>();
  readonly table = new PublisherTable(10);
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

  /** What the hash holds of these fields now, or of all: fields and values, one after the other. */
  entries(fields: Iterable<string> = this.values.keys()): Buffer[] {
    return [...fields].flatMap((field) => [Buffer.from(field), this.values.get(field) as Buffer]);
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

/** Ends a read for which the hash gives this: first its marks, then in slices of two fields. */
function endRead(follower: ShardFollower, read: number, entries: readonly Buffer[]): void {
  follower.takeMarks(read, entries);
  for (let from = 0; from < entries.length; from += 4) follower.takeValues(read, entries.slice(from, from + 4));
  follower.endRead(read);
}

/** A read under way: what Redis answers to one question is known when it is asked, and comes later. */
class Read {
  readonly #store: Store;
  readonly #follower: ShardFollower;
  readonly #number: number;
  readonly #fields: string[];
  #areMarksTaken = false;
  #answer: Buffer[];

  constructor(store: Store, follower: ShardFollower) {
    this.#store = store;
    this.#follower = follower;
    this.#number = follower.beginRead();
    this.#fields = [...store.values.keys()];
    this.#answer = store.entries();
  }

  fail(): void {
    this.#follower.failRead(this.#number);
  }

  /** The answer comes, and the next question is asked. @returns whether the read goes on */
  answer(): boolean {
    if (this.#areMarksTaken) this.#follower.takeValues(this.#number, this.#answer);
    else this.#follower.takeMarks(this.#number, this.#answer);
    this.#areMarksTaken = true;
    this.#answer = this.#store.entries(this.#fields.splice(0, 2));
    if (this.#answer.length > 0) return true;
    this.#follower.endRead(this.#number);
    return false;
  }
}

class Gateway {
  readonly clock = new ManualClock();
  readonly counts = new ReaderCounts();
  readonly table = new GatewayTable(10);
  /** What is reported of its stream: since when it is silent, or that it speaks. */
  readonly notices: (number | "speaking")[] = [];
  readonly outranked: [feed: string, epoch: number, known: number][] = [];
  readonly leftOut: string[] = [];
  readonly forgotten: string[] = [];
  readonly feed = new HeardFeed("F");
  readonly follower: ShardFollower;
  healed = 0;
  #reset = 0;

  constructor() {
    const { table, notices } = this;
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
        leftOut: ({ feed, reason, symbol, from }) => this.leftOut.push([feed, reason, symbol, from].join(" ")),
        forgotten: (feed) => this.forgotten.push(feed),
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
            return now;
          },
          batchEnd() {},
          silent: (_, since) => notices.push(since),
          speaking: () => notices.push("speaking"),
        },
      },
      0,
    );
  }

  /** Reads the hash as it is now. */
  read(store: Store): void {
    endRead(this.follower, this.follower.beginRead(), store.entries());
  }
}

function assertSame(gateway: GatewayTable, publisher: PublisherTable): void {
  for (const symbol of SYMBOLS) {
    const row = publisher.rowOf(symbol);
    if (row < 0 || publisher.seq[row] === 0) continue;
    const mirrored = gateway.rowOf(symbol);
    assert.ok(mirrored >= 0, `${symbol} is missing`);
    assert.equal(gateway.seq[mirrored], publisher.seq[row], `seq of ${symbol}`);
    assert.equal(gateway.payload.values[mirrored * 10], publisher.payload.values[row * 10], `bid of ${symbol}`);
    assert.equal(gateway.state[mirrored], publisher.state[row], `state of ${symbol}`);
  }
}

/** What can happen, in any order. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("tick" as const), symbol: fc.nat(3), fate: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("restate" as const), symbol: fc.nat(3), fate: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("takeover" as const), lost: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("beginRead" as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("answer" as const), fate: fc.nat(9) }) },
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
      /** Delayed batches, and the read under way. */
      const delayed: Buffer[] = [];
      let read: Read | undefined;
      let price = 0;
      const send = (batch: Buffer, fate: number) => {
        if (fate === 0) return; // lost
        if (fate === 1) delayed.push(batch);
        else follower.batch(batch);
        if (fate === 2) follower.batch(batch); // doubled
      };
      for (const one of steps) {
        clock.advance(10);
        if (one.kind === "tick") {
          store.table.merge(one.symbol, { bid: ++price }, TIME + price);
          if (store.table.state[one.symbol] !== LIVE) store.table.restate(one.symbol, LIVE, TIME + price, "");
          send(store.write([one.symbol]), one.fate);
        } else if (one.kind === "restate" && store.table.seq[one.symbol] > 0) {
          const state = store.table.state[one.symbol] === LIVE ? STALE : LIVE;
          store.table.restate(one.symbol, state, TIME + ++price, "");
          send(store.write([one.symbol]), one.fate);
        } else if (one.kind === "takeover") {
          store.takeOver();
          // A replica that lagged has taken over, and its counts with it: seq goes back.
          if (one.lost && store.table.seq[0] > 1) {
            store.table.seq[0]--;
            send(store.write([0]), 3);
          }
        } else if (one.kind === "beginRead" && !read && follower.wantsRead(clock.millis()))
          read = new Read(store, follower);
        else if (one.kind === "answer" && read) {
          if (one.fate === 0) read.fail();
          if (one.fate === 0 || !read.answer()) read = undefined;
        } else if (one.kind === "deliver" && delayed.length > 0)
          follower.batch(delayed.splice(one.which % delayed.length, 1)[0]);
        else if (one.kind === "leave") follower.leave();
      }
      while (read?.answer());
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
  for (const symbol of SYMBOLS) store.table.merge(store.table.add(symbol), { bid: 1 }, TIME + 1);
  const first = store.write([0, 1, 2, 3]);
  gateway.read(store);
  gateway.follower.batch(first);
  gateway.follower.batch(store.write([]));
  gateway.notices.length = 0;
  return { store, gateway };
}

test("batches one after the other need no read", () => {
  const { store, gateway } = loaded();
  store.table.merge(0, { bid: 2 }, TIME + 2);
  gateway.follower.batch(store.write([0]));
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), false);
  assert.equal(gateway.counts.gaps, 0);
  assert.equal(gateway.healed, 0);
});

test("a missing number is a gap: what comes until it is healed says so", () => {
  const { store, gateway } = loaded();
  store.table.merge(0, { bid: 2 }, TIME + 2);
  store.write([0]);
  store.table.merge(1, { bid: 2 }, TIME + 2);
  gateway.follower.batch(store.write([1]));
  assert.equal(gateway.counts.gaps, 1);
  assert.equal(gateway.healed, 1);
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), true);
  gateway.read(store);
  assertSame(gateway.table, store.table);
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), false);
});

test("a stream goes silent once, since its last batch, and speaks again with its next one", () => {
  const { store, gateway } = loaded();
  const { clock, follower, notices } = gateway;
  const heardAt = clock.micros();
  clock.advance(1_999);
  follower.check(clock.millis());
  assert.deepEqual(notices, []);
  clock.advance(1.3);
  follower.check(clock.millis());
  follower.check(clock.millis());
  assert.deepEqual(notices, [heardAt]);
  assert.equal(follower.wantsRead(clock.millis()), true, "the last batch may have been lost");
  gateway.read(store);
  follower.batch(store.write([]));
  assert.deepEqual(notices, [heardAt, "speaking"]);
});

/**
 * A gateway that has read what `loaded` has in the store, where one symbol's tick was received 5 s ago and the others'
 * earlier.
 */
function restarted(): { store: Store; gateway: Gateway; aliveAt: number } {
  const { store } = loaded();
  const gateway = new Gateway();
  const aliveAt = gateway.clock.micros() - 5_000_000;
  store.table.merge(0, { bid: 3 }, aliveAt - 20_000, aliveAt - 10_000);
  store.table.merge(2, { bid: 3 }, aliveAt - 200_000, aliveAt);
  store.table.merge(3, { bid: 3 }, aliveAt - 300_000);
  store.write([0, 2, 3]);
  gateway.read(store);
  return { store, gateway, aliveAt };
}

test("a feed that is only in the store is silent from the start, since the newest time that the store has of it", () => {
  const { gateway, aliveAt } = restarted();
  const { clock, follower, notices } = gateway;
  assert.equal(notices.at(-1), aliveAt);
  assert.equal(follower.heard()[0].isSilent, false, "that is known when it has had time to speak");
  assert.equal(follower.isDecided(clock.millis(), 700), false);
  clock.advance(700);
  assert.equal(follower.isDecided(clock.millis(), 700), true);
  assert.equal(follower.isDecided(clock.millis(), 2_000), false);
  clock.advance(1_300);
  follower.check(clock.millis());
  assert.equal(follower.heard()[0].isSilent, true);
  assert.equal(follower.isDecided(clock.millis(), 9_000), true);
  assert.equal(notices.at(-1), aliveAt);
  assert.ok(!notices.includes("speaking"));
});

test("a feed that the store names speaks with its first heartbeat, and is decided", () => {
  const { store, gateway } = restarted();
  gateway.follower.batch(store.write([]));
  assert.equal(gateway.notices.at(-1), "speaking");
  assert.equal(gateway.follower.isDecided(gateway.clock.millis(), 700), true);
});

test("a time of the store that is still to come by our clock is now", () => {
  const { store } = loaded();
  const gateway = new Gateway();
  store.table.merge(0, { bid: 3 }, gateway.clock.micros() + 1_000_000);
  store.write([0]);
  gateway.read(store);
  assert.equal(gateway.notices.at(-1), gateway.clock.micros());
});

test("a shard that is left is silent since it was heard, until it is followed, read and heard again", () => {
  const { store, gateway } = loaded();
  const { clock, follower, notices } = gateway;
  const heardAt = clock.micros();
  const read = follower.beginRead();
  clock.advance(40_000);
  follower.leave();
  assert.deepEqual(notices, [heardAt]);
  endRead(follower, read, store.entries());
  assert.equal(follower.isLoaded, false);
  follower.check(clock.millis());
  assert.equal(follower.heard()[0].isSilent, false, "nobody has listened");
  assert.equal(follower.isDecided(clock.millis(), 700), false);
  gateway.read(store);
  assert.deepEqual(notices, [heardAt], "it may have died meanwhile");
  clock.advance(2_000);
  follower.check(clock.millis());
  assert.equal(follower.isDecided(clock.millis(), 9_000), true);
  follower.batch(store.write([]));
  assert.deepEqual(notices, [heardAt, "speaking"]);
});

test("a feed that went on after the shard was left, and died, was alive until then", () => {
  const { store, gateway } = loaded();
  const { clock, follower, notices } = gateway;
  follower.leave();
  clock.advance(10_000);
  const aliveAt = clock.micros();
  store.table.merge(1, { bid: 7 }, aliveAt - 5, aliveAt);
  store.write([1]);
  clock.advance(60_000);
  gateway.read(store);
  assert.equal(notices.at(-1), aliveAt);
});

test("a heartbeat before the store was read makes nothing live: values may have been missed", () => {
  const { store, gateway } = loaded();
  const { follower, notices } = gateway;
  follower.leave();
  store.table.merge(1, { bid: 7 }, TIME + 7);
  store.write([1]);
  notices.length = 0;
  follower.batch(store.write([]));
  assert.deepEqual(notices, []);
  gateway.read(store);
  assert.deepEqual(notices, ["speaking"]);
  // After an outage of Redis it is the same.
  gateway.clock.advance(2_000);
  follower.check(gateway.clock.millis());
  gateway.read(store);
  store.table.merge(1, { bid: 8 }, TIME + 8);
  store.write([1]);
  notices.length = 0;
  follower.batch(store.write([]));
  assert.deepEqual(notices, []);
  gateway.read(store);
  assert.deepEqual(notices, ["speaking"]);
});

/** A batch of any elements, as a publisher in another language may write it. */
function written(by: { epoch: number; number: number }, records: readonly unknown[], feed = "F"): Buffer {
  return Buffer.from(encode([1, feed, by.epoch, ++by.number, TIME, 1, records, 7, 8]));
}

/** A good record, with some of its elements replaced. */
function record(symbol: string, own: Record<number, unknown> = {}): unknown[] {
  const whole = [symbol, 9, TIME, 0, 0, "", 1.5, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  return Object.assign(whole, own);
}

test("each record that breaks a rule is left out by itself, counted with its feed and logged; the others are taken", () => {
  const { store, gateway } = loaded();
  const { follower, table, leftOut, counts } = gateway;
  const wrong: [reason: string, symbol: string, record: unknown][] = [
    ["record", "", record("B").slice(0, 15)],
    ["record", "", { symbol: "B" }],
    ["record", "", "B"],
    ["record", "", null],
    ["symbol", "b?", record("b?")],
    ["symbol", "", record("")],
    ["symbol", "", record("B", { 0: 7 })],
    ["symbol", "X".repeat(64), record("X".repeat(65))],
    ...[0, -1, 1.5, 2 ** 53, Number.NaN, null, "9", [9], { nine: new Map([[1, 2]]) }].map(
      (seq) => ["seq", "B", record("B", { 1: seq })] as [string, string, unknown],
    ),
    ...[null, Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 1_600_000_000, 1e300, "now"].map(
      (time) => ["time", "B", record("B", { 2: time })] as [string, string, unknown],
    ),
    ...[null, 3, -1, 0.5, "live"].map(
      (state) => ["state", "B", record("B", { 3: state })] as [string, string, unknown],
    ),
    ...[null, Number.NaN, Number.NEGATIVE_INFINITY, -1, 1, 1e300].map(
      (since) => ["time", "B", record("B", { 4: since })] as [string, string, unknown],
    ),
    ...[null, 5, "r".repeat(256), "é".repeat(128), "r".repeat(66_000)].map(
      (text) => ["text", "B", record("B", { 5: text })] as [string, string, unknown],
    ),
    ...[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, "1.5", true, [1]].map(
      (value) => ["value", "B", record("B", { 12: value })] as [string, string, unknown],
    ),
  ];
  // Nested as no library would write it.
  wrong.push(["record", "", Buffer.concat([Buffer.alloc(60_000, 0x91), Buffer.from([0xc0])])]);
  const clean = [...table.payload.values.subarray(10, 20)];
  for (const [reason, symbol, one] of wrong) {
    leftOut.length = 0;
    const seq = table.seq[0];
    const good = record("A", { 1: seq + 1 });
    const bytes = one instanceof Buffer ? one : Buffer.from(encode(one));
    const [head, tail] = apart(written(store, ["BAD", good]), Buffer.from(encode("BAD")));
    follower.batch(Buffer.concat([head, bytes, tail]));
    assert.deepEqual(leftOut, [`F ${reason} ${symbol} batch`]);
    assert.equal(table.seq[0], seq + 1, `the record behind ${reason} is taken`);
  }
  assert.equal(table.seq[1], 1);
  assert.deepEqual([...table.payload.values.subarray(10, 20)], clean);
  assert.equal(counts.malformed.total, wrong.length);
  assert.equal(
    [...counts.malformed.lines([])].reduce((sum, [{ feed }, count]) => sum + (feed === "F" ? count : 0), 0),
    wrong.length,
  );
  assert.equal(follower.wantsRead(gateway.clock.millis()), false, "nothing is missing");
  assert.deepEqual(gateway.notices, [], "the feed lives");
});

/** What is before and behind some bytes. */
function apart(bytes: Buffer, middle: Buffer): [Buffer, Buffer] {
  const at = bytes.indexOf(middle);
  return [bytes.subarray(0, at), bytes.subarray(at + middle.length)];
}

test("what is a mistake for people and not for machines is put right: fractions of microseconds, NaN for nil", () => {
  const { store, gateway } = loaded();
  const { follower, table } = gateway;
  const restated = { 2: TIME + 0.7, 3: 1, 4: TIME + 0.2, 5: "r".repeat(255), 7: Number.NaN, 16: 0.4 };
  follower.batch(written(store, [record("A", restated), record("B", { 3: 2, 5: "over" })]));
  assert.deepEqual(gateway.leftOut, []);
  assert.deepEqual([table.eventTime[0], table.since[0], table.payload.values[1]], [TIME + 1, TIME, Number.NaN]);
  assert.equal(table.since[1], TIME, "a state without a time holds since its tick");
});

test("a value of the store that breaks a rule is left out at each read, and is read no more often for it", () => {
  const { store, gateway } = loaded();
  const { follower, leftOut, table } = gateway;
  const bad = [
    encode(["F", 1_000, record("B", { 2: Number.POSITIVE_INFINITY })]),
    encode(["F", 0, record("B")]),
    encode(["f".repeat(60_000), 1_000, record("B")]),
    encode(["F", 1_000, record("B")]).subarray(0, -3),
    Buffer.from('{"symbol":"B"}'),
    Buffer.alloc(0),
  ];
  for (const [index, value] of bad.entries()) store.values.set(`BAD${index}`, Buffer.from(value));
  for (let round = 0; round < 2; round++) {
    leftOut.length = 0;
    gateway.read(store);
    assert.deepEqual(leftOut, [
      "F time BAD0 store",
      "F head BAD1 store",
      " head BAD2 store",
      "F format BAD3 store",
      " format BAD4 store",
      " format BAD5 store",
    ]);
    assert.equal(follower.wantsRead(gateway.clock.millis()), false);
  }
  assert.deepEqual([table.seq[1], table.payload.values[12]], [1, Number.NaN]);
  // A mark that is none does not make the feed missing for ever either.
  for (const mark of ["9007199254740992:1:F", "0:1:F", "nonsense", "5:1:OTHER"]) {
    store.values.set("#F", Buffer.from(mark));
    leftOut.length = 0;
    follower.requireRead();
    gateway.read(store);
    assert.equal(leftOut[0], "F mark  store");
    assert.equal(follower.wantsRead(gateway.clock.millis()), false);
  }
});

test("a batch that breaks a rule is left out whole, and named", () => {
  const { store, gateway } = loaded();
  const { follower, leftOut } = gateway;
  const good = [record("A", { 1: 50 })];
  const head = [1, "F", store.epoch, 99, TIME, 1, good];
  const wrong: [string, unknown][] = [
    [" format", new Map([["version", 1]])],
    ["F version", [2, ...head.slice(1)]],
    [" version", [2, { feed: "F" }]],
    [" head", [1, "", ...head.slice(2)]],
    [" head", [1, "f".repeat(65), ...head.slice(2)]],
    ...[0, -1, 1.5, 2 ** 53, null, "7"].flatMap((count): [string, unknown][] => [
      ["F head", [1, "F", count, ...head.slice(3)]],
      ["F head", [1, "F", store.epoch, count, ...head.slice(4)]],
    ]),
    ...[null, Number.NaN, Number.POSITIVE_INFINITY, 1e300, -1, "now"].map((time): [string, unknown] => [
      "F head",
      [1, "F", store.epoch, 99, time, ...head.slice(5)],
    ]),
    ["F head", head.slice(0, 6)],
    ["F head", [...head.slice(0, 6), "records"]],
    ["F records", [...head.slice(0, 6), Array.from({ length: 1_001 }, () => null)]],
    ["F shards", [...head.slice(0, 5), 2, good]],
  ];
  for (const [expected, batch] of wrong) {
    leftOut.length = 0;
    follower.batch(Buffer.from(encode(batch)));
    assert.deepEqual(leftOut, [`${expected}  batch`], JSON.stringify(batch));
  }
  follower.batch(Buffer.from('{"version":1,"feed":"F"}'));
  follower.batch(Buffer.alloc(0));
  assert.equal(gateway.table.seq[0], 1);
});

test("a feed exists once it has published a good record", () => {
  const { store, gateway } = loaded();
  const { follower, leftOut } = gateway;
  const ghost = { epoch: 1_000, number: 0 };
  const feeds = () => follower.heard().map(({ feed }) => feed);
  follower.batch(written(ghost, [], "ghost"));
  follower.batch(written(ghost, [record("low?", { 1: 0 }), record("B", { 1: 0 })], "ghost"));
  follower.batch(written(ghost, [record("B")], "ghost").subarray(0, -3));
  assert.deepEqual(leftOut, ["ghost symbol low? batch", "ghost seq B batch", "ghost format  batch"]);
  assert.deepEqual(
    [...gateway.counts.malformed.lines([])].filter(([{ feed }, count]) => feed !== "unknown" && count > 0),
    [],
  );
  assert.deepEqual(feeds(), ["F"]);
  store.values.set("#ghost", Buffer.from("1000:9:ghost"));
  gateway.read(store);
  assert.deepEqual(feeds(), ["F"]);
  follower.batch(written(ghost, [record("low?"), record("B", { 1: 60 })], "ghost"));
  assert.deepEqual(feeds(), ["F", "ghost"]);
  assert.equal(gateway.table.seq[1], 60);
});

test("what a feed that is not known may have published before is looked for, later and later", () => {
  const { store, gateway } = loaded();
  const { follower, clock } = gateway;
  const ghost = { epoch: 1_000, number: 0 };
  let reads = 0;
  for (let second = 0; second < 300; second++) {
    follower.batch(written(ghost, [], "ghost"));
    if (follower.wantsRead(clock.millis())) {
      reads++;
      gateway.read(store);
    }
    follower.batch(store.write([]));
    clock.advance(1_000);
  }
  assert.ok(reads > 3 && reads < 15, `${reads} reads`);
});

test("a feed that is silent and has no value in the store is forgotten", () => {
  const { store, gateway } = loaded();
  const { follower, clock, forgotten } = gateway;
  for (const symbol of SYMBOLS) store.values.delete(symbol);
  for (let second = 0; second < 599; second++) {
    clock.advance(1_000);
    follower.check(clock.millis());
    if (follower.wantsRead(clock.millis())) gateway.read(store);
  }
  assert.deepEqual(forgotten, [], "a Redis that was lost may still be filled");
  for (let second = 0; second < 400; second++) {
    clock.advance(1_000);
    follower.check(clock.millis());
    if (follower.wantsRead(clock.millis())) gateway.read(store);
  }
  assert.deepEqual(forgotten, ["F"]);
  assert.deepEqual(follower.heard(), []);
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
  assert.equal(gateway.counts.malformed.total, 3);
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), true, "a batch read in part is missing");
});

test("an earlier epoch than one that was heard is reported, but not before that one is silent", () => {
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
  assert.equal(gateway.notices.length, 1);
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
      leftOut() {},
      forgotten() {},
      listener: {
        record({ symbol }) {
          if (fails) throw new Error("full");
          seen.push(symbol);
          return -1;
        },
        batchEnd() {},
        silent() {},
        speaking() {},
      },
    },
    0,
  );
  assert.throws(() => endRead(follower, follower.beginRead(), store.entries()), /full/);
  assert.equal(follower.wantsRead(clock.millis()), false);
  clock.advance(200);
  assert.equal(follower.wantsRead(clock.millis()), true);
  fails = false;
  endRead(follower, follower.beginRead(), store.entries());
  fails = true;
  assert.throws(() => follower.batch(store.write([0])), /full/);
  assert.equal(follower.wantsRead(clock.millis()), true, "what it did not take is missing");
  fails = false;
  endRead(follower, follower.beginRead(), store.entries());
  assert.equal(follower.wantsRead(clock.millis()), false);
  assert.deepEqual(seen.slice(0, 4), SYMBOLS);
});

test("a store that is behind is asked again, later and later", () => {
  const { store, gateway } = loaded();
  const behind = store.entries();
  store.write([0]);
  gateway.follower.batch(store.write([1]));
  endRead(gateway.follower, gateway.follower.beginRead(), behind);
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), false);
  gateway.clock.advance(200);
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), true);
  endRead(gateway.follower, gateway.follower.beginRead(), behind);
  gateway.clock.advance(200);
  assert.equal(gateway.follower.wantsRead(gateway.clock.millis()), false);
  gateway.clock.advance(200);
  gateway.read(store);
  assertSame(gateway.table, store.table);
});

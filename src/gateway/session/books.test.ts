/** Books as a client gets them: whole, at most as deep as granted, and in the end as published. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ClientReceiver, SessionBench } from "../../../test/support/session_bench.ts";
import { LIVE } from "../../base/tick.ts";
import { BOOK_LEVELS, BookRecord } from "../../market/book/book_payload.ts";
import { CHANNELS, type ChannelSubscribed, type Control, type Subprotocol } from "../../protocol/messages.ts";
import { Ingest } from "../ingest.ts";

type Sides = readonly [bids: readonly number[], asks: readonly number[]];
const DEPTHS = [1, 5, 10, 20, 50];

/** Everything of a book follows from its number: how deep it is, and all levels. */
function sidesOf(seq: number): Sides {
  const side = (levels: number, sign: number) =>
    Array.from({ length: levels }, (_, index) => [1_000 + sign * (index + 1) + (seq % 10) / 10, seq + index]).flat();
  return [side((seq * 7) % (BOOK_LEVELS + 1), -1), side((seq * 11) % (BOOK_LEVELS + 1), 1)];
}

/** Checks what the protocol promises of books. */
class BookClient implements ClientReceiver {
  readonly handles = new Map<number, string>();
  readonly depths = new Map<string, number>();
  /** The number of the last book of each symbol; 0 before the first since its grant. */
  readonly last = new Map<string, number>();
  readonly breaches: string[] = [];
  readonly messages: Control[] = [];
  readonly intervals = new Map<string, number>();
  readonly #sentAt = new Map<string, number>();
  snapshots = 0;

  control(message: Control): void {
    this.messages.push(message);
    if (message.op === "subscribed") {
      const { channel, depth = 0, interval, symbols } = message as unknown as ChannelSubscribed;
      if (channel !== "book" || "fields" in message || !DEPTHS.includes(depth)) this.breaches.push("a wrong grant");
      for (const [symbol, handle, ...more] of symbols) {
        if (more.length > 0) this.breaches.push("a count");
        this.handles.set(handle, symbol);
        this.depths.set(symbol, depth);
        this.intervals.set(symbol, interval);
        this.last.set(symbol, 0);
        this.#sentAt.delete(symbol);
      }
    } else if (message.op === "unsubscribed") for (const symbol of message.symbols) this.last.delete(symbol);
  }

  frame(sentAt: number, ticks: unknown[]): void {
    const seen = new Set<number>();
    for (const [handle, seq, time, bids, asks] of ticks as [number, number, number, number[], number[]][]) {
      const symbol = this.handles.get(handle) ?? "";
      if (seen.has(handle)) this.breaches.push("twice in a frame");
      seen.add(handle);
      const last = this.last.get(symbol);
      if (last === undefined) this.breaches.push(`${symbol}: a book after the end`);
      if (last === 0) this.snapshots++;
      if (seq <= (last ?? 0)) this.breaches.push(`${symbol}: ${seq} after ${last}`);
      const [interval, before] = [this.intervals.get(symbol) ?? 0, this.#sentAt.get(symbol)];
      if (before !== undefined && sentAt - before < interval * 1_000) this.breaches.push(`${symbol}: too soon`);
      this.#sentAt.set(symbol, sentAt);
      this.last.set(symbol, seq);
      const depth = this.depths.get(symbol) ?? 0;
      const expected = sidesOf(seq).map((side) => side.slice(0, depth * 2));
      assert.deepEqual([time, bids, asks], [1_000_000_000_000_000 + seq, ...expected]);
    }
  }
}

function open(subprotocol: Subprotocol) {
  const client = new BookClient();
  const bench = new SessionBench(subprotocol, client);
  const { markets, counts } = bench.context;
  const { table, topics } = markets.of("book");
  const ingest = new Ingest(table, topics, counts, bench.clock);
  const record = new BookRecord();
  const book = (symbol: string, seq: number) => {
    const [bids, asks] = sidesOf(seq);
    record.bids.set(bids);
    record.asks.set(asks);
    const now = bench.clock.micros();
    const times = { eventTime: 1_000_000_000_000_000 + seq, since: now, receivedAt: now, sentAt: now };
    const levels = { bidLevels: bids.length / 2, askLevels: asks.length / 2 };
    ingest.record(Object.assign(record, { symbol, seq, epoch: 1, state: LIVE, row: -1 }, times, levels));
    ingest.batchEnd();
  };
  return {
    bench,
    client,
    book,
    subscribe: (message = {}) => bench.send({ op: "subscribe", channel: "book", symbols: ["A"], ...message }),
  };
}

test("a depth is granted upwards, and a new one sends the book again", () => {
  const { bench, client, book, subscribe } = open("tickgate.v1.msgpack");
  book("A", 7);
  const granted: unknown[] = [];
  for (const depth of [undefined, 1, 2, 5, 6, 11, 20, 21, 50]) {
    subscribe(depth === undefined ? {} : { depth });
    granted.push((client.messages.at(-1) as { depth?: number }).depth);
    bench.advance(50);
    assert.equal(client.last.get("A"), 7);
  }
  assert.deepEqual(granted, [10, 1, 5, 5, 10, 20, 20, 50, 50]);
  assert.equal(client.snapshots, granted.length);
  assert.equal(new Set(client.handles.keys()).size, 1, "it keeps its handle");
  assert.deepEqual(client.breaches, []);
});

test("handles differ between channels", () => {
  const { bench, client, book, subscribe } = open("tickgate.v1.msgpack");
  bench.record("A", { epoch: 1, seq: 1 });
  book("A", 1);
  const handles: number[] = [];
  client.control = (message) => {
    if (message.op === "subscribed") handles.push(...message.symbols.map(([, handle]) => handle));
  };
  client.frame = () => {};
  for (const channel of CHANNELS) subscribe({ channel });
  bench.advance(50);
  assert.equal(new Set(handles).size, CHANNELS.length);
});

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("book" as const),
      symbol: fc.constantFrom("A", "B", "C"),
      jump: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("advance" as const), millis: fc.constantFrom(5, 30, 300, 1_500) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("narrow" as const), bytes: fc.constantFrom(0, 200, 1e9, 1e9) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("subscribe" as const),
      symbols: fc.constantFrom(["A"], ["B"], ["*"], ["A", "B"]),
      interval: fc.constantFrom(0, 0, 100, 250),
      depth: fc.constantFrom(...DEPTHS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("unsubscribe" as const), symbols: fc.constantFrom(["A"], ["*"]) }),
  },
);

for (const subprotocol of ["tickgate.v1.msgpack", "tickgate.v1.json"] as const)
  test(`${subprotocol}: whatever happens, each book is whole, none is old, and in the end it is the last one`, () => {
    let broadcast = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const { bench, client, book, subscribe } = open(subprotocol);
        const seqs = new Map([["A", 1]]);
        book("A", 1);
        subscribe({ interval: 0 });
        bench.advance(1_500);
        for (const each of steps) {
          if (each.kind === "book") {
            seqs.set(each.symbol, (seqs.get(each.symbol) ?? 0) + each.jump);
            book(each.symbol, seqs.get(each.symbol) ?? 0);
          } else if (each.kind === "advance") bench.advance(each.millis);
          else if (each.kind === "narrow") bench.outbound.narrow = each.bytes;
          else if (each.kind === "subscribe") subscribe({ ...each });
          else bench.send({ op: "unsubscribe", channel: "book", symbols: each.symbols });
        }
        bench.outbound.narrow = Number.POSITIVE_INFINITY;
        bench.outbound.resume();
        bench.advance(1_000);
        assert.deepEqual(client.breaches, []);
        for (const [symbol, last] of client.last) assert.equal(last, seqs.get(symbol) ?? 0, symbol);
        broadcast += bench.context.counts.ticksBroadcast;
      }),
      { numRuns: 150 },
    );
    assert.ok(broadcast > 100, `${broadcast} broadcast`);
  });

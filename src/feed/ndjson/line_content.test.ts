/** What becomes of strange trades and books, line by line: the table of docs/feeds.md. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { KeptLog } from "../../../test/support/feed_bench.ts";
import { ManualClock } from "../../base/clock.ts";
import { STATES } from "../../base/tick.ts";
import { type BookPayload, BookRecord } from "../../market/book/book_payload.ts";
import { createPublisherTable } from "../../market/channels.ts";
import { PublisherTable } from "../../market/publisher_table.ts";
import type { TradePayload } from "../../market/trade/trade_payload.ts";
import type { Channel } from "../../protocol/messages.ts";
import { Publisher } from "../publisher.ts";
import { BadLine } from "./bad_line.ts";
import { parseLine } from "./line.ts";
import { NdjsonFeed } from "./ndjson.ts";

const LIMITS = { rows: 10, tradesPerSymbol: 1_024, maxTrades: 10_000, secondBars: 60, minuteBars: 60, maxBars: 1_000 };
const NO_BUS = { isLeading: true, start: async () => {}, changed: () => {}, close: async () => {} };

/** A feed whose lines a test writes, up to the publisher's tables. */
class Lines {
  readonly clock = new ManualClock();
  readonly kept = new KeptLog();
  readonly quotes = new PublisherTable(10);
  readonly trades = createPublisherTable("trade", LIMITS) as PublisherTable<TradePayload>;
  readonly books = createPublisherTable("book", LIMITS) as PublisherTable<BookPayload>;
  readonly publisher: Publisher;
  readonly #input = new PassThrough();
  readonly #feed: NdjsonFeed;

  constructor(channels: readonly Channel[] = ["quote", "trade", "book"]) {
    const others = new Map<Channel, PublisherTable<never>>();
    if (channels.includes("trade")) others.set("trade", this.trades as never);
    if (channels.includes("book")) others.set("book", this.books as never);
    this.publisher = new Publisher(this.quotes, NO_BUS, this.clock, { metrics: true }, others as never);
    const context = { sink: this.publisher, clock: this.clock, log: this.kept.log, channels: new Set(channels) };
    const source = { isPipe: false, probe() {}, open: () => this.#input };
    this.#feed = new NdjsonFeed("-", source, { silence: 0 }, context);
    this.#feed.start();
  }

  /** Writes lines, and waits until they have been read. */
  async write(...lines: (string | object)[]): Promise<void> {
    for (const line of lines) this.#input.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`);
    while (this.#input.readableLength > 0 || this.#input.isPaused()) await new Promise(setImmediate);
  }

  /** The reasons of the lines that were logged as skipped. */
  get logged(): unknown[] {
    return this.kept.lines.flatMap(({ msg, reason }) => (msg === "skipping a line" ? [reason] : []));
  }

  get tape(): (number | string | null)[][] {
    const ring = this.trades.payload.ringOf(0);
    return Array.from({ length: ring.count }, (_, index) => {
      const slot = ring.slotOf(ring.start + index);
      return [ring.price[slot], ring.size[slot], ring.side[slot], ring.ids[slot]];
    });
  }

  get book(): { bids: number[]; asks: number[]; state: string } {
    const record = new BookRecord();
    this.books.read(0, record);
    const { bids, asks, bidLevels, askLevels, reason } = record;
    return {
      bids: [...bids.subarray(0, bidLevels * 2)],
      asks: [...asks.subarray(0, askLevels * 2)],
      state: `${STATES[record.state]} ${reason}`.trim(),
    };
  }

  close(): Promise<void> {
    return this.#feed.close();
  }
}

function withTrade(trade: unknown, more = {}) {
  return { symbol: "A", trade, ...more };
}

function withBook(bids: unknown, asks: unknown) {
  return { symbol: "A", book: { bids, asks } };
}

test("a trade that is none is a line that is skipped, counted and logged with what is wrong", async (t) => {
  const lines = new Lines();
  t.after(() => lines.close());
  const good = { price: 1, size: 1 };
  const price = 'the line "trade.price" must be a number';
  const size = 'the line "trade.size" must be a number above 0';
  const side = 'the line "trade.side" must be "buy", "sell" or null';
  const id = 'the line "trade.id" must be a text of 1 to 36 printable ASCII characters, or a number';
  const notJson = "the line is not JSON";
  const object = 'the line "trade" must be an object';
  const bad: [line: string | object, reason: string][] = [
    [withTrade({ size: 1 }), price],
    [withTrade({ ...good, price: null }), price],
    [withTrade({ ...good, price: "1" }), price],
    ['{"symbol":"A","trade":{"price":1e999,"size":1}}', price],
    ['{"symbol":"A","trade":{"price":NaN,"size":1}}', notJson],
    [withTrade({ price: 1 }), size],
    [withTrade({ ...good, size: 0 }), size],
    [withTrade({ ...good, size: -1 }), size],
    ['{"symbol":"A","trade":{"price":1,"size":1e999}}', size],
    ['{"symbol":"A","trade":{"price":1,"size":NaN}}', notJson],
    ...["BUY", "", "constructor", "__proto__", true, 2, ["buy"], {}].map((value): [object, string] => [
      withTrade({ ...good, side: value }),
      side,
    ]),
    ...["", "x".repeat(37), "é", "a\tb", true, {}].map((value): [object, string] => [
      withTrade({ ...good, id: value }),
      id,
    ]),
    [
      '{"symbol":"A","trade":{"price":1,"size":1,"id":9007199254740993}}',
      'the line "trade.id" must be a text where it is a number above 2^53',
    ],
    [withTrade([]), price],
    [withTrade("x"), object],
    [withTrade(5), object],
  ];
  for (const [line] of bad) {
    await lines.write(line);
    // The log has at most five in ten seconds.
    lines.clock.advance(10_000);
  }
  assert.deepEqual(
    lines.logged,
    bad.map(([, reason]) => reason),
  );
  assert.equal(lines.publisher.counts.skipped.malformed, bad.length);
  assert.deepEqual([lines.trades.rows, lines.quotes.rows], [0, 0]);
  // The whole line is skipped.
  await lines.write(withTrade({ ...good, size: 0 }, { bid: 1, book: { bids: [[1, 1]] } }));
  assert.deepEqual([lines.quotes.rows, lines.books.rows], [0, 0]);
});

test("a price below zero is one, null means no key, and a side may be a number", async (t) => {
  const lines = new Lines();
  t.after(() => lines.close());
  await lines.write(
    withTrade({ price: -37.63, size: 0.5, side: "sell", id: 12 }),
    withTrade({ price: 0, size: 1e-9, side: null, id: null }),
    withTrade({ price: -0, size: 1, side: 1, id: 9007199254740991 }),
    withTrade({ price: 1, size: 1, side: 0, id: 1.5 }),
    { symbol: "A", bid: 1, trade: null, book: null },
  );
  assert.deepEqual(lines.tape, [
    [-37.63, 0.5, -1, "12"],
    [0, 1e-9, 0, null],
    [0, 1, 1, "9007199254740991"],
    [1, 1, 0, "1.5"],
  ]);
  assert.deepEqual([lines.logged, lines.quotes.rows, lines.books.rows], [[], 1, 0]);
  await lines.write({ symbol: "A", trade: null });
  assert.deepEqual(lines.logged, ["the line has neither a field nor a time"]);
});

test("a trade that comes twice is counted, one that comes late keeps its place, one of the future its order", async (t) => {
  const lines = new Lines();
  t.after(() => lines.close());
  const now = lines.clock.micros();
  const sent: [id: number, time: number | string][] = [
    [7, now],
    [9, now + 2_000],
    [7, now],
    [8, now + 1_000],
    [10, now + 3_600_000_000],
  ];
  for (const [id, time] of sent) await lines.write(withTrade({ price: id, size: 1, id }, { time }));
  assert.deepEqual(
    lines.tape.map(([, , , id]) => id),
    ["7", "9", "8", "10"],
  );
  const ring = lines.trades.payload.ringOf(0);
  assert.deepEqual([...ring.eventTime.subarray(0, 4)], [now, now + 2_000, now + 1_000, now]);
  const { skipped, replacedTimes } = lines.publisher.counts;
  assert.deepEqual([skipped.duplicate, skipped.malformed, replacedTimes], [1, 0, 1]);
  await lines.write(withTrade({ price: 1, size: 1, id: 11 }, { time: "2150-01-01T00:00:00Z" }));
  assert.equal(skipped.malformed, 1);
  assert.equal(lines.tape.length, 4);
});

test("a book may have one side, levels in any order and of size 0, and more than are published", async (t) => {
  const lines = new Lines();
  t.after(() => lines.close());
  await lines.write(
    withBook(
      [
        [1, 5],
        [3, 6],
        [2, 0],
        [2.5, 7],
      ],
      [
        [5, 1],
        [4, 2],
        [3, 0],
      ],
    ),
  );
  assert.deepEqual(lines.book, { bids: [3, 6, 2.5, 7, 1, 5], asks: [4, 2, 5, 1], state: "live" });
  await lines.write({ symbol: "A", book: { asks: [[7, 1]] } });
  assert.deepEqual(lines.book, { bids: [], asks: [7, 1], state: "live" });
  await lines.write(withBook([[7, 1]], null));
  assert.deepEqual(lines.book, { bids: [7, 1], asks: [], state: "live" });
  // 10,000 levels are 59 KB: one more character each, and the line would be too long.
  const many = Array.from({ length: 10_000 }, (_, index) => `[${index % 10},1]`).join();
  await lines.write(`{"symbol":"A","book":{"bids":[${many}]}}`);
  assert.deepEqual(lines.book, { bids: new Array(50).fill([9, 1]).flat(), asks: [], state: "live" });
  assert.deepEqual(lines.logged, []);
  await lines.write(withBook([], []));
  assert.deepEqual(lines.book, { bids: [], asks: [], state: "live" });
});

test("a book that is none is a line that is skipped", async (t) => {
  const lines = new Lines();
  t.after(() => lines.close());
  const levels = (name: string) => `the line "book.${name}" must be a list of at most 10000 pairs [price, size]`;
  const bad: [line: string | object, reason: string][] = [
    [withBook([[1]], []), levels("bids")],
    [withBook([[1, -1]], []), levels("bids")],
    [withBook([[null, 1]], []), levels("bids")],
    [withBook([["1", "2"]], []), levels("bids")],
    [withBook([1, 2], []), levels("bids")],
    [withBook({}, []), levels("bids")],
    [withBook([], [[1, "2"]]), levels("asks")],
    [withBook([], 5), levels("asks")],
    ['{"symbol":"A","book":{"asks":[[1e999,1]]}}', levels("asks")],
    [`{"symbol":"A","book":{"bids":[${new Array(10_001).fill("[1,1]").join()}]}}`, levels("bids")],
    [`{"symbol":"A","book":{"bids":[${new Array(10_001).fill("[1,1]").join(" ")}]}}`, "the line is not JSON"],
    [withBook(new Array(10_000).fill([1.5, 1]), []), "the line is longer than 65536 bytes"],
    [{ symbol: "A", book: [] }, 'the line "book" must be an object'],
    [{ symbol: "A", book: "x" }, 'the line "book" must be an object'],
  ];
  for (const [line] of bad) {
    await lines.write(line);
    lines.clock.advance(10_000);
  }
  assert.deepEqual(
    lines.logged,
    bad.map(([, reason]) => reason),
  );
  assert.equal(lines.publisher.counts.skipped.malformed, bad.length);
  assert.equal(lines.books.rows, 0);
});

test("a crossed book is stale and not shown; the next good one is live", async (t) => {
  const lines = new Lines();
  t.after(() => lines.close());
  await lines.write(withBook([[3, 1]], [[2, 1]]));
  assert.equal(lines.books.rows, 0);
  await lines.write(
    withBook([[1, 1]], [[2, 1]]),
    withBook(
      [
        [1, 1],
        [3, 1],
      ],
      [[2, 1]],
    ),
  );
  assert.deepEqual(lines.book, { bids: [1, 1], asks: [2, 1], state: "stale crossed book" });
  // A level of size 0 crosses nothing.
  await lines.write(
    withBook(
      [
        [1, 1],
        [3, 0],
      ],
      [[2, 1]],
    ),
  );
  assert.deepEqual(lines.book, { bids: [1, 1], asks: [2, 1], state: "live" });
  assert.deepEqual(lines.logged, []);
});

test("what the feed has no channel for is logged, and the rest of the line is published", async (t) => {
  const lines = new Lines(["quote", "trade"]);
  t.after(() => lines.close());
  await lines.write({ symbol: "A", bid: 1, trade: { price: 1, size: 1 }, book: { bids: [[1, 1]] } });
  assert.deepEqual([lines.quotes.rows, lines.tape.length, lines.books.rows], [1, 1, 0]);
  assert.deepEqual(lines.logged, ["the line has a book, and the feed no option channels=quote,book"]);
  assert.equal(lines.publisher.counts.skipped.unknown, 1);
});

test("any trade or book is read or a bad line, and what is read is proper", () => {
  const value = fc.oneof(
    fc.double({ noNaN: true }),
    fc.integer(),
    fc.string(),
    fc.constantFrom(null, true, "buy", "sell"),
    fc.array(fc.array(fc.oneof(fc.double({ noNaN: true }), fc.integer(), fc.constant(null)), { maxLength: 3 })),
    fc.array(fc.tuple(fc.integer(), fc.nat())),
  );
  const part = fc.oneof(value, fc.dictionary(fc.constantFrom("price", "size", "side", "id", "bids", "asks"), value));
  fc.assert(
    fc.property(fc.record({ trade: part, book: part }, { requiredKeys: [] }), (parts) => {
      const line = parseLine(JSON.stringify({ symbol: "A", ...parts }));
      if (line instanceof BadLine) return;
      const { trade, book } = line;
      if (trade) {
        assert.ok(Number.isFinite(trade.price) && Number.isFinite(trade.size) && trade.size > 0);
        assert.ok([1, -1, 0].includes(trade.side));
        assert.ok(trade.id === null || /^[\x20-\x7e]{1,36}$/.test(trade.id));
      }
      for (const [side, sign] of book
        ? ([
            [book.bids, -1],
            [book.asks, 1],
          ] as const)
        : [])
        for (let index = 0; index < side.length; index += 2) {
          assert.ok(Number.isFinite(side[index]) && side[index + 1] > 0);
          if (index > 0) assert.ok((side[index] - side[index - 2]) * sign >= 0, "the best first");
        }
    }),
    { numRuns: 2_000 },
  );
});

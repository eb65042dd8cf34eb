/** What a feed reports as trades and books, and what becomes of it where it is strange. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../base/clock.ts";
import { STATES } from "../base/tick.ts";
import type { BusWriter } from "../bus/bus.ts";
import type { BookPayload } from "../market/book/book_payload.ts";
import { createPublisherTable } from "../market/channels.ts";
import { PublisherTable } from "../market/publisher_table.ts";
import type { TradePayload } from "../market/trade/trade_payload.ts";
import type { Trade } from "../market/trade/trade_ring.ts";
import type { Channel } from "../protocol/messages.ts";
import { CROSSED, Publisher } from "./publisher.ts";

const LIMITS = { rows: 2, tradesPerSymbol: 64, maxTrades: 1_000, secondBars: 60, minuteBars: 60, maxBars: 1_000 };
const NONE = { unknown: 0, malformed: 0, invalid_symbol: 0, table_full: 0, duplicate: 0 };

function setUp() {
  const trades = createPublisherTable("trade", LIMITS) as PublisherTable<TradePayload>;
  const books = createPublisherTable("book", LIMITS) as PublisherTable<BookPayload>;
  const changed: string[] = [];
  const bus: BusWriter = {
    isLeading: true,
    start: async () => {},
    changed: (row, channel = "quote") => void changed.push(`${channel} ${row}`),
    close: async () => {},
  };
  const clock = new ManualClock();
  const others = new Map<Channel, PublisherTable<TradePayload> | PublisherTable<BookPayload>>([
    ["trade", trades],
    ["book", books],
  ]);
  const publisher = new Publisher(new PublisherTable(2), bus, clock, { metrics: true }, others as never);
  return { trades, books, changed, clock, publisher };
}

function tradeOf(part: Partial<Trade> = {}): Trade {
  return { price: 1, size: 1, side: 0, id: null, ...part };
}

test("a trade without a price, a size, a known side or a proper id is malformed, and leaves nothing behind", () => {
  const { trades, publisher, changed } = setUp();
  const wrong: Partial<Trade>[] = [
    ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY].map((size) => ({ size })),
    ...[Number.NaN, Number.NEGATIVE_INFINITY].map((price) => ({ price })),
    ...[2, 0.5, Number.NaN].map((side) => ({ side })),
    ...["", "x".repeat(37), "é", "a\nb", "\u{1F600}"].map((id) => ({ id })),
  ];
  for (const part of wrong) publisher.trade("A", tradeOf(part), undefined);
  assert.deepEqual(publisher.counts.skipped, { ...NONE, malformed: wrong.length });
  assert.deepEqual([trades.rows, publisher.counts.trades, changed.length], [0, 0, 0]);
  // Spreads and power are traded below zero.
  publisher.trade("A", tradeOf({ price: -37.63, id: "x".repeat(36) }), undefined);
  assert.deepEqual([trades.seq[0], publisher.counts.trades], [1, 1]);
});

test("a trade that comes twice is a duplicate; one that comes late keeps its place", () => {
  const { trades, publisher, clock } = setUp();
  const now = clock.micros();
  const sent: [id: string | null, time: number][] = [
    ["7", now - 10],
    ["9", now - 8],
    ["7", now - 10],
    ["8", now - 9],
    ["9", now],
    [null, now],
    [null, now],
    ["11111111-1111-4111-8111-111111111111", now],
    ["11111111-1111-4111-8111-111111111111", now],
  ];
  for (const [id, time] of sent) publisher.trade("A", tradeOf({ id }), time);
  const ring = trades.payload.ringOf(0);
  assert.deepEqual(ring.ids.slice(0, ring.count), ["7", "9", "8", null, null, "11111111-1111-4111-8111-111111111111"]);
  assert.deepEqual([...ring.eventTime.subarray(0, 3)], [now - 10, now - 8, now - 9]);
  assert.deepEqual([...ring.seq.subarray(0, ring.count)], [1, 2, 3, 4, 5, 6]);
  assert.equal(publisher.counts.skipped.duplicate, 3);
  // The same id of another symbol is another trade.
  publisher.trade("B", tradeOf({ id: "9" }), now);
  assert.equal(trades.seq[1], 1);
});

test("a repeated trade is no trade, but a sign of life: a venue repeats its last one after a lost connection", () => {
  const { trades, publisher, changed } = setUp();
  const state = () => `${STATES[trades.state[0]]} ${trades.reasons[0]}`.trim();
  publisher.trade("A", tradeOf({ id: "7" }), undefined);
  publisher.stale("connection lost", ["A"]);
  assert.equal(state(), "stale connection lost");
  for (let count = 0; count < 2; count++) publisher.trade("A", tradeOf({ id: "7" }), undefined);
  assert.deepEqual([state(), trades.seq[0], trades.payload.ringOf(0).count], ["live", 1, 1]);
  assert.deepEqual(changed, ["trade 0", "trade 0", "trade 0"]);
  assert.equal(publisher.counts.skipped.duplicate, 2);
});

test("the time of a trade or book that is far ahead is the time of receipt", () => {
  const { trades, books, publisher, clock } = setUp();
  const now = clock.micros();
  for (const time of [now + 600_000_001, 0, Number.NaN]) {
    publisher.trade("A", tradeOf(), time);
    publisher.book("A", { bids: [1, 1], asks: [] }, time);
    assert.deepEqual([trades.eventTime[0], books.eventTime[0]], [now, now]);
  }
  assert.equal(publisher.counts.replacedTimes, 6);
});

test("a crossed book is stale and keeps what was there; the next good one is live", () => {
  const { books, publisher, changed } = setUp();
  const state = () => `${STATES[books.state[0]]} ${books.reasons[0]}`.trim();
  publisher.book("A", { bids: [1, 5], asks: [2, 5] }, undefined);
  publisher.book("A", { bids: [3, 5], asks: [2, 5] }, undefined);
  assert.equal(state(), `stale ${CROSSED}`);
  assert.deepEqual([books.payload.numbers[0], books.seq[0]], [1, 1]);
  publisher.book("A", { bids: [2, 5], asks: [2, 5] }, undefined);
  assert.equal(state(), `stale ${CROSSED}`, "a locked book too");
  // The second one changes nothing.
  assert.deepEqual(changed, ["book 0", "book 0"]);
  publisher.book("A", { bids: [], asks: [2, 5] }, undefined);
  assert.equal(state(), "live");
  assert.deepEqual([books.payload.bidLevels[0], books.payload.askLevels[0], books.seq[0]], [0, 1, 2]);
  assert.equal(publisher.counts.books, 4);
});

test("a symbol whose first book is crossed has none yet: nothing is published of it", () => {
  const { books, publisher, changed } = setUp();
  publisher.book("A", { bids: [3, 5], asks: [2, 5] }, undefined);
  publisher.stale("silence");
  assert.deepEqual([changed, books.rows, publisher.counts.books], [[], 0, 1]);
  publisher.book("A", { bids: [1, 5], asks: [2, 5] }, undefined);
  assert.deepEqual([changed, books.seq[0], STATES[books.state[0]]], [["book 0"], 1, "live"]);
});

test("a feed that does not publish trades and books ignores them", () => {
  const bus: BusWriter = {
    isLeading: true,
    start: async () => {},
    changed: () => assert.fail(),
    close: async () => {},
  };
  const publisher = new Publisher(new PublisherTable(1), bus, new ManualClock());
  publisher.trade("A", tradeOf({ size: -1 }), undefined);
  publisher.book("A", { bids: [1, 1], asks: [] }, undefined);
  publisher.bookLost("A", "gap");
  assert.deepEqual([publisher.counts.skipped, publisher.counts.trades, publisher.counts.books], [NONE, 0, 0]);
});

test("symbols beyond the limit of a channel are counted", () => {
  const { publisher } = setUp();
  for (const symbol of ["A", "B", "C"]) {
    publisher.trade(symbol, tradeOf(), undefined);
    publisher.book(symbol, { bids: [1, 1], asks: [] }, undefined);
  }
  publisher.trade("not a symbol", tradeOf(), undefined);
  publisher.book("not a symbol", { bids: [1, 1], asks: [] }, undefined);
  assert.deepEqual(publisher.counts.skipped, { ...NONE, table_full: 2, invalid_symbol: 2 });
  assert.deepEqual([publisher.counts.trades, publisher.counts.books], [2, 2]);
});

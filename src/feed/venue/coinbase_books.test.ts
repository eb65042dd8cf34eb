import assert from "node:assert/strict";
import { test } from "node:test";
import { captures } from "../../../test/support/captures.ts";
import { KeptLog, keptContext, until } from "../../../test/support/feed_bench.ts";
import { ManualClock } from "../../base/clock.ts";
import type { Capture } from "../capture/capture.ts";
import { Player } from "../capture/player.ts";
import { openFeed, parseFeed } from "../spec.ts";
import { CoinbaseVenue } from "./coinbase.ts";

/** Trades in order, and the whole book of each product, worked out from the capture without the code under test. */
function expected({ received }: Capture) {
  const trades: unknown[] = [];
  const books = new Map<string, { buy: Map<number, number>; sell: Map<number, number> }>();
  let bookMessages = 0;
  for (const { text } of received) {
    const { type, product_id: product, ...rest } = JSON.parse(text);
    if (type === "match" || type === "last_match")
      trades.push([`COINBASE:${product}`, `${rest.trade_id}`, +rest.price, +rest.size, rest.side === "sell" ? 1 : -1]);
    if (type === "snapshot") {
      const levels = (side: string[][]) => new Map(side.map(([price, size]) => [+price, +size]));
      books.set(product, { buy: levels(rest.bids), sell: levels(rest.asks) });
    }
    const book = books.get(product);
    if (type === "l2update" && book)
      for (const [side, price, size] of rest.changes as ["buy" | "sell", string, string][])
        if (+size === 0) book[side].delete(+price);
        else book[side].set(+price, +size);
    if (type === "snapshot" || (type === "l2update" && book)) bookMessages++;
  }
  return { trades, books, bookMessages };
}

for (const [file, capture] of captures("coinbase"))
  test(`${file}: every trade once and in order, and every book to the last level`, async (t) => {
    const { trades, books, bookMessages } = expected(capture);
    const products = capture.received.map(({ text }) => JSON.parse(text).product_id).filter(Boolean);
    const player = new Player(capture, { log: new KeptLog().log });
    const url = await player.listen();
    const context = keptContext();
    const target = [...new Set(products)].join(",");
    const feed = openFeed(parseFeed(`coinbase:${target}?url=${url}&channels=quote,trade,book`), context);
    t.after(async () => {
      await feed.close();
      await player.close();
    });
    feed.start();
    const { sink } = context;
    await until(sink.changed, () => sink.trades.length + sink.books.length >= trades.length + bookMessages, "all");
    assert.deepEqual(
      sink.trades.map(({ symbol, id, price, size, side }) => [symbol, id, price, size, side]),
      trades,
    );
    assert.equal(sink.books.length, bookMessages);
    for (const [product, { buy, sell }] of books) {
      const last = sink.books.findLast(({ symbol }) => symbol === `COINBASE:${product}`);
      assert.deepEqual(
        last?.bids,
        [...buy]
          .sort(([a], [b]) => b - a)
          .slice(0, 50)
          .flat(),
        product,
      );
      assert.deepEqual(
        last?.asks,
        [...sell]
          .sort(([a], [b]) => a - b)
          .slice(0, 50)
          .flat(),
        product,
      );
    }
    for (const { bids, asks } of sink.books) assert.ok(!(bids[0] >= asks[0]));
    assert.deepEqual([sink.states, sink.skipped], [[], []]);
  });

const snapshot = { type: "snapshot", product_id: "A-B", bids: [["1", "1"]], asks: [["2", "1"]] };
const update = (changes: unknown) => ({ type: "l2update", product_id: "A-B", time: "2020-01-01T00:00:00Z", changes });

test("only what the feed publishes is subscribed to", () => {
  const subscribed = (...channels: ("quote" | "trade" | "book")[]) => {
    const venue = new CoinbaseVenue("ws://x", ["A-B"], { ...keptContext(), channels: new Set(channels) });
    assert.equal(venue.message(snapshot, () => {}) === "tick", channels.includes("book"));
    return JSON.parse(venue.subscribe()[0]).channels;
  };
  assert.deepEqual(subscribed("quote"), ["ticker", "heartbeat"]);
  assert.deepEqual(subscribed("quote", "trade"), ["ticker", "heartbeat", "matches"]);
  assert.deepEqual(subscribed("quote", "book"), ["ticker", "heartbeat", "level2_batch"]);
});

test("a crossed or unreadable book is lost, and subscribed to again at a limited rate", () => {
  const clock = new ManualClock();
  const context = keptContext(clock);
  const venue = new CoinbaseVenue("ws://x", ["A-B"], context);
  const sent: string[] = [];
  const hear = (message: unknown) => venue.message(message, (text) => sent.push(JSON.parse(text).type));
  venue.subscribe();
  assert.equal(hear(update([["buy", "1.5", "1"]])), "control");
  assert.equal(sent.length, 0);
  assert.equal(hear(snapshot), "tick");
  clock.advance(10_000);
  assert.equal(hear(update([["buy", "2", "1"]])), "control");
  assert.deepEqual(sent, ["unsubscribe", "subscribe"]);
  assert.equal(hear(update([["buy", "1.5", "1"]])), "control");
  assert.equal(context.sink.books.length, 1);
  assert.equal(hear(snapshot), "tick");
  assert.equal(hear(update([["buy", "", "1"]])), "malformed");
  assert.equal(sent.length, 2);
  clock.advance(10_000);
  assert.equal(hear(update([])), "control");
  assert.equal(sent.length, 4);
  assert.equal(hear(snapshot), "tick");
  assert.deepEqual(context.sink.states, [
    "book lost: COINBASE:A-B crossed book",
    "book lost: COINBASE:A-B unreadable book",
  ]);
});

test("the book of a new connection begins with its snapshot", () => {
  const context = keptContext();
  const venue = new CoinbaseVenue("ws://x", ["A-B"], context);
  venue.subscribe();
  venue.message(snapshot, () => {});
  venue.subscribe();
  assert.equal(
    venue.message(update([["buy", "1.5", "1"]]), () => {}),
    "control",
  );
  assert.equal(context.sink.books.length, 1);
});

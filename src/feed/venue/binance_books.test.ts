import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { captures } from "../../../test/support/captures.ts";
import { KeptLog, keptContext, until } from "../../../test/support/feed_bench.ts";
import { type Capture, parseCapture } from "../capture/capture.ts";
import { Player } from "../capture/player.ts";
import { openFeed, parseFeed } from "../spec.ts";
import { BinanceVenue } from "./binance.ts";
import { BinanceBook, type DepthEvent } from "./binance_book.ts";
import { BinanceSnapshots, type BookSnapshot } from "./binance_snapshots.ts";
import { PacedRequests } from "./paced_requests.ts";

const URL = "wss://stream.binance.com:9443/stream";
const depth = (U: number, u: number, b: string[][], a: string[][]) =>
  `1: ${JSON.stringify({ stream: "ab@depth@100ms", data: { e: "depthUpdate", E: 1_700_000_000_000, s: "AB", U, u, b, a } })}`;
/** As the documentation shows the messages. */
const transcribed = parseCapture(
  [
    `https://api.binance.com/api/v3/depth?symbol=AB&limit=1000 -> 1: {"lastUpdateId":10,"bids":[["4.00","431"],["3.9","1"]],"asks":[["4.02","12"]]}`,
    `${URL} <-> 1`,
    depth(8, 9, [["1", "1"]], []),
    depth(9, 11, [["3.9", "0"]], [["4.01", "2"]]),
    '1: {"stream":"ab@aggTrade","data":{"e":"aggTrade","E":1700000000000,"s":"AB","a":7,"p":"4","q":"1","f":1,"l":1,"T":1700000000000,"m":true}}',
    '1: {"stream":"ab@aggTrade","data":{"e":"aggTrade","E":1700000000000,"s":"AB","a":8,"p":"4.01","q":"2","f":2,"l":2,"T":1700000000000,"m":false}}',
    depth(12, 12, [["4.005", "5"]], [["9", "0"]]),
  ].join("\n"),
  "transcribed",
);

/** Trades in order, and the whole book of each pair, worked out from the capture without the code under test. */
function expected({ received, answers }: Capture) {
  const trades: unknown[] = [];
  const books = new Map<string, { b: Map<number, number>; a: Map<number, number>; last: number }>();
  for (const { url, text } of answers) {
    const { lastUpdateId, bids, asks } = JSON.parse(text);
    const levels = (side: string[][]) => new Map(side.map(([price, size]) => [+price, +size]));
    books.set(/symbol=(\w+)/.exec(url)?.[1] ?? "", { b: levels(bids), a: levels(asks), last: lastUpdateId });
  }
  for (const { text } of received) {
    const { data } = JSON.parse(text);
    if (data.e === "aggTrade") trades.push([`BINANCE:${data.s}`, `${data.a}`, +data.p, +data.q, data.m ? -1 : 1]);
    const book = books.get(data.s);
    if (data.e !== "depthUpdate" || !book || data.u <= book.last) continue;
    assert.ok(data.U <= book.last + 1, "the capture has no gap");
    book.last = data.u;
    for (const side of ["b", "a"] as const)
      for (const [price, size] of data[side])
        if (+size === 0) book[side].delete(+price);
        else book[side].set(+price, +size);
  }
  return { trades, books };
}

for (const [file, capture] of [...captures("binance_books"), ["transcribed messages", transcribed] as const])
  test(`${file}: every trade once and in order, and every book to the last level`, async (t) => {
    const { trades, books } = expected(capture);
    const player = new Player(capture, { log: new KeptLog().log });
    const url = await player.listen();
    const context = keptContext();
    const pairs = [...books.keys()].join(",");
    const rest = url.replace("ws:", "http:");
    const feed = openFeed(parseFeed(`binance:${pairs}?url=${url}&rest=${rest}&channels=quote,trade,book`), context);
    t.after(async () => {
      await feed.close();
      await player.close();
    });
    feed.start();
    const { sink } = context;
    const last = (pair: string) => sink.books.findLast(({ symbol }) => symbol === `BINANCE:${pair}`);
    const bids = (pair: string) =>
      [...(books.get(pair)?.b ?? [])]
        .sort(([a], [b]) => b - a)
        .slice(0, 50)
        .flat();
    const asks = (pair: string) =>
      [...(books.get(pair)?.a ?? [])]
        .sort(([a], [b]) => a - b)
        .slice(0, 50)
        .flat();
    const isThere = (pair: string) =>
      `${last(pair)?.bids}` === `${bids(pair)}` && `${last(pair)?.asks}` === `${asks(pair)}`;
    await until(sink.changed, () => sink.trades.length >= trades.length && [...books.keys()].every(isThere), "all");
    assert.deepEqual(
      sink.trades.map(({ symbol, id, price, size, side }) => [symbol, id, price, size, side]),
      trades,
    );
    for (const book of sink.books) assert.ok(!(book.bids[0] >= book.asks[0]));
    assert.deepEqual([sink.states, sink.skipped], [[], []]);
    const before = sink.books.length;
    sink.books.length = 0;
    player.cut();
    await until(sink.changed, () => sink.states.length > 0, "the loss");
    await until(sink.changed, () => [...books.keys()].every(isThere), "the books again, from new snapshots");
    assert.ok(before > 0 && player.connections > 1);
    assert.ok(sink.states.every((state) => state.startsWith("stale: connection lost")));
  });

function bookOf() {
  const said: string[] = [];
  const book = new BinanceBook({
    changed: (changed) => said.push(`book ${changed.bids.top()} / ${changed.asks.top()}`),
    lost: (reason) => said.push(`lost: ${reason}`),
    needsSnapshot: () => said.push("snapshot?"),
  });
  const event = (first: number, last: number, bids: number[], asks: number[] = []): DepthEvent => {
    return { first, last, bids, asks, time: 1 };
  };
  const snapshot = (lastUpdateId: number): BookSnapshot => ({ lastUpdateId, bids: [1, 1], asks: [3, 1] });
  return { book, said: () => said.splice(0), event, snapshot };
}

test("a gap: the book is lost, and is there again with a snapshot that reaches it", () => {
  const { book, said, event, snapshot } = bookOf();
  book.start();
  book.apply(event(5, 6, [2, 1]));
  book.load(snapshot(3));
  assert.deepEqual(said(), ["snapshot?", "snapshot?"], "a snapshot from before the first event");
  book.load(snapshot(5));
  book.apply(event(6, 6, [9, 9]));
  book.apply(event(7, 8, [], [3, 2]));
  assert.deepEqual(said(), ["book 2,1,1,1 / 3,1", "book 2,1,1,1 / 3,2"]);
  book.apply(event(10, 10, [2.5, 1]));
  book.apply(event(11, 11, [2, 4]));
  assert.deepEqual(said(), ["lost: gap in the book's updates", "snapshot?"]);
  book.load(snapshot(8));
  assert.deepEqual(said(), ["snapshot?"]);
  book.load(snapshot(10));
  assert.deepEqual(said(), ["book 2,4,1,1 / 3,1"], "nothing of the lost book");
  book.start();
  book.load(snapshot(20));
  assert.deepEqual(said(), ["snapshot?", "book 1,1 / 3,1"], "nothing of the connection before");
});

test("crossed and unreadable books are lost; what waits is bounded", () => {
  const { book, said, event, snapshot } = bookOf();
  book.start();
  book.load(snapshot(1));
  book.apply(event(2, 2, [3, 1]));
  book.load(snapshot(2));
  book.apply(undefined);
  assert.deepEqual(said().slice(2), [
    ...["lost: crossed book", "snapshot?", "book 1,1 / 3,1"],
    ...["lost: unreadable book", "snapshot?"],
  ]);
  for (let update = 3; update < 20_003; update++) book.apply(event(update, update, [1, update]));
  book.load(snapshot(2));
  assert.deepEqual(said(), ["snapshot?"], "the oldest were dropped");
  book.load(snapshot(20_000));
  assert.deepEqual(said(), ["book 1,20002 / 3,1"]);
});

async function serve(t: TestContext, answer: (count: number) => [number, string]) {
  const asked: { url: string; at: number }[] = [];
  const server = createServer((request, response) => {
    asked.push({ url: request.url ?? "", at: performance.now() });
    const [status, text] = answer(asked.length);
    response.writeHead(status, { "retry-after": "1", connection: "close" }).end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { asked, rest: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

test("snapshots: refusals and rubbish are tried again, no faster than allowed", async (t) => {
  const good = '{"lastUpdateId":7,"bids":[["1","2"]],"asks":[]}';
  const { asked, rest } = await serve(t, (count) => (count === 1 ? [429, ""] : [200, count === 2 ? "x" : good]));
  const context = keptContext();
  const snapshots = new BinanceSnapshots(new PacedRequests(rest, 1_000), context);
  const snapshot = await new Promise((resolve) => snapshots.request("AB", resolve));
  assert.deepEqual(snapshot, { lastUpdateId: 7, bids: [1, 2], asks: [] });
  assert.deepEqual(
    asked.map(({ url }) => url),
    Array(3).fill("/api/v3/depth?symbol=AB&limit=500"),
  );
  assert.ok(asked[1].at - asked[0].at >= 990, "Retry-After");
  assert.ok(asked[2].at - asked[1].at >= 490);
  assert.match(String(context.kept.lines[0].reason), /429/);
});

test("through the adapter: a gap is reported, and the book comes back with the next snapshot", async (t) => {
  const { rest } = await serve(t, (count) => [200, `{"lastUpdateId":${count * 10},"bids":[["1","2"]],"asks":[]}`]);
  const context = keptContext();
  const { sink } = context;
  const venue = new BinanceVenue(
    "ws://x",
    ["AB"],
    context,
    new BinanceSnapshots(new PacedRequests(rest, 1_000), context),
  );
  t.after(() => venue.lost());
  const hear = (line: string) => venue.message(JSON.parse(line.slice("1: ".length)));
  venue.subscribe();
  await until(sink.changed, () => sink.books.length === 1, "the first snapshot");
  assert.equal(hear(depth(12, 20, [["3", "1"]], [])), "tick");
  assert.deepEqual(sink.states, ["book lost: BINANCE:AB gap in the book's updates"]);
  assert.equal(hear(depth(21, 21, [["2", "1"]], [])), "tick");
  assert.equal(sink.books.length, 1, "nothing is shown of a lost book");
  await until(sink.changed, () => sink.books.length === 2, "the next snapshot");
  assert.deepEqual(sink.books[1].bids, [2, 1, 1, 2]);
});

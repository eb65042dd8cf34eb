/** Past bars from venues that a test plays: real HTTP, and a clock of the test's own. */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { KeptLog, until } from "../../../test/support/feed_bench.ts";
import { ManualClock } from "../../base/clock.ts";
import type { BarPayload } from "../../market/bar/bar_payload.ts";
import { CLOSED_BAR, CORRECTED_BAR, PARTIAL_BAR } from "../../market/bar/bar_series.ts";
import { createPublisherTable } from "../../market/channels.ts";
import { type BarMarketName, barLength, type MarketName } from "../../market/market_name.ts";
import type { Payload } from "../../market/payload.ts";
import { PublisherTable } from "../../market/publisher_table.ts";
import type { FeedContext } from "../adapter.ts";
import { Publisher } from "../publisher.ts";
import { BINANCE_CANDLES } from "./binance_candles.ts";
import { BinanceSnapshots } from "./binance_snapshots.ts";
import { COINBASE_CANDLES } from "./coinbase_candles.ts";
import { PacedRequests } from "./paced_requests.ts";
import { type Candles, PastBars } from "./past_bars.ts";

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
/** The start of a minute, at which all tests begin. */
const EPOCH = Math.floor(1_700_000_000 / 60) * MINUTE;
const SILENCE = 30_000;

type Reply = (request: IncomingMessage, response: ServerResponse) => void;

/** A venue's HTTP server. What it is asked is kept. */
class FakeVenue {
  readonly asked: { url: URL; at: number }[] = [];
  readonly changed = new EventEmitter();
  /** Replies to the next requests; later ones get candles. */
  readonly replies: Reply[] = [];
  rest = "";
  readonly #candles: (url: URL) => unknown;

  get count(): number {
    return this.asked.length;
  }

  constructor(candles: (url: URL) => unknown) {
    this.#candles = candles;
  }

  async listen(t: TestContext): Promise<void> {
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? "/", "http://x");
      this.asked.push({ url, at: performance.now() });
      const reply = this.replies.shift();
      if (reply) reply(request, response);
      else response.end(JSON.stringify(this.#candles(url)));
      this.changed.emit("change");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    this.rest = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
}

/** Trades in every minute and second but some. */
const hasTrade = (seconds: number) => seconds % 7 !== 0 || seconds % 60 === 0;

/** Answers as Binance does: oldest first, with klines of volume 0. */
function klines(url: URL): unknown[][] {
  const length = url.searchParams.get("interval") === "1s" ? 1_000 : 60_000;
  const start = Number(url.searchParams.get("startTime"));
  return Array.from({ length: Number(url.searchParams.get("limit")) }, (_, index) => {
    const time = start + index * length;
    const volume = hasTrade(time / 1_000) ? "10.5" : "0.00";
    return [time, "2", "4.5", "1", "3", volume, time + length - 1, "9", volume === "0.00" ? 0 : 7, "1", "1", "0"];
  });
}

/** Answers as Coinbase does: newest first, and one of before the start. */
function candles(url: URL): number[][] {
  const [start, end] = ["start", "end"].map((name) => Date.parse(String(url.searchParams.get(name))) / 1_000);
  assert.ok((end - start) / 60 < 300, "the venue refuses ranges of more than 300");
  const answer: number[][] = [];
  for (let time = end; time >= start - 60; time -= 60) answer.push([time, 1, 4.5, 2, 3, 10.5]);
  return answer;
}

async function setUp(
  t: TestContext,
  venue: FakeVenue,
  from: Candles,
  own: { names?: string[]; minuteBars?: number } = {},
) {
  await venue.listen(t);
  const clock = new ManualClock(EPOCH);
  // Besides the one that is forming.
  const { names = ["AB"], minuteBars = 60 } = own;
  const limits = {
    rows: 100,
    tradesPerSymbol: 16,
    maxTrades: 1_000,
    secondBars: 61,
    minuteBars: minuteBars + 1,
    maxBars: 10_000,
  };
  const others = new Map<MarketName, PublisherTable<Payload>>();
  for (const name of ["trade", "bar:1m", "bar:1s"] as const) others.set(name, createPublisherTable(name, limits));
  const changed = new EventEmitter();
  const bus = {
    isLeading: true,
    start: async () => {},
    changed: () => void changed.emit("change"),
    close: async () => {},
  };
  const sink = new Publisher(new PublisherTable(100), bus, clock, undefined, others);
  const pastBarsOf = sink.pastBars.bind(sink);
  let answers = 0;
  sink.pastBars = (...args) => {
    pastBarsOf(...args);
    answers++;
    changed.emit("change");
  };
  const answered = (count: number) => until(changed, () => answers >= count, `${count} answers`);
  const kept = new KeptLog();
  const context: FeedContext = { sink, clock, log: kept.log, channels: new Set(["quote", "bar"]) };
  const requests = new PacedRequests(venue.rest, 1_000);
  const pastBars = new PastBars(names, from, requests, context, SILENCE);
  t.after(() => {
    pastBars.close();
    requests.close();
  });
  /** Each bar as its distance from the beginning of the test in bars, with its flags. */
  const held = (market: BarMarketName, name = names[0]): [number, number][] => {
    const table = others.get(market) as PublisherTable<BarPayload>;
    const { start, flags, from: first, end } = table.payload.seriesOf(table.rowOf(from.symbolOf(name)));
    const length = barLength(market);
    return Array.from(start.subarray(first, end), (each, index) => [(each - EPOCH) / length, flags[first + index]]);
  };
  const trade = (name: string, time: number, size = 1) =>
    sink.trade(from.symbolOf(name), { price: 3, size, side: 0, id: null }, time);
  /** What was requested before is answered, or has failed; this counts as a request. */
  const settled = () =>
    new Promise<void>((resolve) => {
      const answered = () => resolve();
      const failed = () => true;
      requests.add({ path: "/?limit=0&start=0&end=0", spacing: 0, mostBytes: 100, isUrgent: false, answered, failed });
    });
  /** Time passes: what timers call is called. */
  const pass = (millis: number) => {
    clock.advance(millis);
    sink.closeBars();
    pastBars.check();
  };
  return { clock, bus, changed, sink, kept, context, requests, pastBars, others, held, trade, pass, answered, settled };
}

const binance = () => new FakeVenue(klines);
const coinbase = () => new FakeVenue(candles);
const closed = (from: number, end: number) =>
  Array.from({ length: end - from }, (_, index): [number, number] => [from + index, CLOSED_BAR]);

test("Binance: minutes and seconds as far back as they are kept, without those that had no trade", async (t) => {
  const venue = binance();
  const { pass, pastBars, changed, held, others } = await setUp(t, venue, BINANCE_CANDLES, { minuteBars: 2_300 });
  pastBars.connected(["AB"]);
  pass(10_000);
  await until(changed, () => held("bar:1m").length === 2_300 && held("bar:1s").length > 0, "all");
  assert.deepEqual(held("bar:1m"), closed(-2_300, 0));
  const seconds = held("bar:1s").map(([second]) => second);
  const wanted = Array.from({ length: 50 }, (_, index) => index - 50).filter((at) => hasTrade(EPOCH / SECOND + at));
  assert.deepEqual(seconds, wanted);
  assert.deepEqual(
    venue.asked.map(({ url }) => `${url.pathname}${url.search}`),
    [
      ["1m", -1_000, 1_000],
      ["1s", -50, 50],
      ["1m", -2_000, 1_000],
      ["1m", -2_300, 300],
    ].map(([interval, start, limit]) => {
      const time = (EPOCH + Number(start) * (interval === "1m" ? MINUTE : SECOND)) / 1_000;
      return `/api/v3/klines?symbol=AB&interval=${interval}&startTime=${time}&limit=${limit}`;
    }),
    "the newest first",
  );
  const gaps = venue.asked.slice(1).map(({ at }, index) => at - venue.asked[index].at);
  assert.ok(
    gaps.every((gap) => gap > 35),
    `a weight of 2 in 40 ms: ${gaps}`,
  );
  const { trades, volume, from } = (others.get("bar:1m") as PublisherTable<BarPayload>).payload.seriesOf(0);
  assert.deepEqual([trades[from], volume[from]], [7, 10.5]);
});

test("Coinbase: pages of 300, five a second, without numbers of trades", async (t) => {
  const venue = coinbase();
  const { pass, pastBars, changed, held, others, kept } = await setUp(t, venue, COINBASE_CANDLES, { minuteBars: 700 });
  pastBars.connected(["AB"]);
  pass(10_000);
  await until(changed, () => held("bar:1m").length === 700, "all");
  assert.deepEqual(held("bar:1m"), closed(-700, 0));
  assert.deepEqual(
    venue.asked.map(({ url }) => url.pathname + url.search),
    [
      [-300, -1],
      [-600, -301],
      [-700, -601],
    ].map(([first, last]) => {
      const [start, end] = [first, last].map((at) => new Date((EPOCH + at * MINUTE) / 1_000).toISOString());
      return `/products/AB/candles?granularity=60&start=${start}&end=${end}`;
    }),
  );
  for (const [index, { at }] of venue.asked.slice(1).entries()) assert.ok(at - venue.asked[index].at > 190);
  const { trades, open, high, low, close, from } = (
    others.get("bar:1m") as PublisherTable<BarPayload>
  ).payload.seriesOf(0);
  assert.deepEqual(
    [open, high, low, close, trades].map((column) => column[from]),
    [2, 4.5, 1, 3, 0],
  );
  assert.deepEqual(kept.lines, []);
});

test("the minute of the start is filled once it is over; complete ones stay as they are", async (t) => {
  const venue = coinbase();
  const { pass, pastBars, changed, held, trade, others } = await setUp(t, venue, COINBASE_CANDLES);
  pass(20_000);
  pastBars.connected(["AB"]);
  trade("AB", EPOCH + 20 * SECOND);
  pass(0);
  await until(changed, () => held("bar:1m").length === 61, "those of before");
  assert.deepEqual(held("bar:1m"), [...closed(-60, 0), [0, PARTIAL_BAR]]);
  pass(41_000);
  trade("AB", EPOCH + 61 * SECOND);
  assert.deepEqual(held("bar:1m").slice(-2), [
    [0, PARTIAL_BAR | CLOSED_BAR],
    [1, 0],
  ]);
  assert.equal(venue.asked.length, 1, "the venue may not have it yet");
  pass(10_000);
  await until(changed, () => held("bar:1m").at(-2)?.[1] === (CLOSED_BAR | CORRECTED_BAR), "the first minute");
  const { trades, volume, end } = (others.get("bar:1m") as PublisherTable<BarPayload>).payload.seriesOf(0);
  assert.deepEqual([trades[end - 2], volume[end - 2], volume[end - 1]], [0, 10.5, 1]);
  // One that comes late is in the venue's bar already.
  trade("AB", EPOCH + 30 * SECOND);
  assert.equal(volume[end - 2], 10.5);
  pass(60_000);
  pass(60_000);
  assert.equal(venue.asked.length, 2, "the next minute was followed");
  assert.deepEqual(held("bar:1m").at(-1), [1, CLOSED_BAR]);
});

test("after a loss only what was since is asked for, and of it what is not complete", async (t) => {
  const venue = binance();
  const { pass, clock, pastBars, changed, held, trade, settled } = await setUp(t, venue, BINANCE_CANDLES, {
    names: ["AB", "CD"],
  });
  pastBars.connected(["AB", "CD"]);
  pass(10_000);
  await until(changed, () => held("bar:1s", "CD").length > 0, "both");
  pass(60_000);
  await until(changed, () => held("bar:1m", "CD").length === 61 && held("bar:1m").length === 61, "the first minute");
  await settled();
  venue.asked.length = 0;
  for (let minute = 2; minute <= 20; minute++) {
    pass((EPOCH + minute * MINUTE - clock.micros()) / 1_000);
    if (minute < 10) trade("AB", clock.micros());
  }
  pastBars.lost(["AB"]);
  pastBars.lost(["AB"]);
  pass(150_000);
  await settled();
  assert.equal(venue.count, 1, "nothing while it is connected, nor while it is lost");
  pastBars.connected(["AB"]);
  pass(90_000);
  await until(changed, () => held("bar:1m").at(-1)?.[0] === 22, "what was missing");
  await settled();
  const asked = venue.asked.slice(1, -1).map(({ url }) => url.searchParams);
  assert.deepEqual(
    asked.map((query) => [query.get("symbol"), query.get("interval"), query.get("startTime"), query.get("limit")]),
    [["AB", "1m", `${(EPOCH + 19 * MINUTE) / 1_000}`, "4"]],
  );
});

test("a standby asks for nothing; one that leads asks for what the store did not have", async (t) => {
  const venue = coinbase();
  const { pass, bus, pastBars, changed, held, sink, settled } = await setUp(t, venue, COINBASE_CANDLES);
  bus.isLeading = false;
  pastBars.connected(["AB"]);
  pass(10_000);
  pass(1_000);
  await settled();
  assert.equal(venue.count, 1);
  bus.isLeading = true;
  const bar = { open: 9, high: 9, low: 9, close: 9, volume: 9, trades: 9 };
  // As the store's bars are adopted.
  sink.pastBars(
    "COINBASE:AB",
    "bar:1m",
    Array.from({ length: 20 }, (_, index) => ({ ...bar, start: EPOCH + (index - 20) * MINUTE })),
  );
  pass(1_000);
  await until(changed, () => held("bar:1m").length === 60, "the others");
  assert.equal(venue.count, 2);
  const { searchParams } = venue.asked[1].url;
  assert.equal(searchParams.get("start"), new Date((EPOCH - 60 * MINUTE) / 1_000).toISOString());
  assert.equal(searchParams.get("end"), new Date((EPOCH - 21 * MINUTE) / 1_000).toISOString());
  // An answer to one that does not lead any more.
  pastBars.lost(["AB"]);
  pass(200_000);
  pastBars.connected(["AB"]);
  venue.replies.push((_, response) => {
    bus.isLeading = false;
    response.end(JSON.stringify(candles(venue.asked[2].url)));
  });
  pass(1_000);
  await until(venue.changed, () => venue.count === 3, "the request");
  await settled();
  assert.equal(held("bar:1m").length, 60);
  bus.isLeading = true;
  pass(1_000);
  await until(changed, () => held("bar:1m").at(-1)?.[0] === 2, "the same again");
  assert.deepEqual(held("bar:1m").slice(-23), [
    ...Array.from({ length: 20 }, (_, index) => [index - 20, 1]),
    ...closed(0, 3),
  ]);
});

test("a quiet symbol's first trade after a loss makes no partial bar: it was received before", async (t) => {
  const { pass, sink, held, trade } = await setUp(t, coinbase(), COINBASE_CANDLES, { names: ["AB", "CD"] });
  sink.connected(["COINBASE:AB", "COINBASE:CD"]);
  for (const name of ["AB", "CD"]) trade(name, EPOCH);
  pass(100_000);
  sink.stale("lost", ["COINBASE:AB"]);
  pass(100_000);
  sink.connected(["COINBASE:AB"]);
  for (const name of ["AB", "CD"]) trade(name, EPOCH + 202 * SECOND);
  pass(80_000);
  for (const name of ["AB", "CD"]) trade(name, EPOCH + 279 * SECOND);
  assert.deepEqual(
    ["AB", "CD"].map((name) => held("bar:1m", name)),
    [
      [
        [0, CLOSED_BAR],
        [3, CLOSED_BAR | PARTIAL_BAR],
        [4, 0],
      ],
      [
        [0, CLOSED_BAR],
        [3, CLOSED_BAR],
        [4, 0],
      ],
    ],
  );
  pass(100_000);
  sink.stale("lost", ["COINBASE:AB"]);
  pass(1_000);
  sink.connected(["COINBASE:AB"]);
  pass(221_000);
  trade("AB", EPOCH + 601 * SECOND);
  assert.deepEqual(held("bar:1m").at(-1), [10, 0]);
});

const replied = (status: number, body: string, headers = {}): Reply => {
  return (_, response) => void response.writeHead(status, headers).end(body);
};

test("a venue that is busy is asked again when it says; cut off answers too", async (t) => {
  const venue = binance();
  venue.replies.push(
    replied(429, "", { "retry-after": "1" }),
    (_, response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write("[[1", () => response.destroy());
    },
    replied(418, "", { "retry-after": "2" }),
  );
  const { pass, pastBars, changed, held, kept } = await setUp(t, venue, BINANCE_CANDLES);
  pastBars.connected(["AB"]);
  pass(10_000);
  await until(changed, () => held("bar:1m").length === 60 && held("bar:1s").length > 0, "all");
  assert.deepEqual(kept.messages(), Array(3).fill("no past bars of a symbol"));
  assert.deepEqual(
    kept.lines.map(({ symbol, level }) => [symbol, level]),
    Array(3).fill(["BINANCE:AB", 40]),
  );
  assert.match(String(kept.lines[0].reason), /429/);
  assert.ok(venue.asked[1].at - venue.asked[0].at >= 990);
  assert.ok(venue.asked[3].at - venue.asked[2].at >= 1_990);
});

test("nonsense is asked for a few times, and a refusal once; others have their bars", {
  timeout: 60_000,
}, async (t) => {
  const venue = coinbase();
  const big = "1".repeat(5_000_000);
  const [time] = candles(
    new URL(
      `http://x/?start=${new Date(EPOCH / 1_000 - 60_000).toISOString()}&end=${new Date(EPOCH / 1_000 - 60_000).toISOString()}`,
    ),
  )[0];
  // High below low; no minute; not finite.
  const bad = JSON.stringify([[time, 4, 1, 2, 3, 1], [time + 1, 1, 4, 2, 3, 1], [time, 1, "x", 2, 3, 1], 7]);
  for (const body of [big, "<html>", bad, "{}"]) venue.replies.push(replied(200, body));
  const { pass, pastBars, changed, held, kept, sink } = await setUp(t, venue, COINBASE_CANDLES, { names: ["AB"] });
  pastBars.connected(["AB"]);
  pass(10_000);
  await until(kept.changed, () => kept.lines.length === 3, "three answers");
  assert.deepEqual(
    kept.lines.map(({ reason }) => String(reason).replace(/Unexpected.*/, "no JSON")),
    ["the answer has more than 524288 bytes", "no JSON", "the answer has no candle that can be read"],
  );
  pass(1_000);
  pastBars.lost(["AB"]);
  pastBars.connected(["AB"]);
  venue.replies.length = 0;
  venue.replies.push(replied(404, '{"message":"NotFound"}'));
  pass(40_000);
  await until(kept.changed, () => kept.lines.length === 4, "a refusal");
  pass(1_000);
  pastBars.lost(["AB"]);
  pass(90_000);
  venue.replies.push(
    replied(
      200,
      JSON.stringify([
        [time + 120, 4, 1, 2, 3, 1],
        [time + 120, 1, 4, 2, 3, 1],
      ]),
    ),
  );
  pastBars.connected(["AB"]);
  pass(1_000);
  await until(changed, () => held("bar:1m").length > 0, "what can be read");
  assert.deepEqual(held("bar:1m"), [[1, CLOSED_BAR]]);
  assert.deepEqual([venue.asked.length, sink.counts.skipped.malformed], [5, 1]);
});

test("an empty list is an answer, and asked for again only where a trade may be missing of the newest bar", async (t) => {
  const venue = coinbase();
  for (let count = 0; count < 3; count++) venue.replies.push(replied(200, "[]"));
  const { pass, pastBars, held, answered, settled } = await setUp(t, venue, COINBASE_CANDLES);
  pastBars.connected(["AB"]);
  for (const count of [1, 2, 3]) {
    pass(10_000);
    await answered(count);
  }
  pass(10_000);
  await settled();
  assert.deepEqual(held("bar:1m"), []);
  assert.deepEqual(
    venue.asked.slice(1, -1).map(({ url }) => url.searchParams.get("start")),
    Array(2).fill(new Date(EPOCH / 1_000 - 60_000).toISOString()),
  );
});

test("a close ends a request that is under way; books go before bars", async (t) => {
  const venue = binance();
  const held: ServerResponse[] = [];
  venue.replies.push((_, response) => void held.push(response));
  const { pass, pastBars, requests, context, kept, others } = await setUp(t, venue, BINANCE_CANDLES);
  pastBars.connected(["AB"]);
  pass(10_000);
  await until(venue.changed, () => held.length === 1, "a request");
  const snapshots = new BinanceSnapshots(requests, context);
  snapshots.request("CD", () => assert.fail("it was cancelled"));
  snapshots.cancel("CD");
  const ended = once(held[0], "close");
  pastBars.close();
  requests.close();
  await ended;
  pass(1_000);
  await new Promise(setImmediate);
  assert.deepEqual([kept.lines, others.get("bar:1m")?.rows], [[], 0]);
  const order: string[] = [];
  const other = new PacedRequests(venue.rest, 1_000);
  t.after(() => other.close());
  const done = new Promise<void>((resolve) => {
    for (const name of ["a", "b", "c!", "d!"])
      other.add({
        path: `/${name}?limit=0`,
        spacing: 1,
        mostBytes: 1_000,
        isUrgent: name.endsWith("!"),
        answered: () => {
          if (order.push(name) === 4) resolve();
        },
        failed: () => assert.fail(name),
      });
  });
  await done;
  assert.deepEqual(order, ["c!", "d!", "a", "b"]);
  let count = 0;
  while (other.add({ path: "", spacing: 0, mostBytes: 0, isUrgent: false, answered() {}, failed: () => false }))
    count++;
  assert.equal(count, 10_000);
});

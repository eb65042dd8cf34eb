import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { captures } from "../../../test/support/captures.ts";
import { FarMarket, KeptLog, keptContext, until } from "../../../test/support/feed_bench.ts";
import { ManualClock } from "../../base/clock.ts";
import type { TickPatch } from "../../base/tick.ts";
import { UsageError } from "../../settings/option.ts";
import type { Capture } from "../capture/capture.ts";
import { Player } from "../capture/player.ts";
import { openFeed, parseFeed } from "../spec.ts";
import { BinanceVenue, connectionsOf, MOST_STREAMS, STREAMS_LENGTH } from "./binance.ts";

/** What each pair must end with, worked out from the capture without the code under test. */
function expected(capture: Capture): Map<string, TickPatch> {
  const pairs = new Map<string, TickPatch>();
  const trades = new Map<string, number>();
  for (const { text } of capture.received) {
    const { stream, data } = JSON.parse(text);
    const [, kind] = stream.split("@");
    const patch: TickPatch = {};
    let trade = -1;
    if (kind === "bookTicker") {
      Object.assign(patch, { bid: +data.b, bidSize: +data.B, ask: +data.a, askSize: +data.A });
    } else if (kind === "aggTrade") {
      Object.assign(patch, { last: +data.p, lastSize: +data.q });
      trade = data.l;
    } else if (kind === "ticker") {
      Object.assign(patch, { open: +data.o, high: +data.h, low: +data.l, volume: +data.v });
      trade = data.L;
      if (trade > (trades.get(data.s) ?? -1)) Object.assign(patch, { last: +data.c, lastSize: +data.Q });
    } else continue;
    trades.set(data.s, Math.max(trade, trades.get(data.s) ?? -1));
    pairs.set(data.s, { ...pairs.get(data.s), ...patch });
  }
  return pairs;
}

async function play(t: TestContext, capture: Capture, target: string) {
  const player = new Player(capture, { log: new KeptLog().log });
  const url = await player.listen();
  const market = await FarMarket.open();
  const feed = openFeed(parseFeed(`binance:${target}?url=${url}`), market.context);
  t.after(async () => {
    await feed.close();
    await player.close();
  });
  feed.start();
  return { player, market };
}

const holds = (market: FarMarket, pair: string, values: TickPatch | undefined) => {
  try {
    assert.deepEqual(market.values(`BINANCE:${pair}`), values);
    return true;
  } catch {
    return false;
  }
};

for (const [file, capture] of captures("binance")) {
  test(`every pair of ${file} ends with its last values`, async (t) => {
    const values = expected(capture);
    const { market } = await play(t, capture, [...values.keys()].join(","));
    for (const [pair, patch] of values)
      await until(market.changed, () => holds(market, pair, patch), `the last of ${pair}`);
    assert.equal(market.table.rows, values.size);
    assert.deepEqual(market.publisher.counts.skipped, {
      unknown: 0,
      malformed: 0,
      invalid_symbol: 0,
      table_full: 0,
      duplicate: 0,
    });
  });

  test(`one pair of ${file}: the others are not heard of`, async (t) => {
    const [[pair, patch]] = expected(capture);
    const { market } = await play(t, capture, pair.toLowerCase());
    await until(market.changed, () => holds(market, pair, patch), `the last of ${pair}`);
    assert.equal(market.table.rows, 1);
  });
}

const [[, own]] = captures("binance");

test("the documented messages; last never goes back to an older trade", () => {
  const context = keptContext(new ManualClock());
  const venue = new BinanceVenue("ws://x", ["BNBBTC", "BNBUSDT"], context);
  const outcomes = own.received.map(({ text }) => venue.message(JSON.parse(text)));
  assert.deepEqual(outcomes, ["unknown", "tick", "tick", "unknown", "tick", "tick", "tick", "tick"]);
  const day = { open: 0.001, high: 0.0025, low: 0.001, volume: 10_000 };
  assert.deepEqual(context.sink.ticks, [
    {
      symbol: "BINANCE:BNBUSDT",
      patch: { bid: 25.3519, bidSize: 31.21, ask: 25.3652, askSize: 40.66 },
      eventTime: undefined,
    },
    { symbol: "BINANCE:BNBBTC", patch: { last: 0.001, lastSize: 100 }, eventTime: 1672515782136000 },
    { symbol: "BINANCE:BNBBTC", patch: { ...day, last: 0.0025, lastSize: 10 }, eventTime: 1672515782136000 },
    { symbol: "BINANCE:BNBBTC", patch: { last: 0.0026, lastSize: 7 }, eventTime: 1672515782139000 },
    {
      symbol: "BINANCE:BNBBTC",
      patch: { open: 0.0011, high: 0.0026, low: 0.001, volume: 10_007 },
      eventTime: 1672515782141000,
    },
    { symbol: "BINANCE:BNBBTC", patch: { bid: 0.0024, bidSize: 10, ask: 0.0026, askSize: 100 }, eventTime: undefined },
  ]);
});

test("a trade that a ticker was ahead of makes no tick and no mistake", () => {
  const context = keptContext();
  const venue = new BinanceVenue("ws://x", ["AB"], context);
  const ticker = { stream: "ab@ticker", data: { e: "24hrTicker", E: 1, s: "AB", c: "2", Q: "1", L: 10 } };
  const trade = (l: number) => ({ stream: "ab@aggTrade", data: { e: "aggTrade", T: 1, s: "AB", p: "1", q: "1", l } });
  assert.equal(venue.message(ticker), "tick");
  assert.equal(venue.message(trade(9)), "control");
  assert.equal(venue.message(trade(10)), "tick");
  assert.equal(context.sink.ticks.length, 2);
});

test("a pair that has not traded for a day has its last price; one that never has, none", () => {
  const context = keptContext();
  const venue = new BinanceVenue("ws://x", ["AB", "CD"], context);
  const tick = (stream: string, e: string, data: object) => {
    assert.equal(venue.message({ stream: `x@${stream}`, data: { e, ...data } }), "tick");
    return context.sink.ticks.at(-1)?.patch;
  };
  const rested = { E: 1_700_000_000_000, s: "AB", c: "0.05", Q: "0", o: "0.05", h: "0.05", l: "0.05", v: "0", L: -1 };
  const day = { open: 0.05, high: 0.05, low: 0.05, volume: 0 };
  assert.deepEqual(tick("ticker", "24hrTicker", rested), { ...day, last: 0.05, lastSize: 0 });
  assert.deepEqual(tick("ticker", "24hrTicker", rested), { ...day, last: 0.05, lastSize: 0 });
  // The first trade for a day; the ticker that follows may have been made before it.
  const trade = { T: 1_700_000_000_001, s: "AB", p: "0.06", q: "2", l: 0 };
  assert.deepEqual(tick("aggTrade", "aggTrade", trade), { last: 0.06, lastSize: 2 });
  assert.deepEqual(tick("ticker", "24hrTicker", rested), day);
  const never = { ...rested, s: "CD", c: "0.00000000", o: "0", h: "0.00", l: "0", Q: "0.00000000" };
  const nothing = { open: null, high: null, low: null, volume: 0, last: null, lastSize: null };
  assert.deepEqual(tick("ticker", "24hrTicker", never), nothing);
  const empty = { s: "CD", b: "0.00000000", B: "0.00000000", a: "0.07", A: "" };
  assert.deepEqual(tick("bookTicker", "", empty), { bid: null, bidSize: null, ask: 0.07, askSize: null });
});

test("on the next connection, what is older than what is known is no news", () => {
  const context = keptContext(new ManualClock());
  const venue = new BinanceVenue("ws://x", ["BNBBTC", "BNBUSDT"], context);
  const play = () => own.received.map(({ text }) => venue.message(JSON.parse(text)));
  venue.subscribe();
  play();
  venue.subscribe();
  assert.deepEqual(play(), ["unknown", "tick", "control", "unknown", "control", "tick", "tick", "tick"]);
});

test("what was not asked for is unknown, what is broken malformed, answers are part of the conversation", () => {
  const context = keptContext();
  const venue = new BinanceVenue("ws://x", ["AB"], context);
  const book = (data: unknown) => venue.message({ stream: "ab@bookTicker", data });
  assert.equal(book({ s: "CD", b: "1" }), "unknown");
  assert.equal(book({ b: "1" }), "malformed");
  assert.equal(book({ s: "AB", b: "-", B: "x" }), "malformed");
  assert.equal(venue.message("x"), "malformed");
  assert.equal(venue.message({ stream: "ab@depth", data: { e: "depthUpdate", s: "AB" } }), "unknown");
  assert.equal(venue.message({ e: "serverShutdown" }), "unknown");
  assert.equal(venue.message({ result: null, id: 1 }), "control");
  assert.equal(venue.message({ code: 2, msg: "Invalid request", id: 1 }), "control");
  assert.ok(context.kept.lines.some(({ says }) => String(says).includes("Invalid request")));
  assert.equal(context.sink.ticks.length, 0);
});

test("the address: the streams behind the path that was given, or /stream", () => {
  const streams = "streams=ab@bookTicker/ab@aggTrade/ab@ticker";
  const address = (url: string) => new BinanceVenue(url, ["AB"], keptContext()).url;
  assert.equal(address("wss://stream.binance.com:9443"), `wss://stream.binance.com:9443/stream?${streams}`);
  assert.equal(address("ws://127.0.0.1:1/"), `ws://127.0.0.1:1/stream?${streams}`);
  assert.equal(address("ws://127.0.0.1:1/x?y=1"), `ws://127.0.0.1:1/x?y=1&${streams}`);
});

test("many pairs are dealt out to connections within the venue's limits, none lost", () => {
  const pair = fc.string({ unit: fc.constantFrom(..."ABCXYZ0189_"), minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(fc.uniqueArray(pair, { maxLength: 2_000, size: "max" }), (pairs) => {
      const connections = connectionsOf(pairs);
      assert.deepEqual(connections.flat(), pairs);
      for (const some of connections) {
        const list = new URL(new BinanceVenue("ws://x", some, keptContext()).url).searchParams.get("streams") ?? "";
        assert.ok(list.split("/").length <= MOST_STREAMS);
        assert.ok(list.length <= STREAMS_LENGTH);
      }
    }),
    { numRuns: 10 },
  );
  const thousand = Array.from({ length: 1_000 }, (_, i) => `PAIR${i}USDT`);
  assert.ok(connectionsOf(thousand).length <= 12);
});

test("pairs on several connections all come", async (t) => {
  const padding = Array.from({ length: 300 }, (_, i) => `NOTHING${i}`);
  const values = expected(own);
  const { market, player } = await play(t, own, ["BNBUSDT", ...padding, "BNBBTC"].join(","));
  for (const [pair, patch] of values) await until(market.changed, () => holds(market, pair, patch), pair);
  assert.ok(player.connections > 1);
});

test("targets are checked", () => {
  for (const target of ["", "BTC-USDT", "BTCUSDT,,ETHBTC", "btcusdt,BTCUSDT"])
    assert.throws(() => openFeed(parseFeed(`binance:${target}`), keptContext()), UsageError, target);
});

test("no JSON throws or makes a bad tick", () => {
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom("1.5", "", "-", "1e999", "AB", 1e300));
  const data = fc.dictionary(fc.constantFrom(..."EsbBaApqlTohvcQLu"), value);
  const message = fc
    .tuple(
      fc.constantFrom("bookTicker", "aggTrade", "ticker", "depth"),
      fc.constantFrom("aggTrade", "24hrTicker"),
      data,
    )
    .map(([stream, e, rest]) => ({ stream: `ab@${stream}`, data: { e, s: "AB", ...rest } }));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), message), (json) => {
      const context = keptContext();
      new BinanceVenue("ws://x", ["AB"], context).message(json);
      for (const { symbol, patch, eventTime } of context.sink.ticks) {
        assert.equal(symbol, "BINANCE:AB");
        assert.ok(eventTime === undefined || Number.isNaN(eventTime) || Number.isInteger(eventTime));
        for (const number of Object.values(patch)) assert.ok(number === null || Number.isFinite(number));
      }
    }),
    { numRuns: 1_000 },
  );
});

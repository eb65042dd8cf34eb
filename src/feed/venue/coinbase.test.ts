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
import { CoinbaseVenue } from "./coinbase.ts";

/** What each product must end with, worked out from the capture without the code under test. */
function expected(capture: Capture): Map<string, TickPatch> {
  const names: Record<string, keyof TickPatch> = {
    price: "last",
    last_size: "lastSize",
    best_bid: "bid",
    best_bid_size: "bidSize",
    best_ask: "ask",
    best_ask_size: "askSize",
    open_24h: "open",
    high_24h: "high",
    low_24h: "low",
    volume_24h: "volume",
  };
  const products = new Map<string, TickPatch>();
  for (const { text } of capture.received) {
    const message = JSON.parse(text);
    if (message.type !== "ticker") continue;
    const patch: TickPatch = { ...products.get(message.product_id) };
    for (const [theirs, ours] of Object.entries(names)) if (theirs in message) patch[ours] = Number(message[theirs]);
    products.set(message.product_id, patch);
  }
  return products;
}

async function play(t: TestContext, capture: Capture, target: string, hold = true) {
  const player = new Player(capture, { log: new KeptLog().log, hold });
  const url = await player.listen();
  const market = await FarMarket.open();
  const feed = openFeed(parseFeed(`coinbase:${target}?url=${url}`), market.context);
  t.after(async () => {
    await feed.close();
    await player.close();
  });
  feed.start();
  return { player, market };
}

const holds = (market: FarMarket, symbol: string, values: TickPatch | undefined) => {
  try {
    assert.deepEqual(market.values(`COINBASE:${symbol}`), values);
    return true;
  } catch {
    return false;
  }
};

for (const [file, capture] of captures("coinbase")) {
  const values = expected(capture);
  const products = [...values.keys()];

  test(`every product of ${file} ends with its last values`, async (t) => {
    const { market } = await play(t, capture, products.join(","));
    for (const product of products) {
      await until(market.changed, () => holds(market, product, values.get(product)), `the last of ${product}`);
      assert.equal(market.state(`COINBASE:${product}`), "live");
    }
    assert.equal(market.table.rows, products.length);
    assert.equal(market.publisher.counts.skipped.malformed, 0);
  });

  test(`half of the products of ${file}: the others are not heard of`, async (t) => {
    const some = products.slice(0, Math.ceil(products.length / 2));
    const { market, player } = await play(t, capture, some.join(","));
    for (const product of some)
      await until(market.changed, () => holds(market, product, values.get(product)), `the last of ${product}`);
    assert.equal(player.connections, 1);
    assert.equal(market.table.rows, some.length);
  });
}

const [[, own]] = captures("coinbase");

test("the documented ticker, to the microsecond; sizes that are not told are not known", () => {
  const context = keptContext();
  const venue = new CoinbaseVenue("ws://x", ["ETH-USD", "BTC-USD"], context);
  for (const { text } of own.received) venue.message(JSON.parse(text), () => {});
  const [bitcoin, ether] = context.sink.ticks;
  assert.deepEqual(bitcoin, {
    symbol: "COINBASE:BTC-USD",
    patch: { last: 4388.01, lastSize: 0.03, bid: 4388, ask: 4388.01 },
    eventTime: 1504371949250000,
  });
  assert.deepEqual(ether, {
    symbol: "COINBASE:ETH-USD",
    patch: {
      last: 1285.22,
      lastSize: 11.4396987,
      bid: 1285.04,
      bidSize: 0.46688654,
      ask: 1285.27,
      askSize: 1.5663704,
      open: 1310.79,
      high: 1313.8,
      low: 1280.52,
      volume: 245532.79269678,
    },
    eventTime: 1666222102061769,
  });
});

test("it asks for the prices, and for the heartbeat that tells a quiet product from a dead connection", () => {
  const [subscription, ...more] = new CoinbaseVenue("ws://x", ["ETH-USD", "BTC-USD"], {
    ...keptContext(),
    channels: new Set(["quote"]),
  }).subscribe();
  assert.deepEqual(more, []);
  assert.deepEqual(JSON.parse(subscription), {
    type: "subscribe",
    product_ids: ["ETH-USD", "BTC-USD"],
    channels: ["ticker", "heartbeat"],
  });
});

test("messages that were not asked for are unknown, broken ones malformed, and bad values are left out", () => {
  const context = { ...keptContext(new ManualClock()), channels: new Set(["quote" as const]) };
  const venue = new CoinbaseVenue("ws://x", ["A-B"], context);
  const outcome = (value: unknown) => venue.message(value, () => {});
  assert.equal(outcome({ type: "l2update", product_id: "A-B", changes: [] }), "unknown");
  assert.equal(outcome({ type: "match", product_id: "A-B", price: "1" }), "unknown");
  assert.equal(outcome({ type: "ticker", product_id: "C-D", price: "1" }), "unknown");
  assert.equal(outcome({ type: "ticker", price: "1" }), "malformed");
  assert.equal(outcome({ type: "ticker", product_id: "A-B", price: "x" }), "malformed");
  assert.equal(outcome({ type: "ticker", product_id: "A-B" }), "malformed");
  assert.equal(outcome({ type: 5 }), "malformed");
  assert.equal(outcome([]), "malformed");
  assert.equal(outcome(null), "malformed");
  assert.equal(outcome({ type: "heartbeat", product_id: "A-B" }), "control");
  assert.equal(context.sink.ticks.length, 0);
  assert.equal(outcome({ type: "ticker", product_id: "A-B", price: "NaN", best_bid: "2", time: "noon" }), "tick");
  assert.deepEqual(context.sink.ticks, [{ symbol: "COINBASE:A-B", patch: { bid: 2 }, eventTime: Number.NaN }]);
});

test("a product that does not trade yet has no values, is not live, and is as of its receipt", async () => {
  const clock = new ManualClock();
  const market = await FarMarket.open(clock);
  const venue = new CoinbaseVenue("ws://x", ["AAA-USD"], market.context);
  const ticker = (rest: object) => venue.message({ type: "ticker", product_id: "AAA-USD", ...rest }, () => {});
  const nothing = {
    ...{ price: "0", last_size: "", best_bid: "0.00000", best_ask: "0.00000", best_ask_size: "0.00000000" },
    ...{ open_24h: "0", high_24h: "0.00", low_24h: "0", volume_24h: "0.00000000" },
  };
  assert.equal(ticker(nothing), "tick");
  await until(market.changed, () => market.table.rows === 1, "the tick");
  assert.deepEqual(market.values("COINBASE:AAA-USD"), { volume: 0 });
  assert.equal(market.state("COINBASE:AAA-USD"), "stale");
  assert.equal(market.table.eventTime[0], clock.micros());
  assert.equal(market.publisher.counts.replacedTimes, 1);
  assert.equal(ticker({ price: "0.05", last_size: "3", time: "2021-04-17T16:43:30.244075999Z" }), "tick");
  await until(market.changed, () => market.state("COINBASE:AAA-USD") === "live", "a price");
  assert.deepEqual(market.values("COINBASE:AAA-USD"), { last: 0.05, lastSize: 3, volume: 0 });
  assert.equal(market.table.eventTime[0], 1618677810244075);
});

test("a product that the venue does not know is named in the log, and the others come", async (t) => {
  const { market, player } = await play(t, own, "ETH-USD,NO-SUCH,BTC-USD");
  const values = expected(own);
  for (const product of ["ETH-USD", "BTC-USD"])
    await until(market.changed, () => holds(market, product, values.get(product)), product);
  assert.ok(market.kept.lines.some(({ says }) => String(says).includes("NO-SUCH is not a valid product")));
  assert.equal(player.connections, 1);
});

test("with no product that the venue knows, the feed ends and does not come again", async (t) => {
  const { market, player } = await play(t, own, "NO-SUCH");
  await until(
    market.kept.changed,
    () => market.kept.messages().includes("the venue knows none of the products asked for"),
    "the end",
  );
  assert.equal(player.connections, 1);
});

test("after a cut the symbols are stale until their next tick", async (t) => {
  const { market, player } = await play(t, own, "ETH-USD");
  const states: (string | undefined)[] = [];
  market.changed.on("change", () => {
    const state = market.state("COINBASE:ETH-USD");
    if (states.at(-1) !== state) states.push(state);
  });
  await until(market.changed, () => states.length === 1, "a tick");
  player.cut();
  await until(market.changed, () => states.length === 3, "a tick of the second connection");
  assert.deepEqual(states, ["live", "stale", "live"]);
  assert.equal(player.connections, 2);
});

test("a venue that says everything again on the next connection does not make the price go back", async (t) => {
  const { market, player } = await play(t, own, "ETH-USD", false);
  const seen: (number | null | undefined)[] = [];
  market.changed.on("change", () => {
    const last = market.values("COINBASE:ETH-USD")?.last;
    if (seen.at(-1) !== last) seen.push(last);
  });
  await until(market.changed, () => player.finished >= 2 && market.state("COINBASE:ETH-USD") === "live", "twice");
  assert.equal(seen.at(-1), 1285.23);
  assert.equal(seen.filter((last) => last === 1285.23).length, 1);
});

test("targets are checked", () => {
  for (const target of ["", "BTC", "BTC-USD,", "BTC-USD,BTC-USD", "btc-usd,BTC-USD", "BTC USD", "A-B-C"])
    assert.throws(() => openFeed(parseFeed(`coinbase:${target}`), keptContext()), UsageError, target);
  for (const url of ["http://x", "ws://x%23y", "x"])
    assert.throws(() => parseFeed(`coinbase:BTC-USD?url=${url}`), UsageError, url);
});

test("no JSON throws or makes a bad tick", () => {
  const fields = ["price", "last_size", "best_bid", "time", "open_24h", "message", "reason", "channels"];
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom("1.5", "", "-", "1e999", "A-B", "A-B is not a valid product"));
  const message = fc
    .tuple(
      fc.constantFrom("ticker", "error", "subscriptions", "heartbeat", "x"),
      fc.oneof(fc.constant("A-B"), fc.jsonValue()),
      fc.dictionary(fc.constantFrom(...fields), value),
    )
    .map(([type, product_id, rest]) => ({ type, product_id, ...rest }));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), message), (json) => {
      const context = keptContext();
      const venue = new CoinbaseVenue("ws://x", ["A-B"], context);
      venue.message(json, () => {});
      for (const { symbol, patch, eventTime } of context.sink.ticks) {
        assert.equal(symbol, "COINBASE:A-B");
        assert.ok(Number.isNaN(eventTime) || Number.isSafeInteger(eventTime));
        for (const number of Object.values(patch)) assert.ok(number === null || Number.isFinite(number));
      }
    }),
    { numRuns: 1_000 },
  );
});

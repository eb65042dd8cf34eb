/** The bars of every capture's trades equal those that are computed from its messages without the code under test. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { captures } from "../../../test/support/captures.ts";
import { KeptLog } from "../../../test/support/feed_bench.ts";
import { ManualClock } from "../../base/clock.ts";
import type { BusWriter } from "../../bus/bus.ts";
import type { BarPayload } from "../../market/bar/bar_payload.ts";
import { createPublisherTable } from "../../market/channels.ts";
import { type BarMarketName, barLength, PUBLISHED_BARS } from "../../market/market_name.ts";
import { PublisherTable } from "../../market/publisher_table.ts";
import type { TradePayload } from "../../market/trade/trade_payload.ts";
import type { FeedContext } from "../adapter.ts";
import { Publisher } from "../publisher.ts";
import { BinanceVenue } from "../venue/binance.ts";
import { CoinbaseVenue } from "../venue/coinbase.ts";
import type { Venue } from "../venue/connection.ts";

const silent: BusWriter = { isLeading: true, start: async () => {}, changed: () => {}, close: async () => {} };
const LIMITS = {
  rows: 1_000,
  tradesPerSymbol: 1_000,
  maxTrades: 1_000_000,
  secondBars: 3_600,
  minuteBars: 1_500,
  maxBars: 1_000_000,
};

/** Its symbol, time in microseconds, price and size. */
type Trade = readonly [symbol: string, time: number, price: number, size: number];

interface Source {
  readonly names: RegExp;
  open(names: string[], context: FeedContext): Venue;
  /** The trade of a message; undefined where it has none. */
  tradeOf(message: Record<string, string>): Trade | undefined;
  /** The id of a trade of before the connection, which is in no bar. */
  pastIdOf?(message: Record<string, string>): string | undefined;
}

const SOURCES: Readonly<Record<string, Source>> = {
  coinbase: {
    names: /"product_id":"([^"]+)"/g,
    open: (names, context) => new CoinbaseVenue("ws://x", names, context),
    tradeOf: ({ type, product_id: product, time, price, size }) =>
      type === "match" ? [`COINBASE:${product}`, microsOf(time), +price, +size] : undefined,
    pastIdOf: ({ type, trade_id: id }) => (type === "last_match" ? id : undefined),
  },
  binance: {
    names: /"s":"([^"]+)"/g,
    open: (names, context) => new BinanceVenue("ws://x", names, context),
    tradeOf: ({ e, s, T, p, q }) => (e === "aggTrade" ? [`BINANCE:${s}`, +T * 1_000, +p, +q] : undefined),
  },
};

/** Of an ISO time with six decimals. */
function microsOf(time: string): number {
  return Date.parse(`${time.slice(0, 19)}Z`) * 1_000 + Number(time.slice(20, 26));
}

function barsOf(trades: readonly Trade[], length: number): Map<string, number[][]> {
  const bars = new Map<string, number[][]>();
  for (const [symbol, time, price, size] of trades) {
    const own = bars.get(symbol) ?? [];
    bars.set(symbol, own);
    const start = time - (time % length);
    const bar = own.find(([other]) => other === start);
    if (!bar) own.push([start, price, price, price, price, size, 1]);
    else {
      bar[2] = Math.max(bar[2], price);
      bar[3] = Math.min(bar[3], price);
      bar[4] = price;
      bar[5] += size;
      bar[6]++;
    }
  }
  return bars;
}

for (const [name, { names, open, tradeOf, pastIdOf }] of Object.entries(SOURCES))
  for (const [file, { received }] of captures(name))
    test(`${file}: its bars are those of its trades`, () => {
      const messages = received.map(({ text }) => JSON.parse(text));
      const past = new Set(messages.map((message) => pastIdOf?.(message)));
      const trades = messages
        .filter(({ trade_id: id }) => id === undefined || !past.has(id))
        .map(({ data, ...own }) => tradeOf(data ?? own))
        .filter((trade): trade is Trade => trade !== undefined)
        .sort(([, a], [, b]) => a - b);
      const clock = new ManualClock(Math.round(received[0].time * 1_000_000));
      const others = new Map(PUBLISHED_BARS.map((name) => [name, createPublisherTable(name, LIMITS)]));
      const kept = createPublisherTable("trade", LIMITS) as PublisherTable<TradePayload>;
      const publisher = new Publisher(new PublisherTable(1_000), silent, clock, { metrics: true }, others, kept);
      const found = new Set(received.flatMap(({ text }) => [...text.matchAll(names)].map(([, symbol]) => symbol)));
      const venue = open([...found], {
        sink: publisher,
        clock,
        log: new KeptLog().log,
        channels: new Set(["quote", "trade"]),
      });
      venue.subscribe();
      for (const message of messages) {
        clock.advance(10);
        venue.message(message, () => {});
        publisher.closeBars();
      }
      for (const [name, table] of others) check(table as PublisherTable<BarPayload>, name, trades);
    });

function check(table: PublisherTable<BarPayload>, name: BarMarketName, trades: readonly Trade[]): void {
  const wanted = barsOf(trades, barLength(name));
  const rows = [...Array(table.rows).keys()].filter((row) => table.payload.seriesOf(row).count > 0);
  assert.deepEqual(rows.map((row) => table.symbols[row]).sort(), [...wanted.keys()].sort());
  for (const row of rows) {
    const { from, end, start, open, high, low, close, volume, trades } = table.payload.seriesOf(row);
    const own = Array.from({ length: end - from }, (_, index) =>
      [start, open, high, low, close, volume, trades].map((column) => column[from + index]),
    );
    const right = wanted.get(table.symbols[row]) as number[][];
    const exact = (bars: number[][]) =>
      bars.sort(([a], [b]) => a - b).map((bar) => bar.map((value) => +value.toPrecision(14)));
    assert.deepEqual(exact(own), exact(right), `${name} of ${table.symbols[row]}`);
  }
}

/**
 * Past bars of Coinbase Exchange, `GET /products/PRODUCT/candles`: at most 300, the newest first. Its documentation:
 * https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-candles and
 * https://docs.cdp.coinbase.com/exchange/rest-api/rate-limits: an address may send 10 requests a second, and 15 in
 * bursts. There are no candles of a second, none where there was no trade, and no numbers of trades.
 */
import type { Bar } from "../../market/bar/bar_record.ts";
import { barLength } from "../../market/market_name.ts";
import { readNumber } from "../number.ts";
import type { Candles } from "./past_bars.ts";

const MINUTE = barLength("bar:1m");

export const COINBASE_CANDLES: Candles = {
  markets: ["bar:1m"],
  most: 300,
  // Half of what is allowed: other programs may share the address.
  spacing: 200,
  symbolOf: (product) => `COINBASE:${product}`,
  path(product, _, { start, count }) {
    // Both ends are included.
    const [from, to] = [start, start + (count - 1) * MINUTE].map((time) => new Date(time / 1_000).toISOString());
    return `/products/${product}/candles?granularity=60&start=${from}&end=${to}`;
  },
  read: readCandle,
};

/** `[time, low, high, open, close, volume]`, the time in seconds. */
function readCandle(candle: readonly unknown[]): Bar | undefined {
  const [time, low, high, open, close, volume] = candle.map(readNumber);
  if (time === undefined || low === undefined || high === undefined) return undefined;
  if (open === undefined || close === undefined || volume === undefined) return undefined;
  return { start: time * 1_000_000, open, high, low, close, volume, trades: 0 };
}

/**
 * Past bars of Binance, `GET /api/v3/klines` with `interval=1m` or `1s`: at most 1,000, the oldest first, at a weight
 * of 2. "Kline/Candlestick data" and "LIMITS" of its REST documentation,
 * https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints (also rest-api.md of
 * github.com/binance/binance-spot-api-docs). A kline without a trade has the volume 0.
 */
import type { Bar } from "../../market/bar/bar_record.ts";
import { type BarMarketName, barLength, resolutionOf } from "../../market/market_name.ts";
import { readNumber } from "../number.ts";
import { WEIGHT_MILLIS } from "./binance_snapshots.ts";
import type { Candles } from "./past_bars.ts";

const WEIGHT = 2;

export const BINANCE_CANDLES: Candles = {
  markets: ["bar:1m", "bar:1s"],
  most: 1_000,
  spacing: WEIGHT * WEIGHT_MILLIS,
  symbolOf: (pair) => `BINANCE:${pair}`,
  path: (pair, market, { start, count }) =>
    `/api/v3/klines?symbol=${pair}&interval=${resolutionOf(market)}&startTime=${start / 1_000}&limit=${count}`,
  read: readKline,
};

/** `[open time, open, high, low, close, volume, close time, quote volume, number of trades, …]`, times in ms. */
function readKline(kline: readonly unknown[], market: BarMarketName): Bar | undefined {
  const [time, open, high, low, close, volume, closeTime, , trades] = kline.map(readNumber);
  if (time === undefined || closeTime !== time + barLength(market) / 1_000 - 1) return undefined;
  if (open === undefined || high === undefined || low === undefined || close === undefined) return undefined;
  if (volume === undefined || trades === undefined) return undefined;
  return { start: time * 1_000, open, high, low, close, volume, trades };
}

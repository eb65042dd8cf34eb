/** Books, trades and bars over HTTP, as JSON: one symbol each, as it stands now. */
import { isSymbol, STATES } from "../../base/tick.ts";
import type { BarPayload } from "../../market/bar/bar_payload.ts";
import type { BookPayload } from "../../market/book/book_payload.ts";
import type { GatewayTable } from "../../market/gateway_table.ts";
import { type BarMarketName, resolutionOf } from "../../market/market_name.ts";
import type { TradePayload } from "../../market/trade/trade_payload.ts";
import {
  DEFAULT_DEPTH,
  DEFAULT_LAST_BARS,
  DEFAULT_RESOLUTION,
  DEPTHS,
  MAX_LAST_BARS,
  MAX_LAST_TRADES,
  RESOLUTIONS,
  type Resolution,
} from "../../protocol/messages.ts";
import type { MarketParts, ReadQuery } from "./market_api.ts";

/** Trades where the query names no number. */
const DEFAULT_LAST = 100;
const MAX_DEPTH = DEPTHS[DEPTHS.length - 1];

/** `GET /v1/book?symbol=A&depth=10`: each side as in the channel, flat and the best first. */
export const readBook: ReadQuery = (query, context, visible) => {
  const symbol = query.get("symbol") ?? "";
  if (!isSymbol(symbol)) return NO_SYMBOL;
  const depth = wholeNumber(query.get("depth"), DEFAULT_DEPTH, 1, MAX_DEPTH);
  if (depth === undefined) return { error: `depth must be a whole number from 1 to ${MAX_DEPTH}` };
  const table = context.table as GatewayTable<BookPayload>;
  return oneSymbol(symbol, context, visible, function* (row) {
    const { payload } = table;
    const side = (from: number, levels: number) =>
      JSON.stringify(Array.from(payload.numbers.subarray(from, from + Math.min(levels, depth) * 2)));
    const bids = side(payload.bidsAt(row), payload.bidLevels[row]);
    yield `,"bids":${bids},"asks":${side(payload.asksAt(row), payload.askLevels[row])}`;
  });
};

/** `GET /v1/trades?symbol=A&last=100`: the latest trades, oldest first. */
export const readTrades: ReadQuery = (query, context, visible) => {
  const symbol = query.get("symbol") ?? "";
  if (!isSymbol(symbol)) return NO_SYMBOL;
  const last = wholeNumber(query.get("last"), DEFAULT_LAST, 1, MAX_LAST_TRADES);
  if (last === undefined) return { error: `last must be a whole number from 1 to ${MAX_LAST_TRADES}` };
  const table = context.table as GatewayTable<TradePayload>;
  return oneSymbol(symbol, context, visible, function* (row) {
    const ring = table.payload.ringOf(row);
    const { end } = ring;
    let separator = "";
    yield ',"trades":[';
    for (let position = Math.max(ring.start, end - last); position < end; position++) {
      // While the answer is read slowly, it may be overwritten.
      if (position < ring.start) continue;
      const slot = ring.slotOf(position);
      const trade = {
        seq: ring.seq[slot],
        eventTime: ring.eventTime[slot],
        price: ring.price[slot],
        size: ring.size[slot],
        side: ring.side[slot],
        id: ring.ids[slot],
      };
      yield separator + JSON.stringify(trade);
      separator = ",";
    }
    yield "]";
  });
};

/**
 * `GET /v1/bars?symbol=A&resolution=1m&from=&to=&last=300`: the latest bars, oldest first; of those that begin from
 * `from` (microseconds since the Unix epoch) and before `to`.
 */
export const readBars: ReadQuery = (query, context, visible) => {
  const symbol = query.get("symbol") ?? "";
  if (!isSymbol(symbol)) return NO_SYMBOL;
  const last = wholeNumber(query.get("last"), DEFAULT_LAST_BARS, 1, MAX_LAST_BARS);
  if (last === undefined) return { error: `last must be a whole number from 1 to ${MAX_LAST_BARS}` };
  const from = wholeNumber(query.get("from"), 0, 0, Number.MAX_SAFE_INTEGER);
  const to = wholeNumber(query.get("to"), Number.MAX_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER);
  if (from === undefined || to === undefined)
    return { error: "from and to must be whole numbers: microseconds since the Unix epoch" };
  const table = context.table as GatewayTable<BarPayload>;
  return oneSymbol(symbol, context, visible, function* (row) {
    const series = table.payload.seriesOf(row);
    const index = (start: number) => {
      const found = series.find(start);
      return found < 0 ? -1 - found : found;
    };
    let start = series.start[Math.max(index(from), index(to) - last)] ?? to;
    let separator = "";
    yield `,"resolution":"${resolutionOf(context.name as BarMarketName)}","bars":[`;
    // While the answer is read slowly, bars are added and dropped: the next one is found by its start.
    for (let at = index(start); at < series.end && series.start[at] < to; at = index(start)) {
      const { open, high, low, close, volume, trades, flags } = series;
      start = series.start[at];
      const values = { open: open[at], high: high[at], low: low[at], close: close[at], volume: volume[at] };
      yield separator + JSON.stringify({ start, ...values, trades: trades[at], flags: flags[at] });
      separator = ",";
      start++;
    }
    yield "]";
  });
};

/** The market of the bars that a query asks for; undefined where there is no such resolution. */
export function barMarketOf(query: URLSearchParams): BarMarketName | undefined {
  const resolution = query.get("resolution") || DEFAULT_RESOLUTION;
  return RESOLUTIONS.includes(resolution as Resolution) ? `bar:${resolution as Resolution}` : undefined;
}

const NO_SYMBOL = { error: "symbol is missing or not a symbol: ?symbol=A" };

/** @param contentOf what the row holds, as further members in JSON: in pieces, since an answer's memory is limited */
function oneSymbol(
  symbol: string,
  { table, clock }: MarketParts,
  visible: Parameters<ReadQuery>[2],
  contentOf: (row: number) => Iterable<string>,
): ReturnType<ReadQuery> {
  const rowOf = () => {
    const row = visible.accessTo(symbol) ? table.rowOf(symbol) : -1;
    return row >= 0 && table.hasTicked(row) ? row : -1;
  };
  return {
    // Of one that the client may not see there is nothing to wait for, and it looks unknown.
    symbols: visible.accessTo(symbol) ? [symbol] : [],
    isFound: () => rowOf() >= 0,
    *answer() {
      const row = rowOf();
      const state = { seq: table.seq[row], eventTime: table.eventTime[row], state: STATES[table.state[row]] };
      const reason = table.reasons[row] === "" ? {} : { reason: table.reasons[row] };
      yield JSON.stringify({ time: clock.micros(), symbol, ...state, ...reason }).slice(0, -1);
      yield* contentOf(row);
      yield "}\n";
    },
  };
}

/** @returns undefined where the text is no whole number in the range */
function wholeNumber(text: string | null, fallback: number, min: number, max: number): number | undefined {
  if (text === null || text === "") return fallback;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

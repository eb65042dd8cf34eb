/** The markets: what a table of each holds, and how its ticks are encoded. Add a new one here. */
import { BarEncoder } from "./bar/bar_encoder.ts";
import { BAR_JSON, BAR_MSGPACK } from "./bar/bar_format.ts";
import { type BarLimits, BarPayload } from "./bar/bar_payload.ts";
import { BOOK_JSON, BOOK_MSGPACK } from "./book/book_format.ts";
import { BookPayload } from "./book/book_payload.ts";
import { TickEncoder } from "./encoder.ts";
import { type CreateEncoder, quoteEncoders } from "./encoder_pool.ts";
import { GatewayTable, type RowTable } from "./gateway_table.ts";
import type { Heap } from "./heap.ts";
import { type BarMarketName, barLength, isBarMarket, type MarketName } from "./market_name.ts";
import type { Payload } from "./payload.ts";
import { PublisherTable } from "./publisher_table.ts";
import { QuotePayload } from "./quote/quote_payload.ts";
import { TradeEncoder } from "./trade/trade_encoder.ts";
import { TRADE_JSON, TRADE_MSGPACK } from "./trade/trade_format.ts";
import { type TradeLimits, TradePayload } from "./trade/trade_payload.ts";

/** The handles of a market begin at a multiple of this, so that a connection's handles differ. */
const HANDLES = 2 ** 26;
const ORDER: readonly MarketName[] = [
  "quote",
  "book",
  "trade",
  "bar:1s",
  "bar:1m",
  "bar:5m",
  "bar:15m",
  "bar:1h",
  "bar:1d",
];

/** The most rows of a table, of trades, and of bars. */
export interface MarketLimits extends TradeLimits {
  readonly rows: number;
  /** Bars of one second, and of one minute, that are kept of a symbol. */
  readonly secondBars: number;
  readonly minuteBars: number;
  readonly maxBars: number;
}

/** How many bars are kept: those that are made of others reach as far back as these. */
export function barLimits(name: BarMarketName, { secondBars, minuteBars, maxBars }: MarketLimits): BarLimits {
  if (name === "bar:1s") return { barsPerSymbol: secondBars, maxBars };
  const minutes = barLength(name) / barLength("bar:1m");
  // The first one and the last one may have a part of their minutes.
  const barsPerSymbol = minutes === 1 ? minuteBars : Math.ceil(minuteBars / minutes) + 1;
  return { barsPerSymbol, maxBars };
}

/** The table of a publisher. */
export function createPublisherTable(name: MarketName, limits: MarketLimits): PublisherTable<Payload> {
  return new PublisherTable(limits.rows, createPayload(name, limits));
}

function createPayload(name: MarketName, limits: MarketLimits): Payload {
  if (isBarMarket(name)) return new BarPayload(barLimits(name, limits), true);
  if (name === "book") return new BookPayload();
  return name === "trade" ? new TradePayload(limits) : new QuotePayload();
}

/** The table of a gateway, and what encodes its rows. @param heap of all its tables: their ticks may be in one frame */
export function createGatewayTable(
  name: MarketName,
  limits: MarketLimits,
  heap?: Heap,
): { readonly table: RowTable; readonly createEncoder: CreateEncoder } {
  const first = ORDER.indexOf(name) * HANDLES;
  if (isBarMarket(name)) {
    const table = new GatewayTable(limits.rows, new BarPayload(barLimits(name, limits)), heap, first);
    return { table, createEncoder: (isBinary) => new BarEncoder(table, isBinary ? BAR_MSGPACK : BAR_JSON) };
  }
  if (name === "book") {
    const table = new GatewayTable(limits.rows, new BookPayload(), heap, first);
    const formatOf = (isBinary: boolean) => (isBinary ? BOOK_MSGPACK : BOOK_JSON);
    return {
      table,
      createEncoder: (isBinary, depth, isShared) => new TickEncoder(table, formatOf(isBinary), depth, isShared),
    };
  }
  if (name === "trade") {
    const table = new GatewayTable(limits.rows, new TradePayload(limits), heap, first);
    const formatOf = (isBinary: boolean) => (isBinary ? TRADE_MSGPACK : TRADE_JSON);
    return { table, createEncoder: (isBinary, _, isShared) => new TradeEncoder(table, formatOf(isBinary), isShared) };
  }
  const table = new GatewayTable(limits.rows, new QuotePayload(), heap, first);
  return { table, createEncoder: quoteEncoders(table) };
}

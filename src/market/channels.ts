/** The channels: what a table of each holds, and how its ticks are encoded. Add a new one here. */
import type { Channel } from "../protocol/messages.ts";
import { BOOK_JSON, BOOK_MSGPACK } from "./book/book_format.ts";
import { BookPayload } from "./book/book_payload.ts";
import { TickEncoder } from "./encoder.ts";
import { type CreateEncoder, quoteEncoders } from "./encoder_pool.ts";
import { GatewayTable, type RowTable } from "./gateway_table.ts";
import type { Heap } from "./heap.ts";
import type { Payload } from "./payload.ts";
import { PublisherTable } from "./publisher_table.ts";
import { QuotePayload } from "./quote/quote_payload.ts";
import { TradeEncoder } from "./trade/trade_encoder.ts";
import { TRADE_JSON, TRADE_MSGPACK } from "./trade/trade_format.ts";
import { type TradeLimits, TradePayload } from "./trade/trade_payload.ts";

/** The handles of a channel begin here, so that a connection's handles differ. */
const FIRST_HANDLES: Readonly<Record<Channel, number>> = { quote: 0, book: 2 ** 26, trade: 2 ** 27 };

/** The most rows of a table, and of trades. */
export interface ChannelLimits extends TradeLimits {
  readonly rows: number;
}

/** What a table of the channel holds. */
export function createPayload(channel: Channel, limits: TradeLimits): Payload {
  if (channel === "book") return new BookPayload();
  return channel === "trade" ? new TradePayload(limits) : new QuotePayload();
}

/** The table of a publisher. */
export function createPublisherTable(channel: Channel, limits: ChannelLimits): PublisherTable<Payload> {
  return new PublisherTable(limits.rows, createPayload(channel, limits));
}

/** The table of a gateway, and what encodes its rows. @param heap of all its tables: their ticks may be in one frame */
export function createGatewayTable(
  channel: Channel,
  limits: ChannelLimits,
  heap?: Heap,
): { readonly table: RowTable; readonly createEncoder: CreateEncoder } {
  const first = FIRST_HANDLES[channel];
  if (channel === "book") {
    const table = new GatewayTable(limits.rows, new BookPayload(), heap, first);
    const formatOf = (isBinary: boolean) => (isBinary ? BOOK_MSGPACK : BOOK_JSON);
    return {
      table,
      createEncoder: (isBinary, depth, isShared) => new TickEncoder(table, formatOf(isBinary), depth, isShared),
    };
  }
  if (channel === "trade") {
    const table = new GatewayTable(limits.rows, new TradePayload(limits), heap, first);
    const formatOf = (isBinary: boolean) => (isBinary ? TRADE_MSGPACK : TRADE_JSON);
    return { table, createEncoder: (isBinary, _, isShared) => new TradeEncoder(table, formatOf(isBinary), isShared) };
  }
  const table = new GatewayTable(limits.rows, new QuotePayload(), heap, first);
  return { table, createEncoder: quoteEncoders(table) };
}

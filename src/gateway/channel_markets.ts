/** What a gateway has of each channel: its table, and all that works on rows of that one. */
import type { Logger } from "pino";
import type { BusReader } from "../bus/bus.ts";
import { createGatewayTable } from "../market/channels.ts";
import { EncoderPool } from "../market/encoder_pool.ts";
import type { RowTable } from "../market/gateway_table.ts";
import type { Channel } from "../protocol/messages.ts";
import type { Settings } from "../settings/settings.ts";
import { type DelayedRows, NoDelayedRows } from "./delay/delayed_rows.ts";
import { StatusBatcher } from "./fanout/status_batcher.ts";
import { TopicIndex, type TopicIndexParts } from "./fanout/topic_index.ts";
import { Ingest } from "./ingest.ts";

/** Five depths in two formats. */
const SHARED_ENCODERS = 10;

export interface ChannelMarket {
  readonly channel: Channel;
  readonly bus: BusReader;
  readonly table: RowTable;
  readonly encoders: EncoderPool;
  readonly topics: TopicIndex;
  readonly status: StatusBatcher;
  readonly delays: DelayedRows;
}

export interface ChannelMarketsParts extends Omit<TopicIndexParts, "table"> {
  readonly log: Logger;
  readonly settings: Pick<Settings, "maxAwaitedSymbols" | "maxBooks" | "maxSymbols" | "maxTrades" | "tradesPerSymbol">;
}

/** The markets in use: that of quotes from the beginning, each other from when a client first wants it. */
export class ChannelMarkets {
  readonly #parts: ChannelMarketsParts;
  readonly #open: Map<Channel, ChannelMarket>;

  constructor(quotes: ChannelMarket, parts: ChannelMarketsParts) {
    this.#parts = parts;
    this.#open = new Map([["quote", quotes]]);
  }

  /** Those in use. */
  get all(): Iterable<ChannelMarket> {
    return this.#open.values();
  }

  of(channel: Channel): ChannelMarket {
    const found = this.#open.get(channel);
    if (found) return found;
    const { settings, clock, frame, counts, log } = this.#parts;
    const rows = channel === "book" ? settings.maxBooks : settings.maxSymbols;
    const limits = { ...settings, rows: rows + settings.maxAwaitedSymbols };
    const { table, createEncoder } = createGatewayTable(channel, limits, frame.heap);
    const topics = new TopicIndex({ ...this.#parts, table }, `${channel}:`);
    const bus = this.#quotes.bus.ofChannel(channel);
    const market: ChannelMarket = {
      channel,
      bus,
      table,
      encoders: new EncoderPool(createEncoder, SHARED_ENCODERS),
      topics,
      status: new StatusBatcher(table, () => clock.micros(), channel),
      delays: new NoDelayedRows(table),
    };
    this.#open.set(channel, market);
    // As with quotes, all is read once, for patterns; afterwards only what clients want is followed.
    bus.follow();
    bus.start(new Ingest(table, topics, counts, clock)).then(
      () => bus.unfollow(),
      (error: unknown) => log.error({ err: error, channel }, "the bus cannot be listened to"),
    );
    return market;
  }

  get #quotes(): ChannelMarket {
    return this.#open.get("quote") as ChannelMarket;
  }
}

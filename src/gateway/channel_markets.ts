/** What a gateway has of each market: its table, and all that works on rows of that one. */
import type { Logger } from "pino";
import type { BusReader } from "../bus/bus.ts";
import type { BarPayload } from "../market/bar/bar_payload.ts";
import { createGatewayTable } from "../market/channels.ts";
import { EncoderPool } from "../market/encoder_pool.ts";
import type { GatewayTable, RowTable } from "../market/gateway_table.ts";
import { type BarMarketName, barLength, isBarMarket, type MarketName, PUBLISHED_BARS } from "../market/market_name.ts";
import type { Settings } from "../settings/settings.ts";
import { LongerBars } from "./bars/longer_bars.ts";
import { MinuteBars } from "./bars/minute_bars.ts";
import { type DelayedRows, NoDelayedRows } from "./delay/delayed_rows.ts";
import { StatusBatcher } from "./fanout/status_batcher.ts";
import { TopicIndex, type TopicIndexParts } from "./fanout/topic_index.ts";
import { Ingest } from "./ingest.ts";

/** Five depths in two formats. */
const SHARED_ENCODERS = 10;
const MINUTES = "bar:1m";

export interface ChannelMarket {
  readonly name: MarketName;
  readonly bus: BusReader;
  readonly table: RowTable;
  readonly encoders: EncoderPool;
  readonly topics: TopicIndex;
  readonly status: StatusBatcher;
  readonly delays: DelayedRows;
}

export interface ChannelMarketsParts extends Omit<TopicIndexParts, "table"> {
  readonly log: Logger;
  readonly settings: Pick<
    Settings,
    | "maxAwaitedSymbols"
    | "maxBars"
    | "maxBooks"
    | "maxSymbols"
    | "maxTrades"
    | "minuteBars"
    | "secondBars"
    | "tradesPerSymbol"
  >;
}

/** The markets in use: that of quotes from the beginning, each other from when a client first wants it. */
export class ChannelMarkets {
  readonly #parts: ChannelMarketsParts;
  readonly #open: Map<MarketName, ChannelMarket>;
  readonly #longerBars: LongerBars[] = [];
  #minuteBars: MinuteBars | undefined;

  constructor(quotes: ChannelMarket, parts: ChannelMarketsParts) {
    this.#parts = parts;
    this.#open = new Map([["quote", quotes]]);
  }

  /** Those in use. */
  get all(): Iterable<ChannelMarket> {
    return this.#open.values();
  }

  /** Does what is due several times a second. */
  maintain(): void {
    if (this.#longerBars.length === 0) return;
    const now = this.#parts.clock.micros();
    for (const bars of this.#longerBars) bars.closeDue(now);
  }

  of(name: MarketName): ChannelMarket {
    const found = this.#open.get(name);
    if (found) return found;
    const { settings, clock, frame, counts, log } = this.#parts;
    const rows = name === "book" ? settings.maxBooks : settings.maxSymbols;
    const limits = { ...settings, rows: rows + settings.maxAwaitedSymbols };
    const { table, createEncoder } = createGatewayTable(name, limits, frame.heap);
    const topics = new TopicIndex({ ...this.#parts, table }, `${name}:`);
    const bus =
      isBarMarket(name) && !PUBLISHED_BARS.includes(name)
        ? this.#createLongerBars(name, table as GatewayTable<BarPayload>)
        : this.#quotes.bus.ofMarket(name);
    const market: ChannelMarket = {
      name,
      bus,
      table,
      encoders: new EncoderPool(createEncoder, SHARED_ENCODERS),
      topics,
      status: new StatusBatcher(table, () => clock.micros(), name),
      delays: new NoDelayedRows(table),
    };
    this.#open.set(name, market);
    const ingest = new Ingest(table, topics, counts, clock);
    if (name === MINUTES) this.#minuteBars = new MinuteBars(ingest, table as GatewayTable<BarPayload>);
    // As with quotes, all is read once, for patterns; afterwards only what clients want is followed.
    bus.follow();
    bus.start(name === MINUTES && this.#minuteBars ? this.#minuteBars : ingest).then(
      () => bus.unfollow(),
      (error: unknown) => log.error({ err: error, market: name }, "the bus cannot be listened to"),
    );
    return market;
  }

  #createLongerBars(name: BarMarketName, table: GatewayTable<BarPayload>): LongerBars {
    const minutes = this.of(MINUTES);
    const bars = new LongerBars({
      minutes: { table: minutes.table as GatewayTable<BarPayload>, bus: minutes.bus },
      minuteBars: this.#parts.settings.minuteBars,
      table,
      length: barLength(name),
    });
    this.#longerBars.push(bars);
    this.#minuteBars?.observe(bars);
    return bars;
  }

  get #quotes(): ChannelMarket {
    return this.#open.get("quote") as ChannelMarket;
  }
}

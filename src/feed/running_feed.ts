/** One feed of this process: its adapter, its publisher and its bus writer. */
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";
import { CLOSED } from "../base/tick.ts";
import type { BusWriter } from "../bus/bus.ts";
import { createPublisherTable } from "../market/channels.ts";
import { type MarketName, PUBLISHED_BARS } from "../market/market_name.ts";
import type { Payload } from "../market/payload.ts";
import { PublisherTable } from "../market/publisher_table.ts";
import type { TradePayload } from "../market/trade/trade_payload.ts";
import type { Settings } from "../settings/settings.ts";
import type { Feed } from "./adapter.ts";
import { type FeedCounts, Publisher } from "./publisher.ts";
import { type FeedSpec, openFeed } from "./spec.ts";

/** How often bars that are over are looked for, ms. */
const CLOSE_INTERVAL = 100;

export class RunningFeed {
  readonly name: string;
  readonly #table: PublisherTable;
  /** The tables of the channels besides quotes. */
  readonly #others = new Map<MarketName, PublisherTable<Payload>>();
  readonly #writer: BusWriter;
  readonly #publisher: Publisher;
  readonly #feed: Feed;
  readonly #log: Logger;
  #closed = false;
  #closing: NodeJS.Timeout | undefined;

  /** @throws UsageError when the feed's target is wrong */
  constructor(spec: FeedSpec, settings: Settings, writer: BusWriter, clock: Clock, log: Logger) {
    this.name = spec.name;
    this.#log = log.child({ feed: spec.name });
    this.#table = new PublisherTable(settings.maxSymbols);
    this.#writer = writer;
    const { channels } = spec;
    const create = (name: MarketName) =>
      createPublisherTable(name, { ...settings, rows: name === "book" ? settings.maxBooks : settings.maxSymbols });
    if (channels.has("book")) this.#others.set("book", create("book"));
    // Bars are made of trades, which need not be published.
    const trades = channels.has("trade") || channels.has("bar") ? create("trade") : undefined;
    if (trades && channels.has("trade")) this.#others.set("trade", trades);
    if (channels.has("bar")) for (const name of PUBLISHED_BARS) this.#others.set(name, create(name));
    this.#publisher = new Publisher(
      this.#table,
      writer,
      clock,
      settings,
      this.#others,
      trades as PublisherTable<TradePayload> | undefined,
    );
    this.#feed = openFeed(spec, { sink: this.#publisher, clock, log: this.#log });
  }

  /** Whether its source is connected. */
  get connected(): boolean {
    return this.#feed.connected;
  }

  get counts(): FeedCounts {
    return this.#publisher.counts;
  }

  /** Symbols with at least one tick. */
  get symbols(): number {
    return this.#table.knownCount;
  }

  /** Symbols that are closed. */
  get closedSymbols(): number {
    const { known, knownCount, state } = this.#table;
    let count = 0;
    for (let index = 0; index < knownCount; index++) if (state[known[index]] === CLOSED) count++;
    return count;
  }

  /** Starts the adapter, and acquires the leadership of the feed on the bus, in any order. */
  start(): void {
    this.#writer.start(this.#table, this.counts.handover, this.#others).catch((error: unknown) => {
      if (!this.#closed) this.#log.error({ err: error }, "the feed cannot be published");
    });
    this.#feed.start();
    if (this.#others.has("bar:1s"))
      this.#closing = setInterval(() => this.#publisher.closeBars(), CLOSE_INTERVAL).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#closing);
    await this.#feed.close();
    await this.#writer.close();
  }
}

/**
 * The publisher of one feed: merges partial ticks into whole ones, numbers them, and reports changed rows to the bus.
 * It has no queue: newer values replace those that a busy bus has not sent yet.
 */

import type { Clock } from "../base/clock.ts";
import { createHistogram, type Histogram } from "../base/histogram.ts";
import { CLOSED, FIELD_COUNT, fieldIndex, isSymbol, LIVE, STALE, type TickPatch } from "../base/tick.ts";
import type { BusWriter, ChannelTables } from "../bus/bus.ts";
import { Handover } from "../bus/handover.ts";
import type { BarPayload } from "../market/bar/bar_payload.ts";
import type { Bar } from "../market/bar/bar_record.ts";
import type { BarRange } from "../market/bar/missing_bars.ts";
import type { BookPayload, BookSides } from "../market/book/book_payload.ts";
import { type BarMarketName, type MarketName, PUBLISHED_BARS } from "../market/market_name.ts";
import type { Payload } from "../market/payload.ts";
import type { ChangeOf, PublisherTable } from "../market/publisher_table.ts";
import type { TradePayload } from "../market/trade/trade_payload.ts";
import type { Trade } from "../market/trade/trade_ring.ts";
import type { FeedSink, SkipReason } from "./adapter.ts";
import { BarBuilder } from "./bar_builder.ts";

/** An event time ahead of our clock by more than this, microseconds, counts as early. */
const AHEAD = 1_000;
/**
 * Event times outside these limits are mistakes, and would appear as an age of decades or below zero. No source has a
 * price from before 2000, and times in seconds or milliseconds, or zeros, are before that. Prices of inactive symbols
 * may be years old. A machine's clock may be wrong by minutes; ten minutes are less than any error of a time zone.
 */
const EARLIEST = Date.UTC(2000, 0, 1) * 1_000;
const MOST_AHEAD = 600_000_000;

/** The reason of a stale symbol for which the source sends no price. */
export const NO_PRICE = "no price";
/** Of a book whose best bid is not below its best ask. */
export const CROSSED = "crossed book";
/** Ids of trades: see MAX_ID_CHARACTERS. */
const ID = /^[\x20-\x7e]{1,36}$/;
const BID = fieldIndex("bid");
const ASK = fieldIndex("ask");
const LAST = fieldIndex("last");

/** The counts of a feed since its start, for the metrics. */
export class FeedCounts {
  ticks = 0;
  trades = 0;
  books = 0;
  readonly skipped: Record<SkipReason, number> = {
    unknown: 0,
    malformed: 0,
    invalid_symbol: 0,
    table_full: 0,
    duplicate: 0,
  };
  /** Ticks whose event time was in the future. */
  future = 0;
  /** Ticks whose event time was missing, unreadable or a mistake; the time of receipt replaces it. */
  replacedTimes = 0;
  /** The time of receipt of the last tick, microseconds since the Unix epoch; NaN before the first. */
  lastTick = Number.NaN;
  /** How often a connection to the source was opened, and was lost. */
  connects = 0;
  disconnects = 0;
  /** From the event time at the source to the receipt by the adapter, for each tick. */
  readonly receipt: Histogram;
  /** The progress of the ticks after that. */
  readonly handover: Handover;

  /** @param settings whether latencies are measured */
  constructor(settings = { metrics: true }) {
    this.receipt = createHistogram(settings);
    this.handover = new Handover(createHistogram(settings));
  }
}

export class Publisher implements FeedSink {
  readonly counts: FeedCounts;
  readonly #table: PublisherTable;
  readonly #bus: BusWriter;
  readonly #clock: Clock;
  readonly #isMeasured: boolean;
  /** Undefined where the feed does not publish them. */
  readonly #trades: PublisherTable<TradePayload> | undefined;
  readonly #books: PublisherTable<BookPayload> | undefined;
  readonly #others: ChannelTables;
  /** Undefined where the feed publishes no bars. */
  readonly #bars: BarBuilder | undefined;

  /**
   * @param settings whether latencies are measured; if not, the time of receipt is not recorded
   * @param others the tables of the markets besides quotes
   * @param trades those that bars are made of, where trades are not published themselves
   */
  constructor(
    table: PublisherTable,
    bus: BusWriter,
    clock: Clock,
    settings = { metrics: true },
    others: ChannelTables = new Map(),
    trades = others.get("trade") as PublisherTable<TradePayload> | undefined,
  ) {
    this.#table = table;
    this.#others = others;
    this.#trades = trades;
    const bars = PUBLISHED_BARS.flatMap((name): [BarMarketName, PublisherTable<BarPayload>][] => {
      const table = others.get(name);
      return table ? [[name, table as PublisherTable<BarPayload>]] : [];
    });
    if (bars.length > 0) this.#bars = new BarBuilder(new Map(bars), (row, name) => bus.changed(row, name));
    this.#books = others.get("book") as PublisherTable<BookPayload> | undefined;
    this.#bus = bus;
    this.#clock = clock;
    this.counts = new FeedCounts(settings);
    this.#isMeasured = settings.metrics;
  }

  tick(symbol: string, patch: TickPatch, eventTime?: number, receivedAt = this.#clock.micros()): void {
    const table = this.#table;
    const row = this.#rowIn(table, symbol);
    if (row < 0) return;
    const { counts } = this;
    const time = this.#timeOf(eventTime, receivedAt);
    table.merge(row, patch, time, this.#isMeasured ? receivedAt : Number.NaN);
    if (!this.#hasPrice(row)) this.#markWithoutPrice(row);
    else if (table.state[row] !== LIVE) table.restate(row, LIVE, this.#clock.micros(), "");
    counts.ticks++;
    counts.lastTick = receivedAt;
    counts.receipt.sample(receivedAt - time);
    if (time - receivedAt > AHEAD) counts.future++;
    this.#bus.changed(row);
  }

  trade(
    symbol: string,
    trade: Trade,
    eventTime?: number,
    receivedAt: number = this.#clock.micros(),
    isPast = false,
  ): void {
    const table = this.#trades;
    if (!table) return;
    if (!isTrade(trade)) return this.skip("malformed");
    const row = this.#rowIn(table, symbol);
    if (row < 0) return;
    if (trade.id !== null && table.payload.ringOf(row).has(trade.id)) {
      // Venues repeat the last one after a lost connection: the tape is as it was.
      if (table.state[row] !== LIVE) {
        table.restate(row, LIVE, this.#clock.micros(), "");
        this.#bus.changed(row, "trade");
      }
      return this.skip("duplicate");
    }
    this.counts.trades++;
    const time = this.#timeOf(eventTime, receivedAt);
    this.#merge(table, row, trade, time, receivedAt, "trade");
    if (isPast || !this.#bars) return;
    if (!this.#bars.trade(symbol, trade.price, trade.size, time, receivedAt)) this.skip("table_full");
  }

  book(symbol: string, sides: BookSides, eventTime?: number, receivedAt = this.#clock.micros()): void {
    const table = this.#books;
    if (!table) return;
    if (isCrossed(sides)) {
      this.counts.books++;
      // A symbol that has had no good book gets no row: there is nothing to publish of it.
      return this.bookLost(symbol, CROSSED);
    }
    const row = this.#rowIn(table, symbol);
    if (row < 0) return;
    this.counts.books++;
    this.#merge(table, row, sides, this.#timeOf(eventTime, receivedAt), receivedAt, "book");
  }

  bookLost(symbol: string, reason: string): void {
    if (this.#books) this.#setStateIn(this.#books, STALE, reason, [symbol], "book");
  }

  stale(reason: string, symbols?: readonly string[]): void {
    this.#setState(STALE, reason, symbols);
  }

  closed(reason: string): void {
    this.#setState(CLOSED, reason);
  }

  /** The symbol's row, a new one where there was none; -1 where it is skipped. */
  #rowIn(table: PublisherTable<Payload>, symbol: string): number {
    let row = table.rowOf(symbol);
    if (row >= 0) return row;
    if (!isSymbol(symbol)) this.skip("invalid_symbol");
    else {
      row = table.add(symbol);
      if (row < 0) this.skip("table_full");
    }
    return row;
  }

  /** The event time, or the time of receipt where that is missing or a mistake. */
  #timeOf(eventTime: number | undefined, receivedAt: number): number {
    if (eventTime === undefined) return receivedAt;
    if (eventTime >= EARLIEST && eventTime <= receivedAt + MOST_AHEAD) return Math.round(eventTime);
    this.counts.replacedTimes++;
    return receivedAt;
  }

  #merge<P extends Payload>(
    table: PublisherTable<P>,
    row: number,
    change: ChangeOf<P>,
    time: number,
    receivedAt: number,
    channel: MarketName,
  ): void {
    table.merge(row, change, time, receivedAt);
    if (table.state[row] !== LIVE) table.restate(row, LIVE, this.#clock.micros(), "");
    this.#bus.changed(row, channel);
  }

  get takesPastBars(): boolean {
    return this.#bars !== undefined && this.#bus.isLeading;
  }

  missingBars(symbol: string, market: BarMarketName, from: number, end: number, most: number): BarRange | undefined {
    return this.#bars?.missing(symbol, market, { from, end, most, now: this.#clock.micros() });
  }

  pastBars(symbol: string, market: BarMarketName, bars: readonly Bar[]): void {
    if (!this.#bars || !this.takesPastBars) return;
    if (!isSymbol(symbol)) this.skip("invalid_symbol");
    else if (!this.#bars.fill(symbol, market, bars, this.#clock.micros())) this.skip("table_full");
  }

  connected(symbols?: readonly string[]): void {
    this.counts.connects++;
    this.#bars?.connected(this.#clock.micros(), symbols);
  }

  disconnected(): void {
    this.counts.disconnects++;
  }

  skip(reason: SkipReason): void {
    this.counts.skipped[reason]++;
  }

  /** The open, the day's range and the volume are not prices to trade at. */
  #hasPrice(row: number): boolean {
    const { values } = this.#table.payload;
    const base = row * FIELD_COUNT;
    return !(Number.isNaN(values[base + LAST]) && Number.isNaN(values[base + BID]) && Number.isNaN(values[base + ASK]));
  }

  #markWithoutPrice(row: number): void {
    const table = this.#table;
    if (table.state[row] === STALE && table.reasons[row] === NO_PRICE) return;
    table.restate(row, STALE, this.#clock.micros(), NO_PRICE);
  }

  /** Closes the bars that are over; to be called several times a second. */
  closeBars(): void {
    this.#bars?.closeDue(this.#clock.micros());
  }

  #setState(state: number, reason: string, symbols?: readonly string[]): void {
    this.#bars?.lost(symbols, this.#clock.micros());
    this.#setStateIn(this.#table, state, reason, symbols, "quote");
    for (const [channel, table] of this.#others) this.#setStateIn(table, state, reason, symbols, channel);
  }

  #setStateIn(
    table: PublisherTable<Payload>,
    state: number,
    reason: string,
    symbols: readonly string[] | undefined,
    channel: MarketName,
  ): void {
    const since = this.#clock.micros();
    const count = symbols?.length ?? table.rows;
    for (let i = 0; i < count; i++) {
      const row = symbols ? table.rowOf(symbols[i]) : i;
      if (row < 0 || table.state[row] === state || table.state[row] === CLOSED) continue;
      table.restate(row, state, since, reason);
      this.#bus.changed(row, channel);
    }
  }
}

function isTrade({ price, size, side, id }: Trade): boolean {
  if (!Number.isFinite(price) || !Number.isFinite(size) || size <= 0) return false;
  return (side === 1 || side === -1 || side === 0) && (id === null || ID.test(id));
}

/** A bid at or above the best ask: one of the two is wrong. */
function isCrossed({ bids, asks }: BookSides): boolean {
  return bids.length > 0 && asks.length > 0 && bids[0] >= asks[0];
}

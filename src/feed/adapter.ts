/**
 * The interfaces of all feed adapters: the sink that receives their ticks, the context that they get, and their
 * declaration. `adapters.ts` lists the adapters.
 */
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";
import type { TickPatch } from "../base/tick.ts";
import type { Bar } from "../market/bar/bar_record.ts";
import type { BarRange } from "../market/bar/missing_bars.ts";
import type { BookSides } from "../market/book/book_payload.ts";
import type { BarMarketName } from "../market/market_name.ts";
import type { Trade } from "../market/trade/trade_ring.ts";
import type { Channel } from "../protocol/messages.ts";
import type { Kind } from "../settings/option.ts";

/** Why a message of a source did not become a tick. */
export type SkipReason = "unknown" | "malformed" | "invalid_symbol" | "table_full" | "duplicate";

/** Receives what a feed adapter reads. No method throws or waits. */
export interface FeedSink {
  /**
   * Values of a symbol arrived. The patch is read before the call returns and may be reused.
   * @param eventTime the time of the event at the source, microseconds since the Unix epoch; undefined when the message
   * has
   * no time, NaN when its time cannot be read
   * @param receivedAt the time of receipt, for adapters that report many ticks at once; the default is now
   */
  tick(symbol: string, patch: TickPatch, eventTime: number | undefined, receivedAt?: number): void;
  /**
   * A trade, of a feed with the channel `trade` or `bar`. One that was reported already, by its id, is ignored.
   * @param isPast whether it was before the source was connected: then it is in no bar
   */
  trade(symbol: string, trade: Trade, eventTime: number | undefined, receivedAt?: number, isPast?: boolean): void;
  /** A book as it stands now, of a feed with the channel `book`. The arrays are read before the call returns. */
  book(symbol: string, sides: BookSides, eventTime: number | undefined, receivedAt?: number): void;
  /** The book cannot be followed until its next {@link book}: it is stale, and not shown wrong. */
  bookLost(symbol: string, reason: string): void;
  /**
   * The source is silent (connection lost, or no message): these symbols, or all when none are named, are stale until
   * their next tick.
   */
  stale(reason: string, symbols?: readonly string[]): void;
  /** A connection to the source was opened, maybe of some symbols only, or was lost. */
  connected(symbols?: readonly string[]): void;
  disconnected(): void;
  /** The source ended for good: all its symbols are closed. */
  closed(reason: string): void;
  /**
   * What is missing of a symbol's past bars: the newest range with a bar that is not there, or partial. Undefined where
   * all are there, or the feed has no channel `bar`.
   * @param from when the first bar may begin, microseconds since the Unix epoch; bars of before all that are kept are
   *     not missing
   * @param end when a bar ends: only what has ended before is missing
   * @param most the most bars of a range
   */
  missingBars(symbol: string, market: BarMarketName, from: number, end: number, most: number): BarRange | undefined;
  /**
   * Closed bars as the source has them. They never replace a complete one.
   * @param bars ascending, each start once
   */
  pastBars(symbol: string, market: BarMarketName, bars: readonly Bar[]): void;
  /** Whether past bars are wanted: not while another publisher leads the feed. */
  readonly takesPastBars: boolean;
  /** A message was skipped; it is counted, and never fatal. */
  skip(reason: SkipReason): void;
}

/** The parts of the process that an adapter uses. */
export interface FeedContext {
  readonly sink: FeedSink;
  readonly clock: Clock;
  readonly log: Logger;
  /** What the feed is to publish: `quote` always. */
  readonly channels: ReadonlySet<Channel>;
}

/** A running feed. */
export interface Feed {
  /** Connects or opens the source. Returns at once; later failures are logged, counted and retried. */
  start(): void;
  /** Whether the source is connected: with several connections, all of them. */
  readonly connected: boolean;
  /** Stops for good; no call of the sink follows. */
  close(): Promise<void>;
}

/** An option of an adapter, written as `?name=value` after the symbols. */
export interface FeedOption<T = unknown> {
  readonly kind: Kind<T>;
  readonly default: T;
  readonly help: string;
}

/** The options of an adapter by name. */
export type FeedOptions = Readonly<Record<string, FeedOption>>;

/** The values of some options. */
export type OptionValues<O extends FeedOptions> = {
  readonly [K in keyof O]: O[K] extends FeedOption<infer T> ? T : never;
};

/** A kind of feed: the part before the colon in `ADAPTER:SYMBOLS?option=value`. */
export interface Adapter<O extends FeedOptions = FeedOptions> {
  readonly name: string;
  /** The part after the colon, for the help: `SYMBOL,SYMBOL`, `FILE` or nothing. */
  readonly target: string;
  readonly help: string;
  readonly options: O;
  /**
   * Creates a feed; it is not started.
   * @param target the part between the colon and the question mark
   * @throws UsageError when the target is wrong
   */
  create(target: string, options: OptionValues<O>, context: FeedContext): Feed;
}

/**
 * What all feed adapters share: the door through which their ticks leave (the sink), what they are given, and how
 * they are declared. One file a source beside this one; `adapters.ts` lists them.
 */
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";
import type { TickPatch } from "../base/tick.ts";
import type { Kind } from "../settings/option.ts";

/** Why a message of a source was not made a tick. */
export type SkipReason = "unknown" | "malformed" | "invalid_symbol" | "table_full";

/** Where a feed adapter puts what it learns. Nothing here throws or waits. */
export interface FeedSink {
  /**
   * The source told something of a symbol. The patch is read before the call returns and may be reused.
   * @param eventTime when the source says that it happened, microseconds since the Unix epoch; undefined where such a
   *     message has no time, NaN where it should have one that can be read
   * @param receivedAt when it was received, for who tells many at once; now where it is not said
   */
  tick(symbol: string, patch: TickPatch, eventTime: number | undefined, receivedAt?: number): void;
  /**
   * The source has gone silent (connection lost, nothing heard): these symbols, or all where none are named, are stale
   * until their next tick.
   */
  stale(reason: string, symbols?: readonly string[]): void;
  /** A connection to the source has come about; or one that had was lost. */
  connected(): void;
  disconnected(): void;
  /** The source has ended for good: all its symbols are closed. */
  closed(reason: string): void;
  /** A message was left out; counted, never fatal. */
  skip(reason: SkipReason): void;
}

/** What an adapter is given to work with. */
export interface FeedContext {
  readonly sink: FeedSink;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A running feed. */
export interface Feed {
  /** Connects, opens or begins. Returns at once; what goes wrong later is logged, counted and tried again. */
  start(): void;
  /** Whether the source can be heard now: of several connections, on all. */
  readonly connected: boolean;
  /** Stops for good; no call of the sink follows. */
  close(): Promise<void>;
}

/** An option of an adapter, written `?name=value` behind its symbols. */
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

/** A kind of feed: what stands before the colon in `ADAPTER:SYMBOLS?option=value`. */
export interface Adapter<O extends FeedOptions = FeedOptions> {
  readonly name: string;
  /** What stands behind the colon, for the help: `SYMBOL,SYMBOL`, `FILE` or nothing. */
  readonly target: string;
  readonly help: string;
  readonly options: O;
  /**
   * Makes a feed that has not started.
   * @param target what stands between the colon and the question mark
   * @throws UsageError when the target is wrong
   */
  create(target: string, options: OptionValues<O>, context: FeedContext): Feed;
}

/**
 * The bus carries ticks from publishers to gateways, and keeps the latest one of each symbol (the last-value store) for
 * gateways that start or have missed some. Two implementations: memory.ts (one process) and the folder redis.
 */

import type { BusRecord } from "../market/bus_record.ts";
import type { HeardFeed } from "../market/heard_feed.ts";
import type { MarketName } from "../market/market_name.ts";
import type { Payload } from "../market/payload.ts";
import type { PublisherTable } from "../market/publisher_table.ts";
import type { Handover } from "./handover.ts";

/** Receives what the bus delivers to a gateway. All calls are synchronous: after them a batch is in the table. */
export interface BusListener {
  /**
   * The state of a symbol: newer than the known one, older or the same; the listener compares epoch and seq.
   * @returns the listener's row of the symbol, which the transport may put into later records of it; -1 for none
   */
  record(record: BusRecord): number;
  /** All records of one batch have been delivered. */
  batchEnd(): void;
  /**
   * Nothing has come on this stream for too long, or nothing yet: the values of its symbols may be old. Called again
   * when a later sign of life of its feed is found.
   * @param sinceMicros when its feed was last known to be alive, whole microseconds since the Unix epoch
   */
  silent(stream: number, sinceMicros: number): void;
  /** The stream is heard again. */
  speaking(stream: number): void;
}

/** One feed on one shard of the bus, as a gateway receives it. */
export interface HeardStream {
  /** As in {@link BusRecord.stream}. */
  readonly stream: number;
  readonly feed: string;
  /** The shard, counted from 0. */
  readonly shard: number;
  readonly epoch: number;
  /** The number of the last batch. */
  readonly batch: number;
  /** When it came, ms of the clock. */
  readonly heardAt: number;
  readonly isSilent: boolean;
  /** Whether batches are missing whose values have not been read from the store yet. */
  readonly isMissing: boolean;
}

/** A gateway's end of the bus. */
export interface BusReader {
  /** The reader of another channel, always the same one. This one is of quotes. */
  ofMarket(channel: MarketName): BusReader;
  /** Starts to deliver. Resolves when the market is known as far as the bus knows it; may take until Redis answers. */
  start(listener: BusListener): Promise<void>;
  /**
   * Subscribes to the shard of a symbol, or to all shards when none is named, until as many calls of {@link unfollow},
   * and a while longer.
   */
  follow(symbol?: string): void;
  unfollow(symbol?: string): void;
  /**
   * Whether the listener has all that the bus has of a followed symbol, and its feed is known to be alive or silent.
   * Without a symbol: of all.
   */
  isKnown(symbol?: string): boolean;
  /** The feeds that have been received, each once. */
  feeds(): Iterable<HeardFeed>;
  /** The streams that are received now, for status pages. */
  heard(): HeardStream[];
  /** Why the process is not ready: the market is not known, or the bus not connected. Undefined when it is. */
  unready(): string | undefined;
  close(): Promise<void>;
}

/** Tokens that are not valid any more. Times are microseconds since the Unix epoch. */
export interface Revocation {
  /** Of one subject, one token by its id, or all. */
  readonly kind: "subject" | "token" | "all";
  /** The subject or the token's id; empty for all. */
  readonly value: string;
  /** Of a subject, or all: tokens that were issued before. */
  readonly issuedBefore: number;
  /** No such token lives longer. */
  readonly until: number;
}

/** The revocations that all gateways share. */
export interface Revocations {
  /** Whether they have been read; what has been read stays known. */
  readonly isKnown: boolean;
  /** How many are not observed, since there is no room for them. */
  readonly leftOut: number;
  /** @param changed gets all that are in force, at first and after each change */
  watch(changed: (all: readonly Revocation[]) => void): void;
  /** The time of the clock that they are judged by, microseconds since the Unix epoch. */
  now(): Promise<number>;
  /**
   * Adds one. Of two of one subject, or of one token, the later and longer counts.
   * @returns whether there was room for it
   */
  add(revocation: Revocation): Promise<boolean>;
  close(): void;
}

/** The tables of the channels that a feed publishes besides quotes. */
export type ChannelTables = ReadonlyMap<MarketName, PublisherTable<Payload>>;

/**
 * A publisher's end of the bus, for one feed. The publisher keeps its symbols in a market table. The bus reads the rows
 * that have changed since its last read: a busy bus reads less often, and that is the conflation.
 */
export interface BusWriter {
  /** Whether this publisher leads the feed: not while it stands by for another one, or takes over. */
  readonly isLeading: boolean;
  /**
   * Takes over the feed: fills the table from the last-value store, so that `seq` continues, and resolves once this
   * publisher may write. Rejects only when closed.
   * @param others the tables of other channels than quotes
   * @param handover counts the ticks that the bus reads
   */
  start(table: PublisherTable, handover?: Handover, others?: ChannelTables): Promise<void>;
  /** A row of a table has changed: write it, at once or as soon as the write under way is done. */
  changed(row: number, channel?: MarketName): void;
  /** Writes the rest, releases the feed, and ends. */
  close(): Promise<void>;
}

/**
 * The bus carries ticks from publishers to gateways, and keeps every symbol's latest one (the last-value store) for
 * a gateway that starts or has missed something. Two implementations: memory.ts (one process) and redis_*.ts.
 */

import type { BusRecord } from "../market/bus_record.ts";
import type { HeardFeed } from "../market/heard_feed.ts";
import type { PublisherTable } from "../market/publisher_table.ts";
import type { Handover } from "./handover.ts";

/** What a gateway is to the bus. Every call is synchronous: a batch is in the table when its calls have returned. */
export interface BusListener {
  /**
   * The state of a symbol: newer than the known one, older or the same; the listener compares epoch and seq.
   * @returns the listener's row of the symbol, which the transport may put into later records of it; -1 for none
   */
  record(record: BusRecord): number;
  /** All records of one batch have been delivered. */
  batchEnd(): void;
  /**
   * Nothing has come on this stream for too long, or nothing yet: what is known of its symbols stands, and what is read of them from the
   * last-value store, but may be old. Said again when more is known of when its feed was alive.
   * @param sinceMicros when its feed was last known to be alive, whole microseconds since the Unix epoch
   */
  silent(stream: number, sinceMicros: number): void;
  /** The stream speaks again. */
  speaking(stream: number): void;
}

/** One feed on one part of the bus, as a gateway hears it. */
export interface HeardStream {
  /** As in {@link BusRecord.stream}. */
  readonly stream: number;
  readonly feed: string;
  /** The part of the bus, counted from 0. */
  readonly shard: number;
  readonly epoch: number;
  /** The number of the last batch. */
  readonly batch: number;
  /** When it came, ms of the clock. */
  readonly heardAt: number;
  readonly isSilent: boolean;
  /** Whether batches are missing that have not been healed yet. */
  readonly isMissing: boolean;
}

/** A gateway's end of the bus. */
export interface BusReader {
  /** Starts to deliver. Resolves when the market is known as far as the bus knows it; may take until Redis answers. */
  start(listener: BusListener): Promise<void>;
  /**
   * Somebody wants this symbol, or every symbol when none is named: a bus in parts (shards) listens to the part it
   * comes on until as many calls of {@link unfollow}, and a while longer.
   */
  follow(symbol?: string): void;
  unfollow(symbol?: string): void;
  /**
   * Whether all that the bus holds of a followed symbol is in the listener's hands, and whether its feed lives has been seen; of every
   * symbol when none is named.
   */
  isKnown(symbol?: string): boolean;
  /** The feeds that have been heard, each once. */
  feeds(): Iterable<HeardFeed>;
  /** What is heard now, for people to look at. */
  heard(): HeardStream[];
  /** Why the market is not known or the bus not heard, for readiness; undefined when all is well. */
  unready(): string | undefined;
  close(): Promise<void>;
}

/**
 * A publisher's end of the bus, for one feed. The publisher keeps its symbols in a market table; the bus takes from
 * it what has changed since it last took, which is all that conflation is: a busy bus takes less often.
 */
export interface BusWriter {
  /**
   * Takes over the feed: fills the table with what the last-value store holds of it, so that `seq` carries on, and
   * resolves once this publisher may write. Rejects only when closed.
   * @param handover counts what the bus takes
   */
  start(table: PublisherTable, handover?: Handover): Promise<void>;
  /** A row of the table has changed: write it, at once or as soon as the write under way is done. */
  changed(row: number): void;
  /** Writes what is still unwritten, gives the feed up, and ends. */
  close(): Promise<void>;
}

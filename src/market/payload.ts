/**
 * What a row of a market table holds of its channel: a quote's values, the levels of a book, the latest trades. The
 * table has the columns that all channels share (table.ts), and calls this for the rest.
 */
import type { BusRecord } from "./bus_record.ts";

/**
 * The payloads of all rows of one table.
 *
 * Parameters are methods' so that a payload of one kind of records can stand where any is wanted: a table and its bus
 * always have the same channel.
 */
export interface Payload<Change = unknown, R extends BusRecord = BusRecord> {
  /**
   * Whether each change is kept for clients, up to a limit, and sent once and in order (trades). Otherwise the newest
   * replaces the one before.
   */
  readonly keepsEach: boolean;
  /** Whether a row has several ticks, all of which are sent: trades, and bars. */
  readonly isSeries: boolean;
  /** How many marks of numbers there are, where not as many as a mark has room for: see seq_mark.ts. */
  readonly marks?: number;
  /** Has room for so many rows. */
  grow(capacity: number): void;
  /** The row is another symbol's from now on: it holds nothing. */
  clear(row: number): void;
  /** A new record of the channel. */
  createRecord(): R;
  /** Takes over what a record says. @param now microseconds since the Unix epoch */
  write(row: number, record: R, now: number): void;
  /**
   * Fills the record with what the row holds.
   * @param back of several ticks that are kept: how many are newer than the one to be read. Number and times are then
   *     those of that one
   */
  read(row: number, record: R, back: number): void;
  /**
   * Of a payload that keeps each tick: the store has the row up to this record, and the row's ticks get the numbers
   * that follow from it.
   * @returns how many of them are later than the record
   */
  follow(row: number, record: R): number;
  /** How many ticks after a number are to be read: one, unless each is kept. At least one. */
  countSince(row: number, seq: number): number;
  /**
   * Of a series where the newest does not tell of the others: takes over a record of before the row's newest.
   * @returns whether it is new here
   */
  writeOlder?(row: number, record: R): boolean;
  /** Of bars: the starts of those that the row has dropped since the last call; the store is to drop them as well. */
  takeDropped?(row: number): readonly number[];
  /** Takes the publisher's lead of a feed from another one: the store's records follow, then the end for each row. */
  takeover?: SeriesTakeover<R>;
  /** Whether the row holds the same. */
  equals(row: number, record: R): boolean;
  /** A publisher's source has changed something. @param seq its number @param times as in a record */
  merge(row: number, change: Change, seq: number, eventTime: number, receivedAt: number): void;
}

/** How a publisher takes over a series, one record after another in any order. */
export interface SeriesTakeover<R extends BusRecord = BusRecord> {
  begin(): void;
  adopt(row: number, record: R): void;
  /**
   * All that the store has of the row was adopted.
   * @param seq of the row, and its state
   * @returns the number with which the row goes on, and whether the store lacks something
   */
  finish(row: number, seq: number, state: number, reason: string): { seq: number; differs: boolean };
}

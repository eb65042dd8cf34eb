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
  /** Whether the row holds the same. */
  equals(row: number, record: R): boolean;
  /** A publisher's source has changed something. @param seq its number @param times as in a record */
  merge(row: number, change: Change, seq: number, eventTime: number, receivedAt: number): void;
}

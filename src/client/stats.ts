/** What a client has counted. */
import type { AgeQuantiles } from "./records/ages.ts";

/** Totals since the client was made. */
export interface ClientStats {
  /** The last measured round trip, ms; undefined before the first. */
  readonly roundTrip: number | undefined;
  /** How far the gateway's clock is ahead of this one, microseconds; the error is at most half the round trip. */
  readonly clockOffset: number;
  /** Data frames, the ticks in them, and the bytes of all messages. */
  readonly frames: number;
  readonly ticks: number;
  readonly bytes: number;
  /** Ticks that were not sent because newer ones replaced them. */
  readonly conflated: number;
  /** Ticks that the gateway missed and reported (`gap`). */
  readonly lost: number;
  /** How often it reported missed ticks of a symbol, and how often it reported that a symbol's `seq` began again. */
  readonly gaps: number;
  readonly resets: number;
  /** Connections made after the first. */
  readonly reconnects: number;
  /** The age on arrival of the latest 2,048 ticks without snapshots, by the gateway's clock. */
  readonly age: AgeQuantiles;
}

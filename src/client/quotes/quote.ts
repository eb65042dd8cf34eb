/** A quote: the public interface to the prices of one symbol. The same object lives through ticks and reconnects. */
import type { Field, State } from "../../base/tick.ts";

/**
 * `live`; `stale`: its feed is silent, or no feed publishes it (then the reason is `unknown`), or the connection is
 * silent, or no tick has arrived since the reconnect; `closed`: its feed has ended; `unknown`: no tick has ever
 * arrived, and the gateway has given no reason.
 */
export type QuoteState = State | "unknown";

/** Each field has a getter of its name: its value in the latest tick, or null, as {@link get} returns it. */
export interface Quote extends Readonly<Record<Field, number | null>> {
  readonly symbol: string;
  readonly state: QuoteState;
  /** The reason of the state; empty if none was given. */
  readonly reason: string;
  /** When the state began, microseconds since the Unix epoch; 0 if not reported. */
  readonly since: number;
  /** The fields of this quote, in the order in which they were asked for. */
  readonly fields: readonly Field[];
  /** The granted interval, ms: shorter than asked for where another subscription needs it; 0 before the grant. */
  readonly interval: number;
  /** How late its data is on purpose, ms; 0 for live. */
  readonly delay: number;
  /** The sequence number of the latest tick at the publisher; 0 before the first tick. */
  readonly seq: number;
  /** When it happened according to the source, microseconds since the Unix epoch. */
  readonly eventTime: number;
  /** When the gateway sent it, microseconds since the Unix epoch. */
  readonly sentAt: number;
  /** When it arrived, microseconds since the Unix epoch by this machine's clock. */
  readonly receivedAt: number;
  /** Ticks received. */
  readonly ticks: number;
  /** Ticks that were not sent because newer ones replaced them. */
  readonly conflated: number;
  /** Ticks that the gateway missed and reported. */
  readonly lost: number;
  /** The latest tick's values, in the order of {@link fields}. */
  readonly values: (number | null)[];
  /** A value of the latest tick; null when it is not known, or not among {@link fields}. */
  get(field: Field): number | null;
  /** The latest tick's values by name. */
  toObject(): { [F in Field]?: number | null };
  /** The present age of the latest tick, ms, by the gateway's clock; 0 before the first tick. */
  age(): number;
}

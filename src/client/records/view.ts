/** What a quote, a book and a tape have in common: the public interface to one symbol in one channel. */
import type { State } from "../../base/tick.ts";

/**
 * `live`; `stale`: its feed is silent, or no feed publishes it (then the reason is `unknown`), or the connection is
 * silent, or no tick has arrived since the reconnect; `closed`: its feed has ended; `unknown`: no tick has ever
 * arrived, and the gateway has given no reason.
 */
export type QuoteState = State | "unknown";

/** A symbol in one channel. The same object lives through ticks and reconnects. */
export interface View {
  readonly symbol: string;
  readonly state: QuoteState;
  /** The reason of the state; empty if none was given. */
  readonly reason: string;
  /** When the state began, microseconds since the Unix epoch; 0 if not reported. */
  readonly since: number;
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
  /** The present age of the latest tick, ms, by the gateway's clock; 0 before the first tick. */
  age(): number;
}

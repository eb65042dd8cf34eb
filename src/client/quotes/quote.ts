/** A quote: what an owner sees of a symbol. The same object lives on through ticks and reconnects. */
import type { Field, State } from "../../base/tick.ts";

/**
 * `live`; `stale`: its feed is silent, or nobody publishes it (then the reason is `unknown`), or the connection is silent,
 * or no tick has come since it was made again; `closed`: its feed has ended; `unknown`: no tick has ever come, and the
 * gateway has not said why.
 */
export type QuoteState = State | "unknown";

/** Each field has a getter of its name: its value in the latest tick, or null, as {@link get} tells it. */
export interface Quote extends Readonly<Record<Field, number | null>> {
  readonly symbol: string;
  readonly state: QuoteState;
  /** Why it stands so; empty where nothing was said. */
  readonly reason: string;
  /** Since when it stands so, microseconds since the Unix epoch; 0 where nothing was said. */
  readonly since: number;
  /** The fields seen, in the order in which they were asked for. */
  readonly fields: readonly Field[];
  /** The granted interval, ms: shorter than was asked for where another subscription wants it so; 0 before the grant. */
  readonly interval: number;
  /** The latest tick's number at the publisher; 0 before the first tick. */
  readonly seq: number;
  /** When the source says that it happened, microseconds since the Unix epoch. */
  readonly eventTime: number;
  /** When the gateway sent it, microseconds since the Unix epoch. */
  readonly sentAt: number;
  /** When it came, microseconds since the Unix epoch by this machine's clock. */
  readonly receivedAt: number;
  /** Ticks received. */
  readonly ticks: number;
  /** Ticks left out because newer ones replaced them. */
  readonly conflated: number;
  /** Ticks that the gateway missed, and said so. */
  readonly lost: number;
  /** The latest tick's values, in the order of {@link fields}. */
  readonly values: (number | null)[];
  /** A value of the latest tick; null when it is not known, or not among {@link fields}. */
  get(field: Field): number | null;
  /** The latest tick's values by name. */
  toObject(): { [F in Field]?: number | null };
  /** How old the latest tick is now, ms, by the gateway's clock; 0 before the first tick. */
  age(): number;
}

/** A quote: what an owner sees of a symbol. The same object lives on through ticks and reconnects. */
import { FIELDS, type Field, fieldIndex, type State } from "../base/tick.ts";
import type { QuoteRecord } from "./quotes/quote_record.ts";

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

/** Who is to be told of changes of an entry, and which fields it sees. */
export interface Follower {
  /** Undefined: all that are granted. */
  readonly fields: readonly Field[] | undefined;
  /**
   * The entry has changed.
   * @param now ms
   * @param isTurn its state has, which does not wait for the interval
   */
  changed(view: View, now: number, isTurn: boolean): void;
  /** The gateway said how the symbol stands. */
  status(view: View, state: QuoteState | "gap", reason: string): void;
}

/** A quote as the client makes it: a view on an entry. */
export class View implements Quote {
  readonly entry: QuoteRecord;
  readonly follower: Follower;
  /** When the owner was last called with it, ms. */
  toldAt = -Infinity;
  declare readonly symbol: string;
  declare readonly state: QuoteState;
  declare readonly interval: number;
  declare readonly seq: number;
  declare readonly eventTime: number;
  declare readonly sentAt: number;
  declare readonly receivedAt: number;
  declare readonly ticks: number;
  declare readonly conflated: number;
  declare readonly lost: number;
  declare readonly bid: number | null;
  declare readonly bidSize: number | null;
  declare readonly ask: number | null;
  declare readonly askSize: number | null;
  declare readonly last: number | null;
  declare readonly lastSize: number | null;
  declare readonly open: number | null;
  declare readonly high: number | null;
  declare readonly low: number | null;
  declare readonly volume: number | null;

  constructor(entry: QuoteRecord, follower: Follower) {
    this.entry = entry;
    this.follower = follower;
  }

  get reason(): string {
    return this.entry.standing.reason;
  }

  get since(): number {
    return this.entry.standing.since;
  }

  get fields(): readonly Field[] {
    return this.follower.fields ?? this.entry.fields;
  }

  get values(): (number | null)[] {
    return this.fields.map((field) => this.get(field));
  }

  get(field: Field): number | null {
    if (!this.fields.includes(field)) return null;
    const value = this.entry.values[fieldIndex(field)];
    return Number.isNaN(value) ? null : value;
  }

  toObject(): { [F in Field]?: number | null } {
    return Object.fromEntries(this.fields.map((field) => [field, this.get(field)]));
  }

  age(): number {
    const { seq, eventTime, time } = this.entry;
    return seq > 0 ? Math.max(0, (time.micros() - eventTime) / 1_000) : 0;
  }
}

// Twenty getters by hand are twenty times as many bytes on the way to every page.
function define(name: string, get: (this: View) => unknown): void {
  Object.defineProperty(View.prototype, name, { get });
}

const OF_ENTRY = [
  "symbol",
  "state",
  "interval",
  "seq",
  "eventTime",
  "sentAt",
  "receivedAt",
  "ticks",
  "conflated",
  "lost",
] as const;

for (const name of OF_ENTRY)
  define(name, function () {
    return this.entry[name];
  });
for (const field of FIELDS)
  define(field, function () {
    return this.get(field);
  });

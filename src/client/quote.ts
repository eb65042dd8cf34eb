/** A quote: what an owner sees of a symbol. The same object lives on through ticks and reconnects. */
import { type Field, fieldIndex, type State } from "../tick.ts";
import type { Entry } from "./entry.ts";

/**
 * `live`; `stale`: its feed is silent, or the connection is, or no tick has come since it was made again; `closed`: its
 * feed has ended; `unknown`: no tick has ever come.
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

/** Which fields are seen: those of the owner's subscription. */
export interface Scope {
  /** Undefined: all that are granted. */
  readonly fields: readonly Field[] | undefined;
}

/** A quote as the client makes it: a view on an entry. */
export class View implements Quote {
  readonly #entry: Entry;
  readonly #scope: Scope;

  constructor(entry: Entry, scope: Scope) {
    this.#entry = entry;
    this.#scope = scope;
  }

  get symbol(): string {
    return this.#entry.symbol;
  }

  get state(): QuoteState {
    return this.#entry.state;
  }

  get reason(): string {
    return this.#entry.standing.reason;
  }

  get since(): number {
    return this.#entry.standing.since;
  }

  get fields(): readonly Field[] {
    return this.#scope.fields ?? this.#entry.fields;
  }

  get interval(): number {
    return this.#entry.interval;
  }

  get seq(): number {
    return this.#entry.seq;
  }

  get eventTime(): number {
    return this.#entry.eventTime;
  }

  get sentAt(): number {
    return this.#entry.sentAt;
  }

  get receivedAt(): number {
    return this.#entry.receivedAt;
  }

  get ticks(): number {
    return this.#entry.ticks;
  }

  get conflated(): number {
    return this.#entry.conflated;
  }

  get lost(): number {
    return this.#entry.lost;
  }

  get bid(): number | null {
    return this.get("bid");
  }

  get bidSize(): number | null {
    return this.get("bidSize");
  }

  get ask(): number | null {
    return this.get("ask");
  }

  get askSize(): number | null {
    return this.get("askSize");
  }

  get last(): number | null {
    return this.get("last");
  }

  get lastSize(): number | null {
    return this.get("lastSize");
  }

  get open(): number | null {
    return this.get("open");
  }

  get high(): number | null {
    return this.get("high");
  }

  get low(): number | null {
    return this.get("low");
  }

  get volume(): number | null {
    return this.get("volume");
  }

  get values(): (number | null)[] {
    return this.fields.map((field) => this.get(field));
  }

  get(field: Field): number | null {
    if (!this.fields.includes(field)) return null;
    const value = this.#entry.values[fieldIndex(field)];
    return Number.isNaN(value) ? null : value;
  }

  toObject(): { [F in Field]?: number | null } {
    return Object.fromEntries(this.fields.map((field) => [field, this.get(field)]));
  }

  age(): number {
    const { seq, eventTime, time } = this.#entry;
    return seq > 0 ? Math.max(0, (time.micros() - eventTime) / 1_000) : 0;
  }
}

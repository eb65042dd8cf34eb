/** A quote: what an owner sees of a symbol. The same object lives on through ticks and reconnects. */
import { type Field, fieldIndex, type State } from "../tick.ts";
import type { Entry } from "./entry.ts";

/** Which fields are seen: those of the owner's subscription. */
export interface Scope {
  /** Undefined: all that are granted. */
  readonly fields: readonly Field[] | undefined;
}

export class Quote {
  readonly #entry: Entry;
  readonly #scope: Scope;

  /** Quotes are made by the client. */
  constructor(entry: Entry, scope: Scope) {
    this.#entry = entry;
    this.#scope = scope;
  }

  get symbol(): string {
    return this.#entry.symbol;
  }

  /**
   * `live`; `stale`: its feed is silent, or the connection is, or no tick has come since it was made again; `closed`:
   * its feed has ended; `unknown`: no tick has ever come.
   */
  get state(): State | "unknown" {
    return this.#entry.state;
  }

  /** Why it stands so; empty where nothing was said. */
  get reason(): string {
    return this.#entry.isCutOff ? this.#entry.link.reason : this.#entry.reason;
  }

  /** Since when it stands so, microseconds since the Unix epoch; 0 where nothing was said. */
  get since(): number {
    return this.#entry.isCutOff ? this.#entry.link.since : this.#entry.since;
  }

  /** The fields seen, in the order in which they were asked for. */
  get fields(): readonly Field[] {
    return this.#scope.fields ?? this.#entry.fields;
  }

  /** The granted interval, ms: shorter than was asked for where another subscription wants it so. */
  get interval(): number {
    return this.#entry.interval;
  }

  /** The latest tick's number at the publisher; 0 before the first tick. */
  get seq(): number {
    return this.#entry.seq;
  }

  /** When the source says that it happened, microseconds since the Unix epoch. */
  get eventTime(): number {
    return this.#entry.eventTime;
  }

  /** When the gateway sent it, microseconds since the Unix epoch. */
  get sentAt(): number {
    return this.#entry.sentAt;
  }

  /** When it came, microseconds since the Unix epoch by this machine's clock. */
  get receivedAt(): number {
    return this.#entry.receivedAt;
  }

  /** Ticks received. */
  get ticks(): number {
    return this.#entry.ticks;
  }

  /** Ticks left out because newer ones replaced them. */
  get conflated(): number {
    return this.#entry.conflated;
  }

  /** Ticks that the gateway missed, and said so. */
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

  /** A value of the latest tick; null when it is not known, or not among {@link fields}. */
  get(field: Field): number | null {
    const own = this.#scope.fields;
    if (own && !own.includes(field)) return null;
    const value = this.#entry.values[fieldIndex(field)];
    return value === undefined || Number.isNaN(value) ? null : value;
  }

  /** The latest tick's values, in the order of {@link fields}. */
  get values(): (number | null)[] {
    return this.fields.map((field) => this.get(field));
  }

  /** The latest tick's values by name. */
  toObject(): { [F in Field]?: number | null } {
    return Object.fromEntries(this.fields.map((field) => [field, this.get(field)]));
  }

  /** How old the latest tick is now, ms, by the gateway's clock; 0 before the first tick. */
  age(): number {
    const { seq, eventTime, time } = this.#entry;
    return seq === 0 ? 0 : Math.max(0, (time.micros() - eventTime) / 1_000);
  }
}

/**
 * The book: a quote for each granted symbol, and the check that the gateway keeps its promises. What is checked
 * belongs to one connection and starts afresh with the next; quotes live on.
 */
import { MAX_FRAME_BYTES, type Status, type Subscribed, type Unsubscribed } from "../protocol/messages.ts";
import type { DataFrame, WireTick } from "./codec.ts";
import type { Listeners } from "./listener.ts";
import { type Link, Quote } from "./quote.ts";
import type { ViolationCounter } from "./violations.ts";

/** What one connection has granted of one symbol. */
interface Grant {
  readonly quote: Quote;
  /** The seq of the last tick on this connection; 0 before the first. */
  seq: number;
  /** When the last tick was sent, microseconds since the Unix epoch. */
  sentAt: number;
  /** The number of the frame that the last tick was in. */
  frame: number;
  /** Whether the next tick is a snapshot: due at once, and it may repeat what was known. */
  snapshot: boolean;
  /** Whether a status said, since the last tick, that ticks were missed. */
  gap: boolean;
  /** Whether it said that the seq starts again. */
  reset: boolean;
}

/** Handles without a grant that are remembered, in case that the grant comes late. */
const MOST_STRAYS = 1_000;

export class Book {
  /** By symbol. */
  readonly quotes = new Map<string, Quote>();
  ticks = 0;
  conflated = 0;
  frames = 0;
  readonly #listeners: Listeners;
  readonly #violations: ViolationCounter;
  readonly #toleranceMicros: number;
  readonly #byHandle = new Map<number, Grant>();
  readonly #bySymbol = new Map<string, Grant>();
  /** Handles that had ticks without being granted, and how many. */
  readonly #strays = new Map<number, number>();
  #link: Link = { current: false };

  /** @param tolerance how much less than the interval may be between two ticks, ms */
  constructor(listeners: Listeners, violations: ViolationCounter, tolerance: number) {
    this.#listeners = listeners;
    this.#violations = violations;
    this.#toleranceMicros = tolerance * 1_000;
  }

  /** A new connection: nothing is granted on it yet. */
  connected(): void {
    this.#link = { current: true };
    this.#byHandle.clear();
    this.#bySymbol.clear();
    this.#strays.clear();
  }

  /** The connection is lost or silent, or is heard again. */
  setCurrent(current: boolean): void {
    this.#link.current = current;
  }

  granted({ symbols, interval, fields }: Subscribed): void {
    for (const [symbol, handle] of symbols) {
      const grant = this.#grant(symbol, handle);
      const { quote } = grant;
      // Values of the old fields under the new names would be wrong ones.
      if (quote.seq > 0 && quote.fields.join() !== fields.join())
        quote.values = fields.map((field) => quote.get(field));
      quote.handle = handle;
      quote.interval = interval;
      quote.fields = fields;
      // What is not as one would expect is told again behind a grant.
      quote.told = undefined;
      quote.reason = "";
      grant.snapshot = true;
      this.#listeners.tell("granted", quote);
    }
  }

  ended({ symbols }: Unsubscribed): void {
    for (const symbol of symbols) {
      const grant = this.#bySymbol.get(symbol);
      if (!grant) continue;
      this.#bySymbol.delete(symbol);
      this.#byHandle.delete(grant.quote.handle);
      this.#remove(grant.quote);
    }
  }

  /** Drops the quotes that a caller without a connection does not want any more. */
  forget(isWanted: (symbol: string) => boolean): void {
    for (const quote of this.quotes.values()) if (!isWanted(quote.symbol)) this.#remove(quote);
  }

  status({ symbols, state, reason = "", since }: Status): void {
    for (const symbol of symbols) {
      const grant = this.#bySymbol.get(symbol);
      if (!grant) continue;
      if (state === "gap") {
        grant.gap = true;
        grant.reset ||= reason === "reset";
      } else {
        grant.quote.told = state;
        grant.quote.since = since;
        grant.quote.reason = reason;
      }
      this.#listeners.tell("status", grant.quote, state === "gap" ? state : grant.quote.state, reason);
    }
  }

  /** @param bytes the frame's size */
  frame(frame: DataFrame, bytes: number): void {
    const sentAt = frame[0];
    this.frames++;
    if (bytes > MAX_FRAME_BYTES) this.#violations.add("frameTooLarge", `${bytes} bytes`);
    for (let index = 1; index < frame.length; index++) this.#tick(frame[index] as WireTick, sentAt);
    this.#listeners.tell("frame", sentAt, frame.length - 1);
  }

  #tick(tick: WireTick, sentAt: number): void {
    const grant = this.#byHandle.get(tick[0]);
    if (!grant) return this.#stray(tick[0]);
    const { quote } = grant;
    const seq = tick[1];
    if (tick.length - 3 !== quote.fields.length)
      return this.#violations.add(
        "wrongLength",
        `${quote.symbol}: ${tick.length - 3} of ${quote.fields.length} values`,
      );
    this.#check(grant, seq, sentAt);
    const missed = grant.seq > 0 && !grant.gap ? Math.max(0, seq - grant.seq - 1) : 0;
    grant.seq = seq;
    grant.sentAt = sentAt;
    grant.frame = this.frames;
    grant.snapshot = grant.gap = grant.reset = false;
    quote.seq = seq;
    quote.eventTime = tick[2];
    quote.sentAt = sentAt;
    quote.values = tick.slice(3) as (number | null)[];
    quote.link = this.#link;
    quote.ticks++;
    quote.conflated += missed;
    this.ticks++;
    this.conflated += missed;
    this.#listeners.tell("tick", quote, missed);
  }

  #check(grant: Grant, seq: number, sentAt: number): void {
    if (grant.seq === 0) return;
    const { symbol, interval } = grant.quote;
    const say = `${symbol}: ${seq} after ${grant.seq}`;
    if (grant.frame === this.frames) this.#violations.add("twiceInFrame", say);
    if (seq < grant.seq && !grant.reset) this.#violations.add("seqBack", say);
    if (grant.snapshot) return;
    if (seq === grant.seq && !grant.gap) this.#violations.add("seqRepeated", say);
    const apart = sentAt - grant.sentAt;
    if (apart < interval * 1_000 - this.#toleranceMicros)
      this.#violations.add("tooOften", `${symbol}: ${apart / 1_000} ms apart, granted ${interval} ms`);
  }

  #stray(handle: number): void {
    this.#violations.add("notGranted", `handle ${handle}`);
    const before = this.#strays.get(handle);
    if (before !== undefined || this.#strays.size < MOST_STRAYS) this.#strays.set(handle, (before ?? 0) + 1);
  }

  #grant(symbol: string, handle: number): Grant {
    const strays = this.#strays.get(handle);
    if (strays !== undefined) {
      this.#violations.add("beforeGrant", `${symbol}: ${strays} ticks of handle ${handle}`);
      this.#strays.delete(handle);
    }
    const found = this.#bySymbol.get(symbol);
    const holder = this.#byHandle.get(handle);
    if (found && found === holder) return found;
    if (found || holder)
      this.#violations.add(
        "handleChanged",
        `${symbol}: handle ${handle}, which ${holder?.quote.symbol ?? "nobody"} had`,
      );
    if (found) this.#byHandle.delete(found.quote.handle);
    if (holder) this.#bySymbol.delete(holder.quote.symbol);
    const quote = this.quotes.get(symbol) ?? new Quote(symbol);
    const grant = { quote, seq: 0, sentAt: 0, frame: -1, snapshot: true, gap: false, reset: false };
    this.quotes.set(symbol, quote);
    this.#bySymbol.set(symbol, grant);
    this.#byHandle.set(handle, grant);
    return grant;
  }

  #remove(quote: Quote): void {
    this.quotes.delete(quote.symbol);
    this.#listeners.tell("ended", quote);
  }
}

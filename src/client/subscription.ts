/**
 * A subscription: what one owner wants, and the pace at which it is told. Several that cover one symbol share one on the
 * wire; each owner is called at its own interval, with the latest there is.
 */
import { MAX_INTERVAL } from "../protocol/messages.ts";
import { type Field, fieldIndex, isPattern, isSymbol } from "../tick.ts";
import type { Entry } from "./entry.ts";
import { reportThrown } from "./error.ts";
import { Follow, type Follower } from "./follow.ts";
import type { Quote } from "./quote.ts";
import { Selection } from "./selection.ts";
import { type FieldSet, fieldSet, type Terms, termsOf, UNWANTED } from "./terms.ts";
import type { ClientTime } from "./time.ts";
import type { Wisher } from "./wishes.ts";

/** What can be changed of a subscription. */
export interface SubscriptionTerms {
  /** At most one tick per symbol in so many ms; 0 for as soon as possible, 100 when left out. */
  readonly interval?: number;
  /** All when left out. */
  readonly fields?: readonly Field[];
}

/** What a signal is to the client: every AbortSignal. */
export interface Signal {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

export interface SubscribeOptions extends SubscriptionTerms {
  /** The interval of what is out of sight, ms; the client's when left out. Never shorter than `interval`. */
  readonly hiddenInterval?: number;
  /** The gateway said how a symbol stands; `gap`: ticks were missed, and what comes next is whole again. */
  readonly onStatus?: (quote: Quote, state: Quote["state"] | "gap", reason: string) => void;
  /** Closes the subscription when it is aborted. */
  readonly signal?: Signal;
}

export type QuoteCallback = (quote: Quote) => void;

/** What a subscription needs of its client. */
export interface Host {
  readonly time: ClientTime;
  /** How often a symbol is wanted, whole ms, with the client itself out of sight or not. */
  pace(interval: number, hiddenInterval: number | undefined, isHidden: boolean): number;
  /** What is wanted has changed: of these symbols, or of all and of patterns. */
  changed(subscription: Subscription, symbols?: readonly string[]): void;
  left(subscription: Subscription): void;
}

const DEFAULT_INTERVAL = 100;
/** How long what leaves the screen is kept at full speed, ms: a list that is scrolled brings much of it back. */
const LEAVING_TIME = 500;
/**
 * Of the interval that the gateway keeps, the part that must have passed here: what comes early was late before. What is
 * slower than the gateway's is kept here, and to the full.
 */
const JITTER = 0.9;
/** How often what waits for its interval is looked through at most, ms. */
const LOOK = 16;

export class Subscription implements Follower, Wisher, AsyncIterable<Quote> {
  readonly #host: Host;
  readonly #callback: QuoteCallback | undefined;
  readonly #options: SubscribeOptions;
  readonly #selection = new Selection();
  readonly #quotes = new Map<string, Quote>();
  readonly #loops = new Set<Loop>();
  /** What has changed and waits for its interval to pass. */
  readonly #waiting = new Set<Follow>();
  /** What has left the screen of late. */
  readonly #leaving = new Set<string>();
  #interval = DEFAULT_INTERVAL;
  #fields: readonly Field[] | undefined;
  #fieldSet: FieldSet = fieldSet(undefined);
  #closed = false;
  #cancelLook: () => void = () => {};
  /** When what waits is looked through next, ms. */
  #lookAt = Number.POSITIVE_INFINITY;
  #cancelLeaving: (() => void) | undefined;
  readonly #abort = () => this.close();

  /** Subscriptions are made by the client. */
  constructor(host: Host, symbols: readonly string[], options: SubscribeOptions, callback: QuoteCallback | undefined) {
    const { hiddenInterval, signal } = options;
    if (hiddenInterval !== undefined) checkInterval(hiddenInterval);
    this.#host = host;
    this.#options = options;
    this.#callback = callback;
    this.#setTerms(options);
    for (const text of symbols) this.#selection.add(text);
    if (signal?.aborted) this.#closed = true;
    else signal?.addEventListener("abort", this.#abort);
  }

  /** The quotes of the symbols that it covers, by symbol; of a pattern, of those that there are. */
  get quotes(): ReadonlyMap<string, Quote> {
    return this.#quotes;
  }

  /** The fields that were asked for; undefined for all. */
  get fields(): readonly Field[] | undefined {
    return this.#fields;
  }

  /** The interval that was asked for, ms. */
  get interval(): number {
    return this.#interval;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Wants these as well. @throws RangeError when something is no symbol and no pattern */
  add(symbols: string | readonly string[]): void {
    this.#edit(symbols, (text) => this.#selection.add(text));
  }

  /**
   * Does not want these any more. What was added is taken away; what is covered by a pattern is left out of it; a pattern
   * that was not added takes away all that it matches.
   * @throws RangeError when something is no symbol and no pattern
   */
  remove(symbols: string | readonly string[]): void {
    this.#edit(symbols, (text) => this.#selection.remove(text));
  }

  /** Changes the interval or the fields; what is left out stays. @throws RangeError */
  change(terms: SubscriptionTerms): void {
    if (this.#closed) return;
    this.#setTerms({ interval: this.#interval, ...(this.#fields ? { fields: this.#fields } : {}), ...terms });
    this.#host.changed(this);
    this.#look();
  }

  /** These are out of sight, or all: they are asked for at the hidden interval. @throws RangeError for a pattern */
  hide(symbols?: string | readonly string[]): void {
    if (this.#closed) return;
    if (symbols === undefined) return this.#setAllHidden(true);
    for (const symbol of checkSymbols(symbols)) if (!this.#selection.isHidden(symbol)) this.#leaving.add(symbol);
    this.#cancelLeaving ??=
      this.#leaving.size > 0 ? this.#host.time.after(LEAVING_TIME, () => this.#leave()) : undefined;
  }

  /** These are in sight, or all: they return to full speed, and the latest there is comes at once. @throws RangeError */
  show(symbols?: string | readonly string[]): void {
    if (this.#closed) return;
    if (symbols === undefined) return this.#setAllHidden(false);
    const changed = checkSymbols(symbols).filter((symbol) => {
      this.#leaving.delete(symbol);
      return this.#selection.setHidden(symbol, false);
    });
    if (changed.length === 0) return;
    this.#host.changed(this, changed);
    this.#look();
  }

  /** Exactly these are in sight: for lists that paint only the rows on the screen. @throws RangeError for a pattern */
  showOnly(symbols: string | readonly string[]): void {
    if (this.#closed) return;
    const shown = new Set(checkSymbols(symbols));
    if (!this.#selection.allHidden) this.#setAllHidden(true);
    this.show([...shown]);
    this.hide([...this.#selection.exceptions].filter((symbol) => !shown.has(symbol)));
  }

  /** Leaves: nobody is called any more, and loops end. */
  close(): void {
    this.end();
  }

  /** A loop over what changes: the latest of each symbol, whatever the loop's speed. Its end closes the subscription. */
  [Symbol.asyncIterator](): AsyncIterator<Quote, undefined> {
    const loop = new Loop(() => {
      this.#loops.delete(loop);
      if (!this.#callback && this.#loops.size === 0) this.close();
    });
    if (this.#closed) loop.end();
    else {
      this.#loops.add(loop);
      for (const quote of this.#quotes.values()) if (quote.state !== "unknown") loop.push(quote);
    }
    return loop;
  }

  /** @internal @param error what loops end with, where it is no ordinary end */
  end(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#cancelLook();
    this.#cancelLeaving?.();
    this.#waiting.clear();
    this.#leaving.clear();
    for (const text of [...this.#selection.symbols.keys()]) this.#selection.symbols.delete(text);
    this.#selection.prefixes.clear();
    this.#selection.setAllHidden(false);
    this.#host.left(this);
    for (const loop of this.#loops) loop.end(error);
    this.#loops.clear();
  }

  /** @internal Whether loops wait for it. */
  get isLooped(): boolean {
    return this.#loops.size > 0;
  }

  /** @internal */
  get prefixes(): ReadonlyMap<string, boolean> {
    return this.#selection.prefixes;
  }

  /** @internal */
  get named(): Iterable<string> {
    return new Set([...this.#selection.symbols.keys(), ...this.#selection.exceptions]);
  }

  /** @internal */
  names(symbol: string): boolean {
    return this.#selection.names(symbol);
  }

  /** @internal Whether it wants the symbol, and by its name. */
  wants(symbol: string): boolean {
    return this.#selection.symbols.get(symbol) === true;
  }

  /** @internal */
  covers(symbol: string): boolean {
    return this.#selection.covers(symbol);
  }

  /** @internal */
  termsOf(symbol: string): Terms {
    return this.covers(symbol) ? termsOf(this.#paceOf(symbol), this.#fieldSet) : UNWANTED;
  }

  /** @internal */
  termsUnder(prefix: string): Terms {
    if (!this.#selection.coversPrefix(prefix)) return UNWANTED;
    return termsOf(this.#pace(this.#selection.allHidden), this.#fieldSet);
  }

  /** @internal A symbol that it covers is in the book. */
  follow(entry: Entry): void {
    const follow = new Follow(entry, this);
    entry.followers = [...entry.followers, follow];
    this.#quotes.set(entry.symbol, follow.quote);
    if (entry.state === "unknown") return;
    this.#waiting.add(follow);
    // Not from within the call that subscribes: its owner has not got the subscription yet.
    if (this.#waiting.size === 1) queueMicrotask(() => this.#look());
  }

  /** @internal It covers the symbol no more. */
  unfollow(entry: Entry): void {
    const follow = entry.followers.find(({ follower }) => follower === this);
    if (!follow) return;
    entry.followers = entry.followers.filter((other) => other !== follow);
    this.#quotes.delete(entry.symbol);
    this.#waiting.delete(follow);
    for (const loop of this.#loops) loop.drop(entry.symbol);
  }

  /** @internal The client has come in sight: what waits need not wait so long. */
  hurry(): void {
    this.#look();
  }

  changed(follow: Follow, now: number, atOnce: boolean): void {
    const readyAt = atOnce ? now : this.#readyAt(follow);
    if (readyAt <= now) return this.#tell(follow, now);
    if (this.#closed) return;
    this.#waiting.add(follow);
    if (readyAt < this.#lookAt) this.#lookAgain(readyAt, now);
  }

  /** @internal */
  status(quote: Quote, state: Quote["state"] | "gap", reason: string): void {
    if (this.#closed) return;
    try {
      this.#options.onStatus?.(quote, state, reason);
    } catch (error) {
      reportThrown(error);
    }
  }

  #edit(symbols: string | readonly string[], edit: (text: string) => void): void {
    if (this.#closed) return;
    const texts = checkTexts(symbols);
    for (const text of texts) edit(text);
    if (texts.some(isPattern)) this.#host.changed(this);
    else this.#host.changed(this, texts);
  }

  #setTerms({ interval = DEFAULT_INTERVAL, fields }: SubscriptionTerms): void {
    checkInterval(interval);
    checkFields(fields);
    this.#interval = Math.ceil(interval);
    this.#fields = fields && [...fields];
    this.#fieldSet = fieldSet(fields);
  }

  #setAllHidden(hidden: boolean): void {
    this.#leaving.clear();
    if (this.#selection.allHidden === hidden && this.#selection.exceptions.size === 0) return;
    this.#selection.setAllHidden(hidden);
    this.#host.changed(this);
    this.#look();
  }

  #leave(): void {
    this.#cancelLeaving = undefined;
    const changed = [...this.#leaving].filter((symbol) => this.#selection.setHidden(symbol, true));
    this.#leaving.clear();
    if (changed.length > 0) this.#host.changed(this, changed);
  }

  #paceOf(symbol: string): number {
    return this.#pace(this.#selection.isHidden(symbol));
  }

  #pace(isHidden: boolean): number {
    return this.#host.pace(this.#interval, this.#options.hiddenInterval, isHidden);
  }

  /** When the owner may be called again with this, ms. */
  #readyAt({ entry, toldAt }: Follow): number {
    const pace = this.#paceOf(entry.symbol);
    return toldAt + (pace <= entry.interval ? pace * JITTER : pace);
  }

  #tell(follow: Follow, now: number): void {
    // It may have been closed, or have let go of the symbol, by who was called before.
    if (this.#closed || this.#quotes.get(follow.entry.symbol) !== follow.quote) return;
    this.#waiting.delete(follow);
    follow.toldAt = now;
    for (const loop of this.#loops) loop.push(follow.quote);
    try {
      this.#callback?.(follow.quote);
    } catch (error) {
      reportThrown(error);
    }
  }

  /** Tells of what has waited long enough, and looks again when the next will have. */
  #look(): void {
    if (this.#closed) return;
    const now = this.#host.time.millis();
    let next = Number.POSITIVE_INFINITY;
    this.#cancelLook();
    this.#lookAt = next;
    for (const follow of this.#waiting) {
      const readyAt = this.#readyAt(follow);
      if (readyAt <= now) this.#tell(follow, now);
      else next = Math.min(next, readyAt);
    }
    if (next < this.#lookAt) this.#lookAgain(Math.max(next, now + Math.min(LOOK, this.#interval / 4)), now);
  }

  #lookAgain(at: number, now: number): void {
    this.#cancelLook();
    if (this.#closed) return;
    this.#lookAt = at;
    this.#cancelLook = this.#host.time.after(at - now, () => this.#look());
  }
}

/** One loop: what has changed since its last round, a place for each symbol. */
class Loop implements AsyncIterator<Quote, undefined> {
  readonly #left: () => void;
  readonly #ready = new Map<string, Quote>();
  readonly #rounds: { resolve: (result: IteratorResult<Quote, undefined>) => void; reject: (error: Error) => void }[] =
    [];
  #ended = false;
  #error: Error | undefined;

  constructor(left: () => void) {
    this.#left = left;
  }

  push(quote: Quote): void {
    const round = this.#rounds.shift();
    if (round) round.resolve({ done: false, value: quote });
    else this.#ready.set(quote.symbol, quote);
  }

  drop(symbol: string): void {
    this.#ready.delete(symbol);
  }

  end(error?: Error): void {
    this.#ended = true;
    this.#error = error;
    this.#ready.clear();
    for (const round of this.#rounds.splice(0)) {
      if (error) round.reject(error);
      else round.resolve({ done: true, value: undefined });
    }
  }

  next(): Promise<IteratorResult<Quote, undefined>> {
    for (const [symbol, value] of this.#ready) {
      this.#ready.delete(symbol);
      return Promise.resolve({ done: false, value });
    }
    if (!this.#ended) return new Promise((resolve, reject) => this.#rounds.push({ resolve, reject }));
    const error = this.#error;
    this.#error = undefined;
    return error ? Promise.reject(error) : Promise.resolve({ done: true, value: undefined });
  }

  return(): Promise<IteratorResult<Quote, undefined>> {
    this.end();
    this.#left();
    return Promise.resolve({ done: true, value: undefined });
  }
}

/** @throws RangeError when something is neither a symbol nor a pattern; TypeError when it is no text */
export function checkTexts(texts: string | readonly string[], isGood = isText): readonly string[] {
  const list = typeof texts === "string" ? [texts] : texts;
  if (!Array.isArray(list)) throw new TypeError("symbols must be a text or a list of texts");
  const wrong = list.findIndex((text) => typeof text !== "string" || !isGood(text));
  if (wrong >= 0)
    throw new RangeError(
      `${JSON.stringify(list[wrong])} is not 1 to 64 of A-Z 0-9 . _ - :${isGood === isText ? " (or a prefix and *)" : ""}`,
    );
  return list;
}

function checkSymbols(symbols: string | readonly string[]): readonly string[] {
  return checkTexts(symbols, isSymbol);
}

const isText = (text: string) => isSymbol(text) || isPattern(text);

export function checkInterval(interval: number): void {
  if (!(interval >= 0 && interval <= MAX_INTERVAL))
    throw new RangeError(`the interval must be from 0 to ${MAX_INTERVAL} ms, not ${interval}`);
}

function checkFields(fields: readonly Field[] | undefined): void {
  if (!fields) return;
  const wrong = fields.find((name) => fieldIndex(name) < 0);
  if (wrong !== undefined) throw new RangeError(`there is no field ${JSON.stringify(wrong)}`);
  if (fields.length === 0 || new Set(fields).size < fields.length)
    throw new RangeError("fields must be named, each once");
}

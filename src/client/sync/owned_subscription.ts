/**
 * A claim: a subscription as the client has it, and the pace at which its owner is told. Several that cover one symbol
 * share one on the wire; each owner is called at its own interval, with the latest there is.
 */
import { type Field, isPattern } from "../../base/tick.ts";
import { reportThrown } from "../connection/error.ts";
import type { ClientTime } from "../connection/time.ts";
import type { Quote, QuoteState } from "../quotes/quote.ts";
import type { AttachedQuote, QuoteListener, QuoteRecord } from "../quotes/quote_record.ts";
import { RecordQuote } from "../quotes/record_quote.ts";
import { checkFields, checkInterval, checkSymbols } from "./check.ts";
import type { DemandSource } from "./demand.ts";
import { Loop } from "./loop.ts";
import { Selection } from "./selection.ts";
import { fieldSet, type Spec, specOf, UNWANTED } from "./spec.ts";
import type { QuoteCallback, SubscribeOptions, Subscription, SubscriptionTerms, Symbols } from "./subscription.ts";

/** What a claim needs of its client. */
export interface SubscriptionHost {
  readonly time: ClientTime;
  /** How often something is wanted, ms, with the client itself out of sight or not. */
  pace(interval: number, hiddenInterval: number | undefined, isHidden: boolean): number;
  /** What is wanted has changed of some symbols; of all and of patterns where none are named. It may have been closed. */
  changed(claim: OwnedSubscription, symbols: readonly string[] | undefined): void;
}

const DEFAULT_INTERVAL = 100;
/** How long what leaves the screen is kept at full speed, ms. */
const LEAVING_TIME = 500;
/**
 * Of an interval that the gateway keeps, the part that must have passed here: what comes early was late before. What is
 * slower than the gateway's is kept here, and to the full.
 */
const JITTER = 0.9;
/** How often what waits for its interval is looked through at most, ms: once a picture of the screen. */
const LOOK = 16;

export class OwnedSubscription implements Subscription, QuoteListener, DemandSource {
  interval = DEFAULT_INTERVAL;
  fields: readonly Field[] | undefined;
  closed = false;
  readonly quotes = new Map<string, AttachedQuote>();
  readonly #host: SubscriptionHost;
  readonly #options: SubscribeOptions;
  readonly #callback: QuoteCallback | undefined;
  readonly selection = new Selection();
  readonly #loops = new Set<Loop>();
  /** What has changed and waits for its interval to pass. */
  readonly #waiting = new Set<AttachedQuote>();
  /** What has left the screen of late. */
  readonly #leaving = new Set<string>();
  /** When what waits is looked through next, ms. */
  #lookAt = Infinity;
  #cancelLook = () => {};
  #cancelLeaving = () => {};
  readonly #close = () => this.close();

  /** @throws RangeError */
  constructor(
    host: SubscriptionHost,
    symbols: Symbols,
    options: SubscribeOptions,
    callback: QuoteCallback | undefined,
  ) {
    checkInterval(options.hiddenInterval);
    this.#host = host;
    this.#options = options;
    this.#callback = callback;
    for (const text of checkSymbols(symbols, true)) this.selection.add(text);
    this.#setTerms(options);
    this.closed = options.signal?.aborted ?? false;
    if (!this.closed) options.signal?.addEventListener("abort", this.#close);
  }

  add(symbols: Symbols): void {
    this.#select(symbols, (text) => this.selection.add(text));
  }

  remove(symbols: Symbols): void {
    this.#select(symbols, (text) => this.selection.remove(text));
  }

  change(terms: SubscriptionTerms): void {
    this.#setTerms({ interval: this.interval, fields: this.fields, ...terms });
    this.#changed(this.all());
  }

  hide(symbols?: Symbols): void {
    if (symbols === undefined) return this.#setAllHidden(true);
    const before = this.#leaving.size;
    for (const symbol of checkSymbols(symbols, false)) if (!this.selection.isHidden(symbol)) this.#leaving.add(symbol);
    if (before > 0 || this.#leaving.size === 0 || this.closed) return;
    this.#cancelLeaving = this.#host.time.after(LEAVING_TIME, () => {
      const left = [...this.#leaving].filter((symbol) => this.selection.setHidden(symbol, true));
      this.#leaving.clear();
      this.#changed(left);
    });
  }

  show(symbols?: Symbols): void {
    if (symbols === undefined) return this.#setAllHidden(false);
    this.#changed(
      checkSymbols(symbols, false).filter((symbol) => {
        this.#leaving.delete(symbol);
        return this.selection.setHidden(symbol, false);
      }),
    );
  }

  showOnly(symbols: Symbols): void {
    const shown = new Set(checkSymbols(symbols, false));
    if (!this.selection.allHidden) this.#setAllHidden(true);
    this.show([...shown]);
    this.hide([...this.selection.exceptions].filter((symbol) => !shown.has(symbol)));
  }

  close(error?: Error): void {
    if (this.closed) return;
    this.closed = true;
    this.#options.signal?.removeEventListener("abort", this.#close);
    this.#cancelLook();
    this.#cancelLeaving();
    this.#waiting.clear();
    const all = this.all();
    this.selection.clear();
    this.#host.changed(this, all);
    for (const loop of this.#loops) loop.end(error);
    this.#loops.clear();
  }

  [Symbol.asyncIterator](): AsyncIterator<Quote, undefined> {
    const loop = new Loop(() => {
      this.#loops.delete(loop);
      if (!this.#callback && this.#loops.size === 0) this.close();
    });
    if (this.closed) loop.end();
    else this.#loops.add(loop);
    // What waits will come by itself.
    for (const view of this.quotes.values()) if (view.state !== "unknown" && !this.#waiting.has(view)) loop.push(view);
    return loop;
  }

  /** The gateway will not have this client: loops end with that. */
  refuse(error: Error): void {
    if (this.#loops.size > 0) this.close(error);
  }

  /** The symbols that a change of terms is about; undefined where patterns are as well. */
  all(): string[] | undefined {
    return this.selection.prefixes.size > 0 ? undefined : [...this.selection.named];
  }

  termsOf(symbol: string): Spec {
    return this.#terms(this.selection.covers(symbol), this.selection.isHidden(symbol));
  }

  termsUnder(prefix: string): Spec {
    return this.#terms(this.selection.coversPrefix(prefix), this.selection.allHidden);
  }

  /** A symbol that it covers is in the book. */
  follow(entry: QuoteRecord): void {
    const view = new RecordQuote(entry, this);
    entry.quotes = [...entry.quotes, view];
    this.quotes.set(entry.symbol, view);
    if (entry.state === "unknown") return;
    this.#waiting.add(view);
    // Not from within the call that subscribes: its owner has not got the subscription yet.
    if (this.#waiting.size === 1) queueMicrotask(() => this.look());
  }

  /** It does not cover the symbol any more. */
  unfollow(entry: QuoteRecord): void {
    const view = this.quotes.get(entry.symbol) as AttachedQuote;
    entry.quotes = entry.quotes.filter((other) => other !== view);
    this.quotes.delete(entry.symbol);
    this.#waiting.delete(view);
    for (const loop of this.#loops) loop.drop(entry.symbol);
  }

  changed(view: AttachedQuote, now: number, isTurn: boolean): void {
    const readyAt = isTurn ? now : this.#readyAt(view);
    if (readyAt <= now) return this.#tell(view, now);
    this.#waiting.add(view);
    if (readyAt < this.#lookAt) this.#lookAgain(readyAt, now);
  }

  status(view: AttachedQuote, state: QuoteState | "gap", reason: string): void {
    if (this.closed) return;
    try {
      this.#options.onStatus?.(view, state, reason);
    } catch (error) {
      reportThrown(error);
    }
  }

  /** Tells of what has waited long enough, and looks again when the next will have. */
  look(): void {
    const now = this.#host.time.millis();
    let next = Infinity;
    this.#cancelLook();
    this.#lookAt = next;
    for (const view of this.#waiting) {
      const readyAt = this.#readyAt(view);
      if (readyAt <= now) this.#tell(view, now);
      else next = Math.min(next, readyAt);
    }
    if (next < this.#lookAt) this.#lookAgain(Math.max(next, now + Math.min(LOOK, this.interval / 4)), now);
  }

  #lookAgain(at: number, now: number): void {
    if (this.closed) return;
    this.#cancelLook();
    this.#lookAt = at;
    this.#cancelLook = this.#host.time.after(at - now, () => this.look());
  }

  #select(symbols: Symbols, select: (text: string) => void): void {
    const texts = checkSymbols(symbols, true);
    if (this.closed) return;
    for (const text of texts) select(text);
    this.#host.changed(this, texts.some(isPattern) ? undefined : texts);
  }

  #setTerms({ interval = DEFAULT_INTERVAL, fields }: SubscriptionTerms): void {
    checkInterval(interval);
    checkFields(fields);
    this.interval = Math.ceil(interval);
    this.fields = fields && [...fields];
  }

  #setAllHidden(hidden: boolean): void {
    const all = this.all();
    this.#leaving.clear();
    this.selection.setAllHidden(hidden);
    this.#changed(all);
  }

  /** What is wanted of these, or of all, has changed, and with it the pace of what waits. */
  #changed(symbols?: readonly string[]): void {
    if (this.closed || symbols?.length === 0) return;
    this.#host.changed(this, symbols);
    this.look();
  }

  #terms(isCovered: boolean, isHidden: boolean): Spec {
    return isCovered ? specOf(this.#pace(isHidden), fieldSet(this.fields)) : UNWANTED;
  }

  #pace(isHidden: boolean): number {
    return this.#host.pace(this.interval, this.#options.hiddenInterval, isHidden);
  }

  /** When the owner may be called again with this, ms. */
  #readyAt({ record, calledAt }: RecordQuote): number {
    const pace = this.#pace(this.selection.isHidden(record.symbol));
    return calledAt + (pace <= record.interval ? pace * JITTER : pace);
  }

  #tell(view: AttachedQuote, now: number): void {
    // It may have been let go of by who was called before.
    if (!view.record.quotes.includes(view)) return;
    this.#waiting.delete(view);
    view.calledAt = now;
    for (const loop of this.#loops) loop.push(view);
    try {
      this.#callback?.(view);
    } catch (error) {
      reportThrown(error);
    }
  }
}

/**
 * A subscription of one user of the client. Subscriptions that cover the same symbol share one on the wire; each calls
 * its user at its own interval with the latest tick.
 */
import { isPattern } from "../../base/tick.ts";
import { callUser } from "../connection/error.ts";
import type { ClientTime } from "../connection/time.ts";
import type {
  AttachedView,
  ChannelKind,
  ChannelTerms,
  TickRecord,
  ViewConstructor,
  ViewListener,
} from "../records/tick_record.ts";
import type { QuoteState } from "../records/view.ts";
import { checkInterval, checkSymbols } from "./check.ts";
import type { DemandSource } from "./demand.ts";
import { Loop } from "./loop.ts";
import { Selection } from "./selection.ts";
import { type Spec, specOf, UNWANTED } from "./spec.ts";
import type { CommonOptions, CommonSubscription, Symbols } from "./subscription.ts";

/** What all subscriptions of a client share. */
export interface HostOptions {
  readonly time: ClientTime;
  /** The interval to ask for, ms, which also depends on whether the page is visible. */
  intervalFor(interval: number, hiddenInterval: number | undefined, isHidden: boolean): number;
}

/** What a subscription needs from its client. */
export interface SubscriptionHost {
  readonly options: HostOptions;
  readonly kind: ChannelKind;
  /** The class of its views. */
  readonly View: ViewConstructor;
  /** The demand for these symbols has changed; without any, for all and for patterns. It may have been closed. */
  changed(subscription: OwnedSubscription, symbols: readonly string[] | undefined): void;
}

const DEFAULT_INTERVAL = 100;
/** How long a symbol that leaves the screen keeps the full interval, ms. */
const LEAVING_TIME = 500;
/**
 * The part of an interval that must have passed since the last call, where the gateway keeps the interval: a tick that
 * arrives early follows one that was late. An interval longer than the gateway's is kept here, in full.
 */
const JITTER = 0.9;
/** The shortest time between two checks of waiting views, ms: one frame of the screen. */
const FRAME_TIME = 16;

/** The options of a subscription to any channel. */
export interface OwnedOptions extends CommonOptions, ChannelTerms {
  readonly onStatus?: ((view: never, state: QuoteState | "gap", reason: string) => void) | undefined;
}

export class OwnedSubscription implements CommonSubscription<AttachedView>, ViewListener, DemandSource {
  interval = DEFAULT_INTERVAL;
  terms: ChannelTerms = {};
  closed = false;
  readonly views = new Map<string, AttachedView>();
  /** The same, as subscriptions to quotes call them. */
  readonly quotes = this.views;
  readonly #host: SubscriptionHost;
  readonly #options: OwnedOptions;
  readonly #callback: ((view: AttachedView, detail: unknown) => void) | undefined;
  /** What the channel asks for. */
  #demand = 0;
  readonly selection = new Selection();
  readonly #loops = new Set<Loop>();
  /** Views that have changed and wait for their interval to pass. */
  readonly #waiting = new Set<AttachedView>();
  /** Symbols that have left the screen less than {@link LEAVING_TIME} ago. */
  readonly #leaving = new Set<string>();
  /** When the waiting views are checked next, ms. */
  #nextDelivery = Infinity;
  #cancelDelivery = () => {};
  #cancelLeaving = () => {};
  readonly #close = () => this.close();

  /** @throws RangeError */
  constructor(
    host: SubscriptionHost,
    symbols: Symbols,
    options: OwnedOptions,
    callback: ((view: AttachedView, detail: unknown) => void) | undefined,
  ) {
    checkInterval(options.hiddenInterval);
    this.#host = host;
    this.#options = options;
    this.#callback = callback;
    for (const text of checkSymbols(symbols, true)) this.selection.add(text);
    this.#setOptions(options);
    this.closed = options.signal?.aborted ?? false;
    if (!this.closed) options.signal?.addEventListener("abort", this.#close);
  }

  get fields(): ChannelTerms["fields"] {
    return this.terms.fields;
  }

  add(symbols: Symbols): void {
    this.#editSelection(symbols, (text) => this.selection.add(text));
  }

  remove(symbols: Symbols): void {
    this.#editSelection(symbols, (text) => {
      this.selection.remove(text);
      this.#leaving.delete(text);
    });
  }

  change(terms: OwnedOptions): void {
    this.#setOptions({ interval: this.interval, ...this.terms, ...terms });
    this.#changed(this.affected());
  }

  hide(symbols?: Symbols): void {
    if (symbols === undefined) return this.#setAllHidden(true);
    const before = this.#leaving.size;
    for (const symbol of checkSymbols(symbols, false)) if (!this.selection.isHidden(symbol)) this.#leaving.add(symbol);
    if (before > 0 || this.#leaving.size === 0 || this.closed) return;
    this.#cancelLeaving = this.#host.options.time.after(LEAVING_TIME, () => {
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
    this.#cancelDelivery();
    this.#cancelLeaving();
    this.#waiting.clear();
    const all = this.affected();
    this.selection.clear();
    this.#host.changed(this, all);
    for (const loop of this.#loops) loop.end(error);
    this.#loops.clear();
  }

  [Symbol.asyncIterator](): AsyncIterator<AttachedView, undefined> {
    const loop = new Loop(() => {
      this.#loops.delete(loop);
      if (!this.#callback && this.#loops.size === 0) this.close();
    });
    if (this.closed) loop.end();
    else this.#loops.add(loop);
    // Waiting views will be pushed when their interval has passed.
    for (const view of this.views.values()) if (view.state !== "unknown" && !this.#waiting.has(view)) loop.push(view);
    return loop;
  }

  /** The gateway has refused this client: loops end with the error. */
  refused(error: Error): void {
    if (this.#loops.size > 0) this.close(error);
  }

  /** The symbols that a change of interval or fields affects; undefined if it affects patterns as well. */
  affected(): string[] | undefined {
    return this.selection.prefixes.size > 0 ? undefined : [...this.selection.named];
  }

  spec(symbol: string): Spec {
    return this.#spec(this.selection.covers(symbol), this.selection.isHidden(symbol));
  }

  prefixSpec(prefix: string): Spec {
    return this.#spec(this.selection.coversPrefix(prefix), this.selection.allHidden);
  }

  /** Adds a view to the record of a symbol that it covers. */
  attach(record: TickRecord): void {
    const view = new this.#host.View(record, this);
    record.views = [...record.views, view];
    this.views.set(record.symbol, view);
    if (record.state === "unknown") return;
    this.#waiting.add(view);
    // Not within the call of subscribe: the user does not have the subscription yet.
    if (this.#waiting.size === 1) queueMicrotask(() => this.flush());
  }

  /** Removes its view from the record of a symbol that it no longer covers. */
  detach(record: TickRecord): void {
    const view = this.views.get(record.symbol) as AttachedView;
    record.views = record.views.filter((other) => other !== view);
    this.views.delete(record.symbol);
    this.#waiting.delete(view);
    for (const loop of this.#loops) loop.drop(record.symbol);
  }

  changed(view: AttachedView, now: number, isNewState: boolean): void {
    const readyAt = isNewState ? now : this.#readyAt(view);
    if (readyAt <= now) return this.#deliver(view, now);
    this.#waiting.add(view);
    if (readyAt < this.#nextDelivery) this.#scheduleDelivery(readyAt, now);
  }

  status(view: AttachedView, state: QuoteState | "gap", reason: string): void {
    if (!this.closed) callUser(this.#options.onStatus, view as never, state, reason);
  }

  /** Delivers the views whose interval has passed, and schedules the next check. */
  flush(): void {
    const now = this.#host.options.time.millis();
    let next = Infinity;
    this.#cancelDelivery();
    this.#nextDelivery = next;
    for (const view of this.#waiting) {
      const readyAt = this.#readyAt(view);
      if (readyAt <= now) this.#deliver(view, now);
      else next = Math.min(next, readyAt);
    }
    if (next < this.#nextDelivery)
      this.#scheduleDelivery(Math.max(next, now + Math.min(FRAME_TIME, this.interval / 4)), now);
  }

  #scheduleDelivery(at: number, now: number): void {
    if (this.closed) return;
    this.#cancelDelivery();
    this.#nextDelivery = at;
    this.#cancelDelivery = this.#host.options.time.after(at - now, () => this.flush());
  }

  #editSelection(symbols: Symbols, select: (text: string) => void): void {
    const texts = checkSymbols(symbols, true);
    if (this.closed) return;
    for (const text of texts) select(text);
    this.#host.changed(this, texts.some(isPattern) ? undefined : texts);
  }

  #setOptions({ interval = DEFAULT_INTERVAL, ...terms }: OwnedOptions): void {
    checkInterval(interval);
    this.#demand = this.#host.kind.demand(terms);
    this.interval = Math.ceil(interval);
    this.terms = terms;
  }

  #setAllHidden(hidden: boolean): void {
    const all = this.affected();
    this.#leaving.clear();
    this.selection.setAllHidden(hidden);
    this.#changed(all);
  }

  /** The demand for these symbols, or for all, has changed, and so has the interval of the waiting views. */
  #changed(symbols?: readonly string[]): void {
    if (this.closed || symbols?.length === 0) return;
    this.#host.changed(this, symbols);
    this.flush();
  }

  #spec(isCovered: boolean, isHidden: boolean): Spec {
    return isCovered ? specOf(this.#intervalFor(isHidden), this.#demand) : UNWANTED;
  }

  #intervalFor(isHidden: boolean): number {
    return this.#host.options.intervalFor(this.interval, this.#options.hiddenInterval, isHidden);
  }

  /** When the user may be called with this view again, ms. */
  #readyAt({ record, calledAt }: AttachedView): number {
    const interval = this.#intervalFor(this.selection.isHidden(record.symbol));
    return calledAt + (interval <= record.interval ? interval * JITTER : interval);
  }

  #deliver(view: AttachedView, now: number): void {
    // A callback that was called before may have removed it.
    if (!view.record.views.includes(view)) return;
    this.#waiting.delete(view);
    view.calledAt = now;
    for (const loop of this.#loops) loop.push(view);
    // A callback may have ended the subscription.
    for (const detail of view.news?.() ?? [undefined])
      if (view.record.views.includes(view)) callUser(this.#callback, view, detail);
  }
}

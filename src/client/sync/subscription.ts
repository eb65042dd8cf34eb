/** The public interface of a subscription. */
import type { Field } from "../../base/tick.ts";
import type { Quote } from "../quotes/quote.ts";
import type { ChannelKind } from "../records/tick_record.ts";
import type { QuoteState, View } from "../records/view.ts";

/** What can be changed of a subscription. */
export interface SubscriptionTerms {
  /** At most one tick per symbol in this time, ms; 0 for as soon as possible, 100 when left out. */
  readonly interval?: number | undefined;
  /** All when left out. */
  readonly fields?: readonly Field[] | undefined;
}

/** The used part of an AbortSignal. */
export interface Signal {
  readonly aborted: boolean;
  /** Called with a listener when a subscription is made, */
  addEventListener(type: "abort", listener: () => void): void;
  /** and with the same one when it is closed. */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** The options of a subscription to any channel. */
export interface CommonOptions {
  /** At most one tick per symbol in this time, ms; 0 for as soon as possible, 100 when left out. */
  readonly interval?: number | undefined;
  /** The interval of hidden symbols, ms; the client's when left out. Never shorter than `interval`. */
  readonly hiddenInterval?: number | undefined;
  /** Closes the subscription when it is aborted. */
  readonly signal?: Signal | undefined;
}

export interface SubscribeOptions extends CommonOptions, SubscriptionTerms {
  readonly channel?: undefined;
  /** The gateway reported the state of a symbol; `gap`: it missed ticks, and the next tick is complete again. */
  readonly onStatus?: ((quote: Quote, state: QuoteState | "gap", reason: string) => void) | undefined;
}

/**
 * Another channel than quotes, such as `TRADES` of `tickgate/client/trades`: `V` is what its subscriptions show of a
 * symbol, `T` its own options, `A` what its callbacks get.
 */
export interface ViewChannel<V extends View, T, A extends unknown[]> extends ChannelKind {
  /** Only for the compiler. */
  readonly types?: { readonly view: V; readonly terms: T; readonly called: A };
}

/** The options of a subscription to another channel than quotes. */
export interface ChannelOptions<V extends View> extends CommonOptions {
  /** The gateway reported the state of a symbol; `gap`: ticks are missing. */
  readonly onStatus?: ((view: V, state: QuoteState | "gap", reason: string) => void) | undefined;
}

/** Called with a quote that has changed. */
export type QuoteCallback = (quote: Quote) => void;

/** One symbol or pattern, or a list of them. */
export type Symbols = string | readonly string[];

/**
 * A subscription to quotes. A loop over it gives the quotes that change: the latest of each symbol, however slow the
 * loop is. Leaving the loop closes a subscription that has no callback. When the gateway refuses the client, the loop
 * ends with that error.
 */
export interface Subscription extends CommonSubscription<Quote> {
  /** The quotes of the symbols that it covers, by symbol; for a pattern, of the symbols that exist. */
  readonly quotes: ReadonlyMap<string, Quote>;
  /** The fields that were asked for; undefined for all. */
  readonly fields: readonly Field[] | undefined;

  /** Changes the interval or the fields; an option that is left out stays. @throws RangeError */
  change(terms: SubscriptionTerms): void;
}

/** A subscription to another channel. */
export interface ChannelSubscription<V extends View, T> extends CommonSubscription<V> {
  /** Changes the interval or the channel's options; one that is left out stays. @throws RangeError */
  change(terms: Pick<CommonOptions, "interval"> & T): void;
}

/** What subscriptions to all channels have in common. */
export interface CommonSubscription<V extends View> extends AsyncIterable<V> {
  /** What it shows of each symbol that it covers, by symbol; for a pattern, of the symbols that exist. */
  readonly views: ReadonlyMap<string, V>;
  /** The interval that was asked for, ms. */
  readonly interval: number;
  readonly closed: boolean;

  /** Adds symbols and patterns. @throws RangeError when one is neither */
  add(symbols: Symbols): void;

  /**
   * Removes symbols and patterns that were added. A symbol that a pattern covers is excluded from the pattern. A
   * pattern that was not added removes all that it matches.
   * @throws RangeError when one is neither a symbol nor a pattern
   */
  remove(symbols: Symbols): void;

  /**
   * These symbols, or all, are not visible: they get the hidden interval. For single symbols this takes effect after
   * half a second, because a list that is scrolled brings many of them back.
   * @throws RangeError when one is not a symbol
   */
  hide(symbols?: Symbols): void;

  /**
   * These symbols, or all, are visible: they get the full interval, and their latest tick at once.
   * @throws RangeError
   */
  show(symbols?: Symbols): void;

  /** Exactly these symbols are visible: for lists that paint only the rows on the screen. @throws RangeError */
  showOnly(symbols: Symbols): void;

  /** Ends the subscription: its callbacks are no longer called, and its loops end. */
  close(): void;
}

/** A subscription, as its owner sees it. */
import type { Field } from "../../base/tick.ts";
import type { Quote, QuoteState } from "../quotes/quote.ts";

/** What can be changed of a subscription. */
export interface SubscriptionTerms {
  /** At most one tick per symbol in so many ms; 0 for as soon as possible, 100 when left out. */
  readonly interval?: number | undefined;
  /** All when left out. */
  readonly fields?: readonly Field[] | undefined;
}

/** What is used of an AbortSignal. */
export interface Signal {
  readonly aborted: boolean;
  /** Called with a listener when a subscription is made, */
  addEventListener(type: "abort", listener: () => void): void;
  /** and with the same one when it is closed. */
  removeEventListener(type: "abort", listener: () => void): void;
}

export interface SubscribeOptions extends SubscriptionTerms {
  /** The interval of what is out of sight, ms; the client's when left out. Never shorter than `interval`. */
  readonly hiddenInterval?: number | undefined;
  /** The gateway said how a symbol stands; `gap`: ticks were missed, and what comes next is whole again. */
  readonly onStatus?: ((quote: Quote, state: QuoteState | "gap", reason: string) => void) | undefined;
  /** Closes the subscription when it is aborted. */
  readonly signal?: Signal | undefined;
}

/** Called with a quote that has changed. */
export type QuoteCallback = (quote: Quote) => void;

/** One symbol or pattern, or a list of them. */
export type Symbols = string | readonly string[];

/**
 * A loop over it tells what changes: of each symbol the latest there is, however slow the loop. Its end closes a
 * subscription that has no callback. When the gateway refuses the client for good, it ends with that error.
 */
export interface Subscription extends AsyncIterable<Quote> {
  /** The quotes of the symbols that it covers, by symbol; of a pattern, of those that there are. */
  readonly quotes: ReadonlyMap<string, Quote>;
  /** The interval that was asked for, ms. */
  readonly interval: number;
  /** The fields that were asked for; undefined for all. */
  readonly fields: readonly Field[] | undefined;
  readonly closed: boolean;

  /** Wants these as well. @throws RangeError when something is no symbol and no pattern */
  add(symbols: Symbols): void;

  /**
   * Does not want these any more. What was added is taken away; what a pattern covers is left out of it; a pattern that
   * was not added takes away all that it matches.
   * @throws RangeError when something is no symbol and no pattern
   */
  remove(symbols: Symbols): void;

  /** Changes the interval or the fields; what is left out stays. @throws RangeError */
  change(terms: SubscriptionTerms): void;

  /**
   * These symbols are out of sight, or all are: they are asked for at the hidden interval. Of single ones that counts
   * after half a second: a list that is scrolled brings much of it back.
   * @throws RangeError when something is no symbol
   */
  hide(symbols?: Symbols): void;

  /** These symbols are in sight, or all are: at full speed, and beginning with the latest there is. @throws RangeError */
  show(symbols?: Symbols): void;

  /** Exactly these symbols are in sight: for lists that paint only the rows on the screen. @throws RangeError */
  showOnly(symbols: Symbols): void;

  /** Leaves: nobody is called any more, and loops end. */
  close(): void;
}

/** One subscription's eye on one symbol: the quote that its owner has, and when the owner was last called with it. */
import type { Entry } from "./entry.ts";
import { type Quote, type QuoteState, type Scope, View } from "./quote.ts";

/** Who is to be told of changes of an entry. */
export interface Follower extends Scope {
  /**
   * The entry has changed.
   * @param now ms
   * @param atOnce its state has changed, which does not wait for the interval
   */
  changed(follow: Follow, now: number, atOnce: boolean): void;
  /** The gateway said how the symbol stands. */
  status(quote: Quote, state: QuoteState | "gap", reason: string): void;
}

export class Follow {
  readonly entry: Entry;
  readonly follower: Follower;
  readonly quote: Quote;
  /** ms */
  toldAt = Number.NEGATIVE_INFINITY;

  constructor(entry: Entry, follower: Follower) {
    this.entry = entry;
    this.follower = follower;
    this.quote = new View(entry, follower);
  }
}

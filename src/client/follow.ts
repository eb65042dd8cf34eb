/** One subscription's eye on one symbol: what its owner was last called with, and when. */
import type { Entry } from "./entry.ts";
import { Quote, type Scope } from "./quote.ts";

/** Who is to be told of changes of an entry. */
export interface Follower extends Scope {
  /**
   * The entry has changed.
   * @param now ms
   * @param atOnce its state has changed, which does not wait for the interval
   */
  changed(follow: Follow, now: number, atOnce: boolean): void;
  /** The gateway said how its symbol stands. */
  status(quote: Quote, state: Quote["state"] | "gap", reason: string): void;
}

export class Follow {
  readonly entry: Entry;
  readonly follower: Follower;
  readonly quote: Quote;
  /** When the owner was last called with it, ms. */
  toldAt = Number.NEGATIVE_INFINITY;

  constructor(entry: Entry, follower: Follower) {
    this.entry = entry;
    this.follower = follower;
    this.quote = new Quote(entry, follower);
  }
}

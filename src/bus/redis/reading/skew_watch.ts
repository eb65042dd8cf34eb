/** Tells the log which feeds' clocks differ from ours: one line when one is found, and one when it is so no more. */
import type { Logger } from "pino";
import type { HeardFeed } from "../../../market/heard_feed.ts";

/** Below this part of the limit it is well again: a clock near the limit is not told of each second. */
const WELL = 0.5;

export class SkewWatch {
  readonly #limit: number;
  readonly #log: Logger;
  readonly #told = new Set<HeardFeed>();

  /** @param limit how far a clock may be off before it is told, ms */
  constructor(limit: number, log: Logger) {
    this.#limit = limit;
    this.#log = log;
  }

  look(feed: HeardFeed): void {
    // As much as is certain.
    const skew = Math.abs(feed.correction) / 1_000;
    const about = { feed: feed.name, aheadMillis: Math.round(feed.skew / 1_000) };
    if (skew > this.#limit && !this.#told.has(feed)) {
      this.#told.add(feed);
      this.#log.warn(about, "a feed's clock differs from ours: one of the two is wrong");
    } else if (skew < this.#limit * WELL && this.#told.delete(feed))
      this.#log.info(about, "a feed's clock agrees with ours again");
  }
}

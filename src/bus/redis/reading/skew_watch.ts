/** Logs each feed whose clock differs from ours: one line when the difference begins, and one when it ends. */
import type { RateLimitedLog } from "../../../log/rate_limited_log.ts";
import type { HeardFeed } from "../../../market/heard_feed.ts";

/** Below this part of the limit a clock agrees again: one near the limit does not cause a line each second. */
const AGREED = 0.5;

export class SkewWatch {
  readonly #limit: number;
  readonly #log: RateLimitedLog;
  readonly #reported = new Set<HeardFeed>();

  /** @param limit how far a clock may be off before it is logged, ms */
  constructor(limit: number, log: RateLimitedLog) {
    this.#limit = limit;
    this.#log = log;
  }

  check(feed: HeardFeed): void {
    // Only the part of the difference that is certain.
    const skew = Math.abs(feed.correction) / 1_000;
    const about = { feed: feed.name, aheadMillis: Math.round(feed.skew / 1_000) };
    if (skew > this.#limit && !this.#reported.has(feed)) {
      this.#reported.add(feed);
      this.#log.write("warn", about, "a feed's clock differs from ours: one of the two is wrong", feed.name);
    } else if (skew < this.#limit * AGREED && this.#reported.delete(feed))
      this.#log.write("info", about, "a feed's clock agrees with ours again", feed.name);
  }
}

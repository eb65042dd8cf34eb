/** What publishers write that is not as docs/bus.md says: why it is left out, and how often, by feed. */

/** Why a batch, a record or a mark is left out. */
export const MALFORMED_REASONS = [
  /** It is no MessagePack, or ends too early: nothing behind it can be read either. */
  "format",
  /** A batch of another version. */
  "version",
  /** Feed, epoch, number, time or shards of a batch; feed or epoch of a stored value. */
  "head",
  /** A batch of more records than there may be. */
  "records",
  /** A batch of a publisher with another number of shards. */
  "shards",
  /** A record that is no array, or has too few elements. */
  "record",
  "symbol",
  "seq",
  /** Event time, or since when the state holds. */
  "time",
  "state",
  /** Why the state holds: too long, or no text. */
  "text",
  /** A price, size or volume that is neither a finite number nor nil. */
  "value",
  /** A feed's mark in the last-value store. */
  "mark",
] as const;

export type MalformedReason = (typeof MALFORMED_REASONS)[number];

/** Where a feed is counted that is not known: anyone can write any name. */
export const UNKNOWN_FEED = "unknown";

export class MalformedCounts {
  readonly #byFeed = new Map<string, Map<MalformedReason, number>>();
  /** All of them. */
  total = 0;

  /** @param feed one that is known, or {@link UNKNOWN_FEED} */
  add(feed: string, reason: MalformedReason): void {
    let reasons = this.#byFeed.get(feed);
    if (!reasons) {
      reasons = new Map();
      this.#byFeed.set(feed, reasons);
    }
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    this.total++;
  }

  /**
   * What has been counted, by feed and reason.
   * @param feeds those that are known: of them, and of {@link UNKNOWN_FEED}, each reason is there, be it with 0
   */
  *lines(
    feeds: Iterable<string>,
  ): Generator<readonly [labels: { feed: string; reason: MalformedReason }, count: number]> {
    for (const feed of new Set([UNKNOWN_FEED, ...feeds, ...this.#byFeed.keys()]))
      for (const reason of MALFORMED_REASONS) yield [{ feed, reason }, this.#byFeed.get(feed)?.get(reason) ?? 0];
  }
}

/**
 * How soon one write may follow another: what changes meanwhile goes with it. Each write wakes Redis and every gateway,
 * which costs them more than some ticks do; a feed that rested does not wait.
 */

/** Milliseconds from one write to the next, in the mean. */
const GAP = 2;
/**
 * How much earlier one may come, ms. A source that ticks as often as may be written is now a bit early and now a bit
 * late: where the gap counted from the last write, all would wait for a timer once one had been early. As a cell that
 * comes early conforms (GCRA, ITU-T I.371).
 */
const EARLY = 1;

export class WriteGap {
  #dueAt = Number.NEGATIVE_INFINITY;

  /** How long to wait until the next write, ms; not above 0 where it may be now. */
  rest(now: number): number {
    return this.#dueAt - EARLY - now;
  }

  /** There was a write. */
  wrote(now: number): void {
    this.#dueAt = Math.max(this.#dueAt, now) + GAP;
  }
}

/** The marks of bars' numbers, and of an entry that is still to get past bars. See seq_mark.ts. */

/** The mark of such an entry: this bit, how many are still to come, and the number when the entry began. */
export const PAST = 2 ** 31;
/** As many marks of numbers there are: they stay below {@link PAST}. */
export const BAR_MARKS = PAST - 1;

/**
 * Marks of the past: of bars that had begun with the number. What has changed after it comes behind the past, since it
 * may be of bars that were sent before. With 3,600 bars there is room for 524,288 changes until then, with 86,400 for
 * 16,384.
 */
export class PastMarks {
  readonly #counts: number;
  readonly #numbers: number;

  /** @param bars that are kept of a symbol */
  constructor(bars: number) {
    this.#counts = 2 ** Math.ceil(Math.log2(bars + 1));
    this.#numbers = PAST / this.#counts;
  }

  markOf(count: number, seq: number): number {
    return PAST + (seq % this.#numbers) * this.#counts + count;
  }

  countOf(mark: number): number {
    return mark % this.#counts;
  }

  /** @param now the newest number */
  seqOf(mark: number, now: number): number {
    const behind = now - Math.floor((mark - PAST) / this.#counts);
    return now - (((behind % this.#numbers) + this.#numbers) % this.#numbers);
  }
}

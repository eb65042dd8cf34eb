/** The marks of bars' numbers, and of an entry that is still to get past bars. See seq_mark.ts. */

/** The mark of such an entry: this bit, the position of the next bar, and the number when the entry began. */
export const PAST = 2 ** 31;
/** As many marks of numbers there are: they stay below {@link PAST}. */
export const BAR_MARKS = PAST - 1;

/**
 * Marks of the past. What has changed after the number comes behind it: it may be of bars that were sent before. With
 * 3,600 bars there is room for 262,144 changes until then, with 86,400 for 8,192.
 */
export class PastMarks {
  readonly #positions: number;
  readonly #numbers: number;

  /** @param bars that are kept of a symbol */
  constructor(bars: number) {
    this.#positions = 2 ** Math.ceil(Math.log2(bars * 2));
    this.#numbers = PAST / this.#positions;
  }

  markOf(position: number, seq: number): number {
    return PAST + (seq % this.#numbers) * this.#positions + (position % this.#positions);
  }

  /** @param end the position behind the newest bar */
  positionOf(mark: number, end: number): number {
    return end - remainder(end - mark, this.#positions);
  }

  /** @param now the newest number */
  seqOf(mark: number, now: number): number {
    return now - remainder(now - Math.floor((mark - PAST) / this.#positions), this.#numbers);
  }
}

/** Never negative. */
function remainder(value: number, of: number): number {
  return ((value % of) + of) % of;
}

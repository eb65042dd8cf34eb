/** The wait before the next attempt: it doubles up to a limit, with jitter so that clients do not retry together. */

export class Backoff {
  readonly #min: number;
  readonly #max: number;
  readonly #random: () => number;
  #attempts = 0;

  /**
   * @param min the longest first wait, in milliseconds
   * @param max the longest wait of all, in milliseconds
   * @param random gives numbers from 0 to 1
   */
  constructor(min: number, max: number, random: () => number = Math.random) {
    this.#min = min;
    this.#max = max;
    this.#random = random;
  }

  /** The next wait in milliseconds: from half to all of a time that doubles with each attempt until `max`. */
  next(): number {
    // 2^30 is above any limit; a larger exponent would end in Infinity.
    const ceiling = Math.min(this.#max, this.#min * 2 ** Math.min(this.#attempts++, 30));
    return ceiling * (0.5 + 0.5 * this.#random());
  }

  /** Resets the wait after a success: the next failure counts as the first. */
  reset(): void {
    this.#attempts = 0;
  }
}

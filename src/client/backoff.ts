/** How long to wait before the next connection: longer each time up to a limit, and never the same for two clients. */
export class Backoff {
  readonly #first: number;
  readonly #most: number;
  readonly #random: () => number;
  #failures = 0;

  /**
   * @param first the longest first wait, ms
   * @param most the longest wait, ms
   * @param random gives numbers from 0 to below 1
   */
  constructor(first: number, most: number, random: () => number) {
    this.#first = first;
    this.#most = most;
    this.#random = random;
  }

  /** The next wait, ms: from half to all of a time that doubles with each failure. */
  next(): number {
    // 2^20 of any first wait is over any limit; counting on would end in Infinity.
    const longest = Math.min(this.#most, this.#first * 2 ** Math.min(this.#failures++, 20));
    return longest * (0.5 + 0.5 * this.#random());
  }

  /** A connection has lasted: the next failure is a first one. */
  reset(): void {
    this.#failures = 0;
  }
}

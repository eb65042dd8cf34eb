/** A token bucket: so many a second on average, and so many at once. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #capacity: number;
  #tokens: number;
  #at: number;
  #stalled: number;

  /** @param stalled as for {@link take} */
  constructor(perSecond: number, capacity: number, now: number, stalled = 0) {
    this.#perSecond = perSecond;
    this.#capacity = capacity;
    this.#tokens = capacity;
    this.#at = now;
    this.#stalled = stalled;
  }

  /**
   * Takes one token.
   * @returns whether there was one
   * @param stalled how long this process has stalled in all, ms: what arrives after a stall was sent during it, at
   * any rate, so the tokens of that time are kept even where the bucket is full
   */
  take(now: number, stalled = 0): boolean {
    this.#refill(now, stalled);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Takes any number of tokens, also more than there are: then it takes longer until there are some again. */
  spend(tokens: number): void {
    this.#tokens -= tokens;
  }

  /** Whether there is less than one token. */
  isEmpty(now: number): boolean {
    this.#refill(now, this.#stalled);
    return this.#tokens < 1;
  }

  #refill(now: number, stalled: number): void {
    const still = Math.min(stalled - this.#stalled, now - this.#at);
    const earned = ((now - this.#at - still) * this.#perSecond) / 1_000;
    this.#tokens = Math.max(this.#tokens, Math.min(this.#capacity, this.#tokens + earned));
    this.#tokens += (still * this.#perSecond) / 1_000;
    this.#at = now;
    this.#stalled = stalled;
  }
}

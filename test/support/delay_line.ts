/** A connection with a delay that keeps the order, as TCP does. */
export class DelayLine<T> {
  readonly #delay: () => number;
  readonly #arrive: (one: T) => void;
  readonly #onTheirWay: T[] = [];
  #arrivesAt = 0;

  /** @param delay of what is sent now, ms; it may change, and the order stays */
  constructor(delay: () => number, arrive: (one: T) => void) {
    this.#delay = delay;
    this.#arrive = arrive;
  }

  send(one: T): void {
    const now = performance.now();
    this.#arrivesAt = Math.max(this.#arrivesAt, now + this.#delay());
    this.#onTheirWay.push(one);
    if (this.#arrivesAt === now && this.#onTheirWay.length === 1) return this.#next();
    // Undelivered messages must not prevent the end of a test.
    setTimeout(() => this.#next(), this.#arrivesAt - now).unref();
  }

  // Timers of the same moment may fire in another order: each delivers the oldest message.
  #next(): void {
    this.#arrive(this.#onTheirWay.shift() as T);
  }
}

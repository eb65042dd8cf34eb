/** What tests put between two ends: a way that takes its time and never changes the order, as TCP does not. */
export class DelayLine<T> {
  readonly #delay: () => number;
  readonly #arrive: (one: T) => void;
  readonly #onTheirWay: T[] = [];
  #arrivesAt = 0;

  /** @param delay how long what is sent now takes, ms; what was sent first arrives first, however that changes */
  constructor(delay: () => number, arrive: (one: T) => void) {
    this.#delay = delay;
    this.#arrive = arrive;
  }

  send(one: T): void {
    const now = performance.now();
    this.#arrivesAt = Math.max(this.#arrivesAt, now + this.#delay());
    this.#onTheirWay.push(one);
    if (this.#arrivesAt === now && this.#onTheirWay.length === 1) return this.#next();
    // What is still on its way keeps no test from ending.
    setTimeout(() => this.#next(), this.#arrivesAt - now).unref();
  }

  // Timers of the same moment may come in another order than they were set: each brings what has waited longest.
  #next(): void {
    this.#arrive(this.#onTheirWay.shift() as T);
  }
}

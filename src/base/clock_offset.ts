/**
 * How far this process's clock is from Redis' clock, which all processes can ask. An answer to TIME was given somewhere
 * between the question and its coming; the one that took the shortest tells most. Half its round trip is how wrong it
 * can be.
 */

/** How a clock stands to Redis' clock. */
export interface ClockReading {
  /** How far it is ahead, microseconds; NaN where it is not known. */
  readonly offset: number;
  /** By how much the offset may be wrong, microseconds; NaN where it is not known. */
  readonly uncertainty: number;
}

export const UNKNOWN_CLOCK: ClockReading = { offset: Number.NaN, uncertainty: Number.NaN };

/** Answers that are looked at: one a second, so that a clock that drifts is not held to what it was. */
const SAMPLES = 10;

export class ClockOffset implements ClockReading {
  readonly #offsets = new Float64Array(SAMPLES);
  readonly #trips = new Float64Array(SAMPLES);
  #count = 0;
  #next = 0;
  #best = -1;

  get offset(): number {
    return this.#best < 0 ? Number.NaN : this.#offsets[this.#best];
  }

  get uncertainty(): number {
    return this.#best < 0 ? Number.NaN : this.#trips[this.#best] / 2;
  }

  /**
   * Redis has told its time.
   * @param askedAt when it was asked, by our clock; all in microseconds since the Unix epoch
   * @param time what it said
   * @param answeredAt when the answer came, by our clock
   */
  add(askedAt: number, time: number, answeredAt: number): void {
    const trip = answeredAt - askedAt;
    // A clock that was set back meanwhile has measured nothing.
    if (!(trip >= 0) || !Number.isFinite(time)) return;
    const offset = askedAt + trip / 2 - time;
    // Both cannot be right: one of the clocks has been set since, and what was known before is of no use.
    if (Math.abs(offset - this.offset) > trip / 2 + this.uncertainty) this.forget();
    this.#offsets[this.#next] = offset;
    this.#trips[this.#next] = trip;
    this.#next = (this.#next + 1) % SAMPLES;
    this.#count = Math.min(SAMPLES, this.#count + 1);
    this.#best = 0;
    for (let index = 1; index < this.#count; index++)
      if (this.#trips[index] < this.#trips[this.#best]) this.#best = index;
  }

  /** It may be another Redis from now on, with another clock. */
  forget(): void {
    this.#count = this.#next = 0;
    this.#best = -1;
  }
}

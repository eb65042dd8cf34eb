/**
 * How far this machine's clock is ahead of another clock that answers questions about its time. The answer was given at
 * some moment between question and answer, so the answer with the shortest round trip is the most exact one: its offset
 * is wrong by at most half of that. Used for Redis' clock, and by clients for the gateway's.
 */

/** How far a clock is ahead of another one. */
export interface ClockReading {
  /** Microseconds; NaN where not known. */
  readonly offset: number;
  /** By how much the offset may be wrong, microseconds; NaN where not known. */
  readonly uncertainty: number;
}

export const UNKNOWN_CLOCK: ClockReading = { offset: Number.NaN, uncertainty: Number.NaN };

export class ClockOffset implements ClockReading {
  readonly #count: number;
  readonly #resolution: number;
  /** The last readings, the oldest first. */
  #readings: ClockReading[] = [];
  #best = UNKNOWN_CLOCK;

  /**
   * @param count how many of the last answers are used. With one answer per second, 10 follow a clock that drifts.
   * @param resolution of our clock, microseconds
   */
  constructor(count = 10, resolution = 0) {
    this.#count = count;
    this.#resolution = resolution;
  }

  get offset(): number {
    return this.#best.offset;
  }

  get uncertainty(): number {
    return this.#best.uncertainty;
  }

  /**
   * Notes one answer. All times are microseconds since the Unix epoch.
   * @param askedAt when the question was sent, by our clock
   * @param time the answer
   * @param answeredAt when the answer came, by our clock
   */
  add(askedAt: number, time: number, answeredAt: number): void {
    const uncertainty = (answeredAt - askedAt) / 2;
    const offset = askedAt + uncertainty - time;
    // Our clock was set back in between, or the answer is no time.
    if (!(uncertainty >= 0 && Number.isFinite(offset))) return;
    // Both cannot be right, so one of the clocks has been set: earlier answers no longer count.
    if (Math.abs(offset - this.offset) > uncertainty + this.uncertainty + this.#resolution) this.forget();
    this.#readings = [...this.#readings.slice(1 - this.#count), { offset, uncertainty }];
    this.#best = this.#readings.reduce((best, each) => (each.uncertainty < best.uncertainty ? each : best));
  }

  /** The other clock may be another one from now on. */
  forget(): void {
    this.#readings = [];
    this.#best = UNKNOWN_CLOCK;
  }
}

/**
 * Time, in the two kinds that the project needs. Every part that acts on time is given a clock, so that tests
 * can hold it in their hands.
 */
export interface Clock {
  /** Microseconds since the Unix epoch: what is written on the wire. May step when the machine's clock is set. */
  micros(): number;
  /** Milliseconds since some start, never going back: what durations are measured with. */
  millis(): number;
}

/** How far the wall clock may be off from the monotonic one, in microseconds, before it is taken again. */
const DRIFT_MICROS = 1_000;
/** How often the wall clock is looked at, in milliseconds. */
const CHECK_MILLIS = 1_000;

/**
 * The machine's clock. `Date.now` has whole milliseconds only, so the wall time is the monotonic clock plus an
 * offset, which is checked against the machine's clock once a second: a process that runs for months follows NTP.
 */
export class SystemClock implements Clock {
  #offset = performance.timeOrigin * 1_000;
  #checkAt = 0;

  micros(): number {
    const millis = performance.now();
    if (millis >= this.#checkAt) this.#check(millis);
    return Math.round(millis * 1_000 + this.#offset);
  }

  millis(): number {
    return performance.now();
  }

  #check(millis: number): void {
    this.#checkAt = millis + CHECK_MILLIS;
    // Date.now() is rounded down: on average half a millisecond behind.
    const offset = Date.now() * 1_000 + 500 - millis * 1_000;
    if (Math.abs(offset - this.#offset) > DRIFT_MICROS) this.#offset = offset;
  }
}

/** A clock that stands still until it is moved: for tests. */
export class ManualClock implements Clock {
  /** The wall time at `millis() === 0`, in microseconds. */
  readonly #epoch: number;
  #millis = 0;

  constructor(epochMicros = 1_700_000_000_000_000) {
    this.#epoch = epochMicros;
  }

  micros(): number {
    return this.#epoch + Math.round(this.#millis * 1_000);
  }

  millis(): number {
    return this.#millis;
  }

  /** Moves both times on by so many milliseconds. */
  advance(millis: number): void {
    this.#millis += millis;
  }
}

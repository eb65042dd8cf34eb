/**
 * Wall time and monotonic time. Every part that depends on time gets a clock as an argument, so that tests
 * can control it.
 */
export interface Clock {
  /** Microseconds since the Unix epoch, as on the wire. It may jump when the machine's clock is set. */
  micros(): number;
  /** Milliseconds since an arbitrary start; it never goes back. For durations. */
  millis(): number;
  /** The wall time in whole microseconds at a time that {@link millis} just returned. */
  microsAt(millis: number): number;
}

/** The offset is replaced when wall and monotonic clock differ by more than this, in microseconds. */
const DRIFT_MICROS = 1_000;
/** How often the wall clock is read, in milliseconds. */
const CHECK_MILLIS = 1_000;
/** Two readings farther apart than this are not of the same moment, in milliseconds: the process was suspended. */
const SAME_MOMENT_MILLIS = 0.25;

/**
 * The machine's clock. `Date.now` has whole milliseconds only, so the wall time is the monotonic clock plus an
 * offset, which is checked against the machine's clock once a second: a process that runs for months follows NTP.
 */
export class SystemClock implements Clock {
  #offset = Math.round(performance.timeOrigin * 1_000);
  #checkAt = 0;

  micros(): number {
    return this.microsAt(performance.now());
  }

  microsAt(millis: number): number {
    if (millis >= this.#checkAt) this.#check();
    return Math.floor(millis * 1_000) + this.#offset;
  }

  millis(): number {
    return performance.now();
  }

  #check(): void {
    const millis = performance.now();
    // Date.now() is rounded down: on average half a millisecond behind.
    const wall = Date.now() * 1_000 + 500;
    if (performance.now() - millis > SAME_MOMENT_MILLIS) return;
    this.#checkAt = millis + CHECK_MILLIS;
    const offset = Math.round(wall - millis * 1_000);
    if (Math.abs(offset - this.#offset) > DRIFT_MICROS) this.#offset = offset;
  }
}

/** A clock for tests: it changes only with {@link advance}. */
export class ManualClock implements Clock {
  /** The wall time at `millis() === 0`, in microseconds. */
  readonly #epoch: number;
  #millis = 0;

  constructor(epochMicros = 1_700_000_000_000_000) {
    this.#epoch = epochMicros;
  }

  micros(): number {
    return this.microsAt(this.#millis);
  }

  millis(): number {
    return this.#millis;
  }

  microsAt(millis: number): number {
    return this.#epoch + Math.round(millis * 1_000);
  }

  /** Advances both times by so many milliseconds. */
  advance(millis: number): void {
    this.#millis += millis;
  }
}

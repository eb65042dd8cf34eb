/**
 * Measures how long this process has stalled: stopped, swapped out, or busy for too long. What clients sent meanwhile
 * arrives all at once, and must not count as too many commands.
 */

/** The shortest pause that counts as a stall, ms: four intervals of the maintenance. */
const STILL = 100;
/** The most of one pause that counts, ms: it bounds what a client may send after it. */
const LONGEST = 60_000;

export class StallWatch {
  #beatAt: number;
  #stalled = 0;

  constructor(now: number) {
    this.#beatAt = now;
  }

  /** To be called every 25 ms. */
  beat(now: number): void {
    this.#stalled = this.stalled(now);
    this.#beatAt = now;
  }

  /** How long the process has stalled since it started, ms; the pause that has just ended included. */
  stalled(now: number): number {
    const pause = now - this.#beatAt;
    return this.#stalled + (pause < STILL ? 0 : Math.min(pause, LONGEST));
  }
}

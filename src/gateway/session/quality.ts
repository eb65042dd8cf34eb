/**
 * Whether a connection gets its updates as often as it was granted, and whose doing it is when not. Two late turns
 * in a row begin it, two seconds without one end it, so that a single hiccup is not told and nothing flaps.
 */
import type { Quality, QualityReason } from "../../protocol/messages.ts";

/** A turn is late when it comes this much after it was due, ms, or half its interval if that is more. */
const TOLERANCE = 100;
/** Late turns in a row before it is told. */
const LATE_TURNS = 2;
/** How long without a late turn before it is told that all is well, ms. */
const CALM = 2_000;

export class QualityWatch {
  #lateTurns = 0;
  #lastLate = Number.NEGATIVE_INFINITY;
  #told: QualityReason | undefined;

  /** Whose doing it is that the client gets less than granted, as it has been told; undefined while it gets all. */
  get conflating(): QualityReason | undefined {
    return this.#told;
  }

  /**
   * A turn has come so late.
   * @param interval what was granted, ms
   * @returns what to tell the client, if anything
   */
  noteLateness(late: number, interval: number, reason: QualityReason, now: number): Quality | undefined {
    if (late <= Math.max(TOLERANCE, interval / 2)) {
      this.#lateTurns = 0;
      return undefined;
    }
    this.#lastLate = now;
    if (++this.#lateTurns < LATE_TURNS || this.#told === reason) return undefined;
    this.#told = reason;
    return { op: "quality", state: "conflating", interval: Math.round(interval + late), reason };
  }

  /** Time has passed. @returns what to tell the client, if anything */
  check(now: number, granted: number): Quality | undefined {
    if (this.#told === undefined || now - this.#lastLate < CALM) return undefined;
    const reason = this.#told;
    this.#told = undefined;
    this.#lateTurns = 0;
    return { op: "quality", state: "realtime", interval: granted, reason };
  }
}

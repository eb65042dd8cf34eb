/**
 * Whether a connection gets its updates as often as granted, and why when not. Two late flushes in a row change it to
 * conflating, two seconds without one change it back, so that a single delay is not reported and it does not change too
 * often.
 */
import type { Quality, QualityReason } from "../../protocol/messages.ts";

/** A flush is late when it is this much after its due time, ms, or half the interval if that is more. */
const TOLERANCE = 100;
/** Late flushes in a row before a report. */
const LATE_FLUSHES = 2;
/** How long without a late flush until the recovery is reported, ms. */
const CALM = 2_000;

export class QualityWatch {
  #lateFlushes = 0;
  #lastLate = Number.NEGATIVE_INFINITY;
  #sent: QualityReason | undefined;

  /** Why the client gets less than granted, as the last message said; undefined while it gets all. */
  get conflating(): QualityReason | undefined {
    return this.#sent;
  }

  /**
   * A flush was so late.
   * @param interval what was granted, ms
   * @returns a message for the client, if one is due
   */
  noteLateness(late: number, interval: number, reason: QualityReason, now: number): Quality | undefined {
    if (late <= Math.max(TOLERANCE, interval / 2)) {
      this.#lateFlushes = 0;
      return undefined;
    }
    this.#lastLate = now;
    if (++this.#lateFlushes < LATE_FLUSHES || this.#sent === reason) return undefined;
    this.#sent = reason;
    return { op: "quality", state: "conflating", interval: Math.round(interval + late), reason };
  }

  /** Checks for recovery. @returns a message for the client, if one is due */
  check(now: number, granted: number): Quality | undefined {
    if (this.#sent === undefined || now - this.#lastLate < CALM) return undefined;
    const reason = this.#sent;
    this.#sent = undefined;
    this.#lateFlushes = 0;
    return { op: "quality", state: "realtime", interval: granted, reason };
  }
}

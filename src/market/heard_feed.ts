/**
 * One feed as a gateway receives it, on all shards: how long its batches take, and how far its publisher's clock is
 * ahead of ours. Clocks are not compared directly: each process measures how far its own is ahead of Redis' clock
 * (base/clock_offset.ts), and a publisher sends that with each batch.
 */

import type { ClockReading } from "../base/clock_offset.ts";
import { Histogram } from "../base/histogram.ts";

export class HeardFeed {
  readonly name: string;
  /** From the making of a batch to its application here, for every batch. */
  readonly transit: Histogram;
  /** From the event time to the market table, for every tick that came in a batch. */
  readonly inboundAge: Histogram;
  #skew = Number.NaN;
  #uncertainty = Number.NaN;
  #correction = 0;

  /** @param createHistogram makes what the durations are counted in */
  constructor(name: string, createHistogram: () => Histogram = () => new Histogram()) {
    this.name = name;
    this.transit = createHistogram();
    this.inboundAge = createHistogram();
  }

  /** How far the publisher's clock is ahead of ours, microseconds; NaN where it is not known. */
  get skew(): number {
    return this.#skew;
  }

  /** By how much {@link skew} may be wrong, microseconds; NaN where it is not known. */
  get uncertainty(): number {
    return this.#uncertainty;
  }

  /**
   * What must be subtracted from the publisher's times to have them by our clock, microseconds. Only the certain part
   * of the skew: otherwise an asymmetric delay of Redis' answers could hide a slow bus.
   */
  get correction(): number {
    return this.#correction;
  }

  /** Notes the readings of the publisher's clock and of ours. */
  compare(theirs: ClockReading, ours: ClockReading): void {
    const skew = theirs.offset - ours.offset;
    if (Number.isNaN(skew)) return;
    this.#skew = skew;
    this.#uncertainty = theirs.uncertainty + ours.uncertainty;
    this.#correction = Math.sign(skew) * Math.max(0, Math.abs(skew) - this.#uncertainty);
  }
}

/** The feed of records without a publisher. */
export const NO_FEED = new HeardFeed("");

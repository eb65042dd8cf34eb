/**
 * One feed as a gateway hears it, on whichever shards: how long its batches take, and how far its publisher's clock is
 * from ours. Two clocks are never compared directly: each process knows how far its own is from Redis' clock
 * (clock_offset.ts), and a publisher tells that with each batch.
 */

import type { ClockReading } from "../base/clock_offset.ts";
import { Histogram } from "../base/histogram.ts";

export class HeardFeed {
  readonly name: string;
  /** From the making of a batch to its being applied here: every batch. */
  readonly transit: Histogram;
  /** From the source's event time to the market table: every tick that came in a batch. */
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
   * What is taken from the publisher's times to have them by our clock, microseconds: as much of the skew as is certain, so
   * that answers of Redis that are slow on one way do not hide that the bus is.
   */
  get correction(): number {
    return this.#correction;
  }

  /** The publisher has told how its clock stands; ours stands so, as far as we know. */
  compare(theirs: ClockReading, ours: ClockReading): void {
    const skew = theirs.offset - ours.offset;
    if (Number.isNaN(skew)) return;
    this.#skew = skew;
    this.#uncertainty = theirs.uncertainty + ours.uncertainty;
    this.#correction = Math.sign(skew) * Math.max(0, Math.abs(skew) - this.#uncertainty);
  }
}

/** The feed of records that came from nobody in particular. */
export const NO_FEED = new HeardFeed("");

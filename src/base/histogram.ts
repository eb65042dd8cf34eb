/**
 * Histograms of durations in Prometheus' form. All latencies use the same buckets, so that any two can be compared. An
 * observation costs one table lookup, because the hot path makes it for each tick.
 */

/**
 * Upper bounds, microseconds: 100 µs, then seven steps to a decade up to 10 s, then 30 s and 60 s. The intervals that
 * clients usually ask for are bounds: else a quantile just above one would seem to be far above.
 */
export const BOUNDS: readonly number[] = [
  100,
  ...[100, 1_000, 10_000, 100_000, 1_000_000].flatMap((decade) =>
    [1.5, 2, 2.5, 3, 5, 7, 10].map((step) => Math.round(decade * step)),
  ),
  30_000_000,
  60_000_000,
];

/** The bounds and Infinity, so that the loop in `observe` needs no other end. */
const LIMITS = Float64Array.from([...BOUNDS, Number.POSITIVE_INFINITY]);
/** Steps to a doubling in the table below, as a power of two. */
const STEP_BITS = 3;
/**
 * The first bucket to compare, for each eighth of each doubling up to 2^31; at most two bounds lie within one eighth.
 */
const FIRST = Uint8Array.from({ length: 32 << STEP_BITS }, (_, step) => {
  const from = lowestOf(step);
  const bucket = LIMITS.findIndex((limit) => from <= limit);
  return bucket < 0 ? BOUNDS.length : bucket;
});
/** Durations above this, in microseconds, are above every bound. */
const TABLE_LIMIT = 0x7fffffff;
/** A duration above a day counts as a day: an event time of 1970 must not make the sum useless. */
const LONGEST = 86_400_000_000;

/** The weight of a sampled duration. */
const SAMPLE_WEIGHT = 8;

export class Histogram {
  /**
   * The number of durations in each bucket: above the previous bound and at most this one; the last: above all.
   */
  readonly counts = new Float64Array(BOUNDS.length + 1);
  /** The sum of all durations, microseconds. */
  sum = 0;
  /** Observations until sampling begins, and observations to skip before the next sample. */
  #unsampled = 1_000;
  #skip = 0;

  /**
   * Adds a duration.
   * @param micros a negative one counts as 0, one of more than a day as a day
   * @param weight the number of durations that it represents
   */
  observe(micros: number, weight = 1): void {
    const time = micros > 0 ? Math.min(micros, LONGEST) : 0;
    const whole = time < TABLE_LIMIT ? time | 0 : TABLE_LIMIT;
    const doubling = 31 - Math.clz32(whole | 1);
    const eighth = doubling > STEP_BITS ? (whole >>> (doubling - STEP_BITS)) & 7 : 0;
    let bucket = FIRST[(doubling << STEP_BITS) | eighth];
    while (time > LIMITS[bucket]) bucket++;
    this.counts[bucket] += weight;
    this.sum += time * weight;
  }

  /**
   * Adds about one of eight durations with a weight of eight, for events that happen tens of thousands of times a
   * second. The choice is random, so that regular patterns are represented. The first thousand are all added.
   * @param micros as for {@link observe}
   */
  sample(micros: number): void {
    if (this.#unsampled > 0) {
      this.#unsampled--;
      this.observe(micros);
    } else if (this.#skip-- <= 0) {
      this.#skip = Math.floor(Math.random() * (2 * SAMPLE_WEIGHT - 1));
      this.observe(micros, SAMPLE_WEIGHT);
    }
  }

  /** The number of durations. */
  get count(): number {
    let count = 0;
    for (const one of this.counts) count += one;
    return count;
  }
}

/** Counts nothing, for `--no-metrics`. */
export class NoHistogram extends Histogram {
  override observe(): void {}
  override sample(): void {}
}

/** Creates a histogram, or one that counts nothing when metrics are off. */
export function createHistogram({ metrics }: { readonly metrics: boolean }): Histogram {
  return metrics ? new Histogram() : new NoHistogram();
}

/** The smallest whole number of a step of the table. */
function lowestOf(step: number): number {
  const doubling = step >> STEP_BITS;
  const eighth = step & 7;
  return doubling > STEP_BITS ? 2 ** doubling + eighth * 2 ** (doubling - STEP_BITS) : 0;
}

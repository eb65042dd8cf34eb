/**
 * How durations are distributed, in Prometheus' way. Every latency of the project is counted in these buckets, so that
 * any two can be compared; adding one costs a look into a table, since it is done on the paths of ticks.
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

/** The bounds and one for all above, to be compared with in a loop that ends there. */
const LIMITS = Float64Array.from([...BOUNDS, Number.POSITIVE_INFINITY]);
/** Steps to a doubling in the table below, as a power of two. */
const STEP_BITS = 3;
/** Where to begin to compare, for each eighth of each doubling up to 2^31: at most two bounds lie within one. */
const FIRST = Uint8Array.from({ length: 32 << STEP_BITS }, (_, step) => {
  const from = lowest(step);
  const bucket = LIMITS.findIndex((limit) => from <= limit);
  return bucket < 0 ? BOUNDS.length : bucket;
});
/** What is longer than this, microseconds, is above every bound. */
const MOST = 0x7fffffff;
/** What is longer than a day counts as one: a source that says that it is 1970 must not spoil the sum for good. */
const LONGEST = 86_400_000_000;

/** How many a sampled duration stands for. */
const SAMPLE_WEIGHT = 8;

export class Histogram {
  /**
   * How many were at most as long as the bound of the same place and longer than the one before; the last: above all.
   */
  readonly counts = new Float64Array(BOUNDS.length + 1);
  /** Of all, microseconds. */
  sum = 0;
  /** How many are still to be added, each one, and how many to be passed by until the next. */
  #all = 1_000;
  #passed = 0;

  /**
   * Adds a duration.
   * @param micros a negative one counts as 0, one of more than a day as a day
   * @param weight for how many it stands
   */
  observe(micros: number, weight = 1): void {
    const time = micros > 0 ? Math.min(micros, LONGEST) : 0;
    const whole = time < MOST ? time | 0 : MOST;
    const doubling = 31 - Math.clz32(whole | 1);
    const eighth = doubling > STEP_BITS ? (whole >>> (doubling - STEP_BITS)) & 7 : 0;
    let bucket = FIRST[(doubling << STEP_BITS) | eighth];
    while (time > LIMITS[bucket]) bucket++;
    this.counts[bucket] += weight;
    this.sum += time * weight;
  }

  /**
   * Adds some of the durations that it is told, each for about eight: for what there are tens of thousands of a second,
   * which the others are very much like. Which ones is left to chance, so that they stand for what is regular as well.
   * The first thousand are all added.
   * @param micros as for {@link observe}
   */
  sample(micros: number): void {
    if (this.#all > 0) {
      this.#all--;
      this.observe(micros);
    } else if (this.#passed-- <= 0) {
      this.#passed = Math.floor(Math.random() * (2 * SAMPLE_WEIGHT - 1));
      this.observe(micros, SAMPLE_WEIGHT);
    }
  }

  /** How many there were. */
  get count(): number {
    let count = 0;
    for (const one of this.counts) count += one;
    return count;
  }
}

/** Counts nothing: where metrics are off. */
export class NoHistogram extends Histogram {
  override observe(): void {}
  override sample(): void {}
}

/** What durations are counted in, where they are counted. */
export function createHistogram({ metrics }: { readonly metrics: boolean }): Histogram {
  return metrics ? new Histogram() : new NoHistogram();
}

/** The least whole number that belongs to a step of the table. */
function lowest(step: number): number {
  const doubling = step >> STEP_BITS;
  const eighth = step & 7;
  return doubling > STEP_BITS ? 2 ** doubling + eighth * 2 ** (doubling - STEP_BITS) : 0;
}

/** Ages in log-linear buckets, 32 per doubling: a quantile is at most 3 % too large and never too small. */

const PER_DOUBLING = 32;
const SHIFT = 5;
/** Ages up to 2^31 µs (36 minutes); the last bucket has all older ones. */
const BUCKETS = (31 - SHIFT + 1) * PER_DOUBLING;

/** Ages as plain data, for another process. */
export interface AgeCounts {
  readonly counts: Float64Array;
  /** The largest, exact, microseconds. */
  readonly max: number;
}

export class Ages {
  readonly #counts = new Float64Array(BUCKETS);
  count = 0;
  /** The largest, exact, microseconds. */
  max = 0;

  /** @param micros negative values, from clocks that differ, count as 0 */
  observe(micros: number): void {
    const age = Math.min(Math.max(Math.floor(micros), 0), 0x7fffffff);
    // The first 32 have a bucket each.
    const shift = Math.max(0, 31 - Math.clz32(age) - SHIFT);
    this.#counts[shift * PER_DOUBLING + (age >>> shift)]++;
    this.count++;
    if (micros > this.max) this.max = micros;
  }

  /**
   * @param share 0 to 1
   * @returns the quantile, microseconds; 0 without ages
   */
  quantile(share: number): number {
    let left = Math.max(1, Math.ceil(this.count * share));
    for (let bucket = 0; bucket < BUCKETS && this.count > 0; bucket++) {
      left -= this.#counts[bucket];
      if (left <= 0) return upperBound(bucket);
    }
    return 0;
  }

  clear(): void {
    this.#counts.fill(0);
    this.count = 0;
    this.max = 0;
  }

  /** The counts, for {@link add}. */
  toCounts(): AgeCounts {
    return { counts: this.#counts.slice(), max: this.max };
  }

  /** Adds the counts of another instance. */
  add({ counts, max }: AgeCounts): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      this.#counts[bucket] += counts[bucket];
      this.count += counts[bucket];
    }
    this.max = Math.max(this.max, max);
  }
}

function upperBound(bucket: number): number {
  const shift = Math.max(0, Math.floor(bucket / PER_DOUBLING) - 1);
  return (bucket - shift * PER_DOUBLING + 1) * 2 ** shift;
}

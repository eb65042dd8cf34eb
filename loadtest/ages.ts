/** Ages in log-linear buckets: 32 to a doubling, so that a quantile is at most 3 % too large, and never too small. */

const PER_DOUBLING = 32;
const SHIFT = 5;
/** Ages up to 2^31 µs (36 minutes); what is older counts as that. */
const BUCKETS = (31 - SHIFT + 1) * PER_DOUBLING;

/** Ages as another process is told of them. */
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

  /** @param micros a negative one, of clocks that do not quite agree, counts as 0 */
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
   * @returns microseconds below which so many of the ages are; 0 when there are none
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

  /** What {@link add} takes. */
  toCounts(): AgeCounts {
    return { counts: this.#counts.slice(), max: this.max };
  }

  /** Adds the ages that others have counted. */
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

/** The ages of the latest ticks on arrival, in a fixed amount of memory. */

/** Ticks that are kept. */
const LATEST = 2_048;

/** Quantiles of the age, ms; undefined before the first tick. */
export interface AgeQuantiles {
  readonly p50: number | undefined;
  readonly p90: number | undefined;
  readonly p99: number | undefined;
}

export class Ages {
  readonly #micros = new Float64Array(LATEST);
  #count = 0;

  add(micros: number): void {
    this.#micros[this.#count++ % LATEST] = micros;
  }

  get quantiles(): AgeQuantiles {
    const sorted = this.#micros.slice(0, this.#count).sort();
    // Clocks differ, so an age can be negative.
    const quantile = (part: number) =>
      sorted.length > 0 ? Math.max(0, sorted[Math.ceil(sorted.length * part) - 1] / 1_000) : undefined;
    return { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99) };
  }
}

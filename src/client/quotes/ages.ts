/** How old ticks were when they came: of the latest, whose number is fixed. */

const LATEST = 2_048;

/** By part of the ticks: the age, ms, that it did not exceed; undefined when no tick has come. */
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
    // Where clocks differ, a tick may come before it happens.
    const quantile = (part: number) =>
      sorted.length > 0 ? Math.max(0, sorted[Math.ceil(sorted.length * part) - 1] / 1_000) : undefined;
    return { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99) };
  }
}

/** The growth rates of counters over the last seconds. */

/** The number of sample intervals in a rate. */
const SAMPLES = 5;

interface Sample<K extends string> {
  readonly time: number;
  readonly counts: Readonly<Record<K, number>>;
}

export class Rates<K extends string> {
  readonly #samples: Sample<K>[] = [];

  /** Adds a sample of the counters. @param time ms, never going back */
  add(time: number, counts: Readonly<Record<K, number>>): void {
    this.#samples.push({ time, counts });
    if (this.#samples.length > SAMPLES + 1) this.#samples.shift();
  }

  /** The growth of a counter since the oldest sample. */
  grown(name: K): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    return first && last ? last.counts[name] - first.counts[name] : 0;
  }

  /** The growth per second; 0 with less than two samples. */
  rate(name: K): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    const time = first && last ? last.time - first.time : 0;
    return time > 0 ? (this.grown(name) / time) * 1_000 : 0;
  }
}

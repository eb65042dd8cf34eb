/** How fast counters grow: their rates over the last seconds. */

/** Samples that rates are taken over. */
const SAMPLES = 5;

interface Sample<K extends string> {
  readonly time: number;
  readonly counts: Readonly<Record<K, number>>;
}

export class Rates<K extends string> {
  readonly #samples: Sample<K>[] = [];

  /** Notes how the counters stand. @param time ms, never going back */
  note(time: number, counts: Readonly<Record<K, number>>): void {
    this.#samples.push({ time, counts });
    if (this.#samples.length > SAMPLES + 1) this.#samples.shift();
  }

  /** By how much a counter has grown since the oldest sample. */
  grown(name: K): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    return first && last ? last.counts[name] - first.counts[name] : 0;
  }

  /** The same, a second; 0 as long as there is but one sample. */
  rate(name: K): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    const time = first && last ? last.time - first.time : 0;
    return time > 0 ? (this.grown(name) / time) * 1_000 : 0;
  }
}

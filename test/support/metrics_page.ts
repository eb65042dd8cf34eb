/** A metrics page at one time, and its increase since another. */

/** A histogram: the number of values up to each bound, in seconds. */
export interface ScrapedHistogram {
  readonly sum: number;
  readonly count: number;
  readonly buckets: readonly { readonly bound: number; readonly count: number }[];
}

type Labels = Readonly<Record<string, string>>;

export class Scrape {
  readonly #values = new Map<string, number>();

  constructor(text: string) {
    for (const line of text.split("\n")) {
      const [, name, labels = "", value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (name !== undefined) this.#values.set(key(name, parse(labels)), Number(value));
    }
  }

  /** @param url of an admin port */
  static async of(url: string): Promise<Scrape> {
    return new Scrape(await (await fetch(`${url}/metrics`)).text());
  }

  /** NaN if there is none. */
  value(name: string, labels: Labels = {}): number {
    return this.#values.get(key(name, labels)) ?? Number.NaN;
  }

  /** The increase of a counter since `before`. */
  gain(before: Scrape, name: string, labels: Labels = {}): number {
    return this.value(name, labels) - before.value(name, labels);
  }

  /** The increase of a histogram since `before`. */
  histogram(before: Scrape, name: string, labels: Labels = {}): ScrapedHistogram {
    const bounds = new Set<string>();
    for (const one of this.#values.keys()) {
      const [, bound] = new RegExp(`^${name}_bucket .*"le":"([^"]+)"`).exec(one) ?? [];
      if (bound !== undefined) bounds.add(bound);
    }
    return {
      sum: this.gain(before, `${name}_sum`, labels),
      count: this.gain(before, `${name}_count`, labels),
      buckets: Array.from(bounds, (le) => ({
        bound: le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le),
        count: this.gain(before, `${name}_bucket`, { ...labels, le }),
      })).sort((a, b) => a.bound - b.bound),
    };
  }
}

/** Several histograms of the same bounds as one. */
export function merged(histograms: readonly ScrapedHistogram[]): ScrapedHistogram {
  const total = (read: (histogram: ScrapedHistogram) => number) =>
    histograms.reduce((sum, histogram) => sum + read(histogram), 0);
  return {
    sum: total(({ sum }) => sum),
    count: total(({ count }) => count),
    buckets: histograms[0].buckets.map(({ bound }, index) => ({
      bound,
      count: total(({ buckets }) => buckets[index].count),
    })),
  };
}

/** The bounds, in seconds, between which the quantile is. */
export function quantileBucket({ buckets, count }: ScrapedHistogram, share: number): readonly [number, number] {
  const index = buckets.findIndex((bucket) => bucket.count >= count * share);
  return [index > 0 ? buckets[index - 1].bound : 0, buckets[index].bound];
}

function key(name: string, labels: Labels): string {
  return `${name} ${JSON.stringify(labels, Object.keys(labels).sort())}`;
}

function parse(labels: string): Record<string, string> {
  return Object.fromEntries(Array.from(labels.matchAll(/([a-z_]+)="([^"]*)",?/g), ([, name, value]) => [name, value]));
}

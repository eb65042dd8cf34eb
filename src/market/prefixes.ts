/** A set of prefixes without those that another one covers, so that no symbol matches two of them. */
export class Prefixes {
  /** Sorted; none is the beginning of another. */
  readonly list: readonly string[];

  constructor(prefixes: Iterable<string>) {
    const list: string[] = [];
    // In this order a prefix comes directly before those that it covers.
    for (const prefix of [...new Set(prefixes)].sort(byCodeUnit))
      if (list.length === 0 || !prefix.startsWith(list[list.length - 1])) list.push(prefix);
    this.list = list;
  }

  /** The prefix of a symbol, or undefined. */
  of(symbol: string): string | undefined {
    const { list } = this;
    let [low, high] = [0, list.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (list[middle] <= symbol) low = middle + 1;
      else high = middle;
    }
    return low > 0 && symbol.startsWith(list[low - 1]) ? list[low - 1] : undefined;
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : 1;
}

/** The prefix of a pattern, which ends with `*`. */
export function prefixOf(pattern: string): string {
  return pattern.slice(0, -1);
}

/** The symbols that have had a tick, sorted, so that those with a prefix are found by binary search. */

import { isPattern } from "../base/tick.ts";
import { prefixOf } from "./prefixes.ts";

/** What the index reads of a market table. */
export interface KnownSymbols {
  /** The symbol of each row. */
  readonly symbols: readonly string[];
  /** Rows that have had a tick; {@link knownCount} of them count. Rows are only appended. */
  readonly known: Int32Array;
  readonly knownCount: number;
}

/**
 * New rows are sorted in runs of so many: 1,024 take half a millisecond. To sort 100,000 rows at once, at the first
 * command with a pattern, would block the event loop for 100 ms.
 */
const RUN = 1_024;

export class SymbolIndex {
  readonly #table: KnownSymbols;
  /** Sorted rows; from the second on each run is less than half as long as the one before it. */
  #runs: Int32Array[] = [];
  /** How many of the known rows are in runs. */
  #count = 0;

  constructor(table: KnownSymbols) {
    this.#table = table;
  }

  /** Call it when rows have been appended. */
  appended(): void {
    if (this.#table.knownCount - this.#count >= RUN) this.#addRun();
  }

  /**
   * All known rows, ordered by symbol (by code unit). A returned array never changes: new symbols make a new array, so
   * a command that runs in slices can keep its first one.
   */
  sorted(): Int32Array {
    if (this.#count < this.#table.knownCount) this.#addRun();
    while (this.#runs.length > 1) this.#mergeLast();
    return this.#runs[0] ?? NO_ROWS;
  }

  #addRun(): void {
    const { symbols, known, knownCount } = this.#table;
    const rows = known.slice(this.#count, knownCount);
    this.#count = knownCount;
    this.#runs.push(rows.sort((a, b) => (symbols[a] < symbols[b] ? -1 : 1)));
    // Each row is merged only when the number of runs doubles.
    const runs = this.#runs;
    while (runs.length > 1 && runs[runs.length - 2].length < runs[runs.length - 1].length * 2) this.#mergeLast();
  }

  #mergeLast(): void {
    const [last, before] = [this.#runs.pop(), this.#runs.pop()] as [Int32Array, Int32Array];
    this.#runs.push(merged(before, last, this.#table.symbols));
  }
}

const NO_ROWS = new Int32Array(0);

/**
 * Where the symbols with a prefix are in sorted rows.
 * @returns the positions of the first and of the one behind the last
 */
export function prefixRange(
  symbols: readonly string[],
  sorted: Int32Array,
  prefix: string,
): [from: number, to: number] {
  const from = firstWhere(sorted, 0, (row) => symbols[row] >= prefix);
  const to = firstWhere(sorted, from, (row) => !symbols[row].startsWith(prefix));
  return [from, to];
}

/** As {@link prefixRange}, of a symbol, or of a prefix that ends with `*`. */
export function textRange(symbols: readonly string[], sorted: Int32Array, text: string): [from: number, to: number] {
  if (isPattern(text)) return prefixRange(symbols, sorted, prefixOf(text));
  const from = firstWhere(sorted, 0, (row) => symbols[row] >= text);
  return [from, from < sorted.length && symbols[sorted[from]] === text ? from + 1 : from];
}

/** The first position from `from` on whose row passes, where all after it pass too. */
function firstWhere(rows: Int32Array, from: number, passes: (row: number) => boolean): number {
  let [low, high] = [from, rows.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (passes(rows[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

function merged(a: Int32Array, b: Int32Array, symbols: readonly string[]): Int32Array {
  const rows = new Int32Array(a.length + b.length);
  let [left, right] = [0, 0];
  for (let index = 0; index < rows.length; index++) {
    const takesLeft = right === b.length || (left < a.length && symbols[a[left]] < symbols[b[right]]);
    rows[index] = takesLeft ? a[left++] : b[right++];
  }
  return rows;
}

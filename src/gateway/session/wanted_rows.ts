/** The rows and symbols that a command names, in steps' worth. */

import type { Prefixes } from "../../market/prefixes.ts";
import { textRange } from "../../market/symbol_index.ts";
import type { Grant } from "./patterns.ts";

/** Rows that are wanted, each with the text that named it: a symbol or a pattern. */
export type Wanted = Map<number, string>;

/** Parts of a list, each of at most so many elements. */
export function* chunks<T>(list: readonly T[], size: number): Generator<readonly T[], void, void> {
  for (let from = 0; from < list.length; from += size) yield list.slice(from, from + size);
}

/**
 * What a subscribe names, a step's worth at a time: its symbols, then the rows that its patterns match.
 * @param symbols the market table's
 * @param sorted its known rows, ordered by symbol
 * @param awaited rows without a tick that patterns match as well
 * @param within the symbols and patterns to search for a pattern's prefix: only what the client may see
 */
export function* batches(
  names: readonly string[],
  patterns: Prefixes,
  symbols: readonly string[],
  sorted: Int32Array,
  awaited: ReadonlySet<number>,
  within: (prefix: string) => readonly string[],
  size: number,
): Generator<readonly string[] | Wanted, void, void> {
  yield* chunks(names, size);
  let wanted: Wanted = new Map();
  for (const [row, prefix] of matches(patterns, symbols, sorted, awaited, within)) {
    wanted.set(row, `${prefix}*`);
    if (wanted.size < size) continue;
    yield wanted;
    wanted = new Map();
  }
  if (wanted.size > 0) yield wanted;
}

function* matches(
  patterns: Prefixes,
  symbols: readonly string[],
  sorted: Int32Array,
  awaited: ReadonlySet<number>,
  within: (prefix: string) => readonly string[],
): Generator<[row: number, prefix: string], void, void> {
  for (const row of awaited) yield [row, patterns.of(symbols[row]) as string];
  for (const prefix of patterns.list) {
    for (const narrower of within(prefix)) {
      const [from, to] = textRange(symbols, sorted, narrower);
      for (let index = from; index < to; index++) yield [sorted[index], prefix];
    }
  }
}

/** Wanted rows by the interval that can be granted: the longer of the one that was asked for and the client's own. */
export class WantedByInterval {
  readonly byInterval = new Map<number, Wanted>();
  readonly #grant: Grant;

  constructor(grant: Grant) {
    this.#grant = grant;
  }

  add(row: number, text: string, interval: number): void {
    const granted = Math.max(this.#grant.interval, interval);
    const rows = this.byInterval.get(granted);
    if (rows) rows.set(row, text);
    else this.byInterval.set(granted, new Map([[row, text]]));
  }
}

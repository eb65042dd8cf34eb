/** The symbols and patterns of a `/v1/ticks` query: each one once, without patterns that another pattern covers. */

import { isPattern, isSymbol } from "../../base/tick.ts";
import { Prefixes, prefixOf } from "../../market/prefixes.ts";

/** The most texts in a query. The largest head that uWebSockets.js accepts (4 KB) holds twice as many of one letter. */
const MOST_TEXTS = 1_024;
/** The most characters of a wrong text that the error repeats. */
const SHOWN_LENGTH = 64;

export interface SymbolQuery {
  /** Symbols and patterns, each in the order of its first occurrence. */
  readonly texts: readonly string[];
  /** Whether a pattern covers the symbol. */
  isCovered(symbol: string): boolean;
}

/**
 * Parses a comma-separated list of symbols and patterns.
 * @param most the limit on different texts
 * @returns the query, or what is wrong with it
 */
export function readSymbolQuery(list: string, most: number): SymbolQuery | { readonly error: string } {
  const named = new Set(list.split(","));
  named.delete("");
  if (named.size === 0) return { error: "symbols is missing: ?symbols=A,B" };
  for (const text of named)
    if (!isSymbol(text) && !isPattern(text)) return { error: `not a symbol: ${text.slice(0, SHOWN_LENGTH)}` };
  const limit = Math.min(most, MOST_TEXTS);
  if (named.size > limit) return { error: `more than ${limit} symbols` };
  const prefixes = new Prefixes(Array.from(named).filter(isPattern).map(prefixOf));
  return {
    texts: Array.from(named).filter((text) => !isPattern(text) || prefixes.of(prefixOf(text)) === prefixOf(text)),
    isCovered: (symbol) => prefixes.of(symbol) !== undefined,
  };
}

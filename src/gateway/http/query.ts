/** What a query of `/v1/ticks` names: each symbol and each pattern once, and no pattern that another one covers. */

import { isPattern, isSymbol } from "../../base/tick.ts";
import { Prefixes, prefixOf } from "../../market/prefixes.ts";

/** Texts in a query. What uWebSockets.js accepts as a request's head (4 KB) holds about twice as many of one letter. */
const MOST_TEXTS = 1_024;
/** How much of a wrong text is sent back. */
const SHOWN_LENGTH = 64;

export interface SymbolQuery {
  /** Symbols and patterns in the order in which they were first named. */
  readonly texts: readonly string[];
  /** Whether a pattern covers the symbol. */
  isCovered(symbol: string): boolean;
}

/**
 * Reads a list of symbols and patterns with commas between.
 * @param most how many different texts there may be
 * @returns what was named, or what is wrong with it
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

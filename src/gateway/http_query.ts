/** What a query of `/v1/ticks` names: each symbol and each pattern once, and no pattern that another one covers. */
import { isPattern, isSymbol } from "../tick.ts";

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
  const prefixes = widest(Array.from(named).filter(isPattern));
  return {
    texts: Array.from(named).filter((text) => !isPattern(text) || prefixes.has(text.slice(0, -1))),
    isCovered(symbol) {
      if (prefixes.size === 0) return false;
      for (let length = 0; length <= symbol.length; length++) if (prefixes.has(symbol.slice(0, length))) return true;
      return false;
    },
  };
}

/** The prefixes of patterns, without those that begin with another one of them. */
function widest(patterns: readonly string[]): ReadonlySet<string> {
  const kept = new Set<string>();
  let last: string | undefined;
  // In order, a prefix stands before all that begin with it.
  for (const prefix of patterns.map((pattern) => pattern.slice(0, -1)).sort()) {
    if (last !== undefined && prefix.startsWith(last)) continue;
    kept.add(prefix);
    last = prefix;
  }
  return kept;
}

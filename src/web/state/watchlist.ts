/**
 * The watchlist: symbols and patterns in the order of the user. A pattern is a group of rows that grows with the
 * market. A list is immutable: each change makes a new one, so that it can be undone.
 */
import { isPattern, isSymbol } from "../../base/tick.ts";

/** A symbol, or a pattern (`SIM:*`) with its settings. */
export interface Entry {
  readonly text: string;
  /** For a pattern: the symbols that are excluded from it. */
  readonly without: readonly string[];
  /** For a pattern: whether its rows are folded. */
  readonly isFolded: boolean;
}

export type Watchlist = readonly Entry[];

/** The most entries: a longer list is not readable. Patterns may have many more rows. */
export const MOST_ENTRIES = 1_000;
/** The most symbols excluded from one pattern. */
export const MOST_WITHOUT = 1_000;

export function entryOf(text: string): Entry {
  return { text, without: [], isFolded: false };
}

/** Whether a pattern matches a symbol, without regard to exclusions. */
export function matches(pattern: string, symbol: string): boolean {
  return symbol.startsWith(pattern.slice(0, -1));
}

/** Whether a text can be on a list. */
export function isWatchable(text: string): boolean {
  return isSymbol(text) || isPattern(text);
}

/** The entry that shows a symbol: its own, or else the first pattern that includes it. */
export function ownerOf(list: Watchlist, symbol: string): Entry | undefined {
  return (
    list.find((entry) => entry.text === symbol) ??
    list.find(({ text, without }) => isPattern(text) && matches(text, symbol) && !without.includes(symbol))
  );
}

/**
 * Adds symbols and patterns at the end. A symbol that is already shown keeps its position; one that was excluded from a
 * pattern is included again.
 */
export function add(list: Watchlist, texts: readonly string[]): Watchlist {
  let now = list;
  for (const text of texts) {
    if (!isWatchable(text) || now.some((entry) => entry.text === text)) continue;
    if (isSymbol(text)) {
      if (ownerOf(now, text)) continue;
      const excluding = now.find((entry) => entry.without.includes(text));
      if (excluding) {
        const without = excluding.without.filter((symbol) => symbol !== text);
        now = now.map((entry) => (entry === excluding ? { ...entry, without } : entry));
        continue;
      }
    }
    if (now.length >= MOST_ENTRIES) break;
    now = [...now, entryOf(text)];
  }
  return now;
}

/** Removes an entry; a symbol that a pattern shows is excluded from it. */
export function remove(list: Watchlist, text: string): Watchlist {
  if (list.some((entry) => entry.text === text)) return list.filter((entry) => entry.text !== text);
  return isSymbol(text) ? exclude(list, text) : list;
}

/** Excludes a symbol from every pattern that matches it. */
function exclude(list: Watchlist, symbol: string): Watchlist {
  return list.map((entry) =>
    isPattern(entry.text) && matches(entry.text, symbol) && entry.without.length < MOST_WITHOUT
      ? { ...entry, without: [...entry.without, symbol] }
      : entry,
  );
}

/** Folds or unfolds the rows of a pattern. */
export function fold(list: Watchlist, pattern: string, isFolded: boolean): Watchlist {
  return list.map((entry) => (entry.text === pattern ? { ...entry, isFolded } : entry));
}

/**
 * Moves an entry before another one, or to the end (undefined). A symbol that a pattern shows becomes an entry of its
 * own, because the rows of a pattern are always sorted by name.
 */
export function move(list: Watchlist, text: string, before: string | undefined): Watchlist {
  if (text === before) return list;
  const moved = list.find((entry) => entry.text === text) ?? (ownerOf(list, text) ? entryOf(text) : undefined);
  if (!moved) return list;
  const others = list.filter((entry) => entry !== moved);
  if (others.length >= MOST_ENTRIES) return list;
  const index = before === undefined ? -1 : others.findIndex((entry) => entry.text === before);
  return index < 0 ? [...others, moved] : [...others.slice(0, index), moved, ...others.slice(index)];
}

/** Moves an entry one position up or down; a row of a pattern moves before or after the pattern. */
export function step(list: Watchlist, text: string, direction: -1 | 1): Watchlist {
  const index = list.findIndex((entry) => entry.text === text);
  if (index < 0) {
    const owner = ownerOf(list, text);
    if (!owner) return list;
    const next = list[list.indexOf(owner) + 1];
    return move(list, text, direction < 0 ? owner.text : next?.text);
  }
  const target = index + direction;
  if (target < 0 || target >= list.length) return list;
  return move(list, text, direction < 0 ? list[target].text : list[target + 1]?.text);
}

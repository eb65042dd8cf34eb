/**
 * What is watched: symbols and patterns in the order that the user gave them. A pattern is a group of rows that grows
 * with the market. A list is a value: each change makes a new one, so that a change can be taken back.
 */
import { isPattern, isSymbol } from "../../base/tick.ts";

/** A symbol, or a pattern (`SIM:*`) with what is its own. */
export interface Entry {
  readonly text: string;
  /** Of a pattern: symbols that it matches and that are not wanted. */
  readonly without: readonly string[];
  /** Of a pattern: whether its rows are folded away. */
  readonly isFolded: boolean;
}

export type Watchlist = readonly Entry[];

/** Entries at most: more are no list that anyone goes through. Patterns may stand for many more rows. */
export const MOST_ENTRIES = 1_000;
/** Symbols left out of one pattern, at most. */
export const MOST_WITHOUT = 1_000;

export function entryOf(text: string): Entry {
  return { text, without: [], isFolded: false };
}

/** Whether a pattern stands for a symbol; what is left out of it is not asked. */
export function matches(pattern: string, symbol: string): boolean {
  return symbol.startsWith(pattern.slice(0, -1));
}

/** Whether a text can be on a list. */
export function isWatchable(text: string): boolean {
  return isSymbol(text) || isPattern(text);
}

/** The entry that shows a symbol: its own, else the first pattern that has it. */
export function ownerOf(list: Watchlist, symbol: string): Entry | undefined {
  return (
    list.find((entry) => entry.text === symbol) ??
    list.find(({ text, without }) => isPattern(text) && matches(text, symbol) && !without.includes(symbol))
  );
}

/**
 * Puts symbols and patterns at the end. What is shown already stays where it is; what was left out of a pattern is back
 * in it.
 */
export function add(list: Watchlist, texts: readonly string[]): Watchlist {
  let now = list;
  for (const text of texts) {
    if (!isWatchable(text) || now.some((entry) => entry.text === text)) continue;
    if (isSymbol(text)) {
      if (ownerOf(now, text)) continue;
      const leaver = now.find((entry) => entry.without.includes(text));
      if (leaver) {
        const without = leaver.without.filter((symbol) => symbol !== text);
        now = now.map((entry) => (entry === leaver ? { ...entry, without } : entry));
        continue;
      }
    }
    if (now.length >= MOST_ENTRIES) break;
    now = [...now, entryOf(text)];
  }
  return now;
}

/** Takes an entry away; a symbol that is shown by a pattern is left out of it. */
export function remove(list: Watchlist, text: string): Watchlist {
  if (list.some((entry) => entry.text === text)) return list.filter((entry) => entry.text !== text);
  return isSymbol(text) ? leaveOut(list, text) : list;
}

/** Leaves a symbol out of every pattern that has it. */
function leaveOut(list: Watchlist, symbol: string): Watchlist {
  return list.map((entry) =>
    isPattern(entry.text) && matches(entry.text, symbol) && entry.without.length < MOST_WITHOUT
      ? { ...entry, without: [...entry.without, symbol] }
      : entry,
  );
}

/** Folds a pattern's rows away, or shows them again. */
export function fold(list: Watchlist, pattern: string, isFolded: boolean): Watchlist {
  return list.map((entry) => (entry.text === pattern ? { ...entry, isFolded } : entry));
}

/**
 * Puts an entry before another one, or at the end (undefined). A symbol that a pattern shows becomes an entry of its own
 * by it: a pattern's rows have an order of their own, so it stands before or behind all of them.
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

/** Moves an entry one place up or down; a row of a pattern goes before or behind the pattern. */
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

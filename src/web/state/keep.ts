/**
 * What the browser stores from one visit to the next: the list and the preferences; and the link to a list. Stored
 * values may be from another version or written by hand, so they are checked like any input.
 */
import { isPattern, isSymbol } from "../../base/tick.ts";
import { add, type Entry, isWatchable, MOST_ENTRIES, MOST_WITHOUT, type Watchlist } from "./watchlist.ts";

/** The used part of localStorage. */
export interface Store {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

export const LIST_KEY = "tickgate.watchlist";
export const PREFERENCES_KEY = "tickgate.view";
const VERSION = 1;

/** The intervals that can be chosen, ms. */
export const INTERVALS = [0, 100, 250, 1_000, 5_000] as const;
export const THEMES = ["auto", "dark", "light"] as const;
export type Theme = (typeof THEMES)[number];

/** What rows can be sorted by. */
export const SORT_KEYS = ["symbol", "last", "change", "percent", "bid", "ask", "volume", "time"] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface Sort {
  readonly key: SortKey;
  readonly isDescending: boolean;
}

/** How the list is shown. */
export interface Preferences {
  readonly interval: number;
  readonly theme: Theme;
  /** Undefined: the order of the list. */
  readonly sort: Sort | undefined;
}

export const FIRST_PREFERENCES: Preferences = { interval: 250, theme: "auto", sort: undefined };

/** @returns undefined if nothing valid is stored */
export function readList(store: Store | undefined): Watchlist | undefined {
  const kept = readJson(store, LIST_KEY);
  if (!Array.isArray(kept?.entries)) return undefined;
  const entries = new Map<string, Entry>();
  for (const item of kept.entries.slice(0, MOST_ENTRIES) as unknown[]) {
    const entry = readEntry(item);
    if (entry) entries.set(entry.text, entry);
  }
  return [...entries.values()];
}

/** @returns whether it was stored */
export function writeList(store: Store | undefined, list: Watchlist): boolean {
  return writeJson(store, LIST_KEY, { version: VERSION, entries: list });
}

export function readPreferences(store: Store | undefined): Preferences {
  const kept = readJson(store, PREFERENCES_KEY);
  const { interval, theme, sort } = kept ?? {};
  return {
    interval: INTERVALS.find((known) => known === interval) ?? FIRST_PREFERENCES.interval,
    theme: THEMES.find((known) => known === theme) ?? FIRST_PREFERENCES.theme,
    sort: readSort(sort),
  };
}

export function writePreferences(store: Store | undefined, view: Preferences): void {
  writeJson(store, PREFERENCES_KEY, { version: VERSION, ...view });
}

/** The list of a link, `#symbols=A,SIM:*`; undefined when it names none. */
export function readLink(hash: string): Watchlist | undefined {
  const texts = new URLSearchParams(hash.replace(/^#/, "")).get("symbols")?.split(",") ?? [];
  const list = add([], texts.map((text) => text.trim()).slice(0, MOST_ENTRIES));
  return list.length > 0 ? list : undefined;
}

/** The hash of a link to a list, without the exclusions of patterns. */
export function linkOf(list: Watchlist): string {
  const texts = list.map(({ text }) => encodeURIComponent(text).replaceAll("%3A", ":"));
  return `#symbols=${texts.join(",")}`;
}

function readEntry(item: unknown): Entry | undefined {
  const { text, without, isFolded } = (item ?? {}) as { [K in keyof Entry]?: unknown };
  if (typeof text !== "string" || !isWatchable(text)) return undefined;
  const left = isPattern(text) && Array.isArray(without) ? without.slice(0, MOST_WITHOUT) : [];
  return {
    text,
    without: left.filter((symbol): symbol is string => typeof symbol === "string" && isSymbol(symbol)),
    isFolded: isPattern(text) && isFolded === true,
  };
}

function readSort(sort: unknown): Sort | undefined {
  const { key, isDescending } = (sort ?? {}) as { [K in keyof Sort]?: unknown };
  const known = SORT_KEYS.find((name) => name === key);
  return known && { key: known, isDescending: isDescending === true };
}

/** A store that throws (full, or forbidden by the browser's settings) counts as none: the page works without one. */
function readJson(store: Store | undefined, key: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(store?.getItem(key) ?? "null");
    const isOurs = typeof value === "object" && value !== null && (value as { version?: unknown }).version === VERSION;
    return isOurs ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function writeJson(store: Store | undefined, key: string, value: object): boolean {
  try {
    store?.setItem(key, JSON.stringify(value));
    return store !== undefined;
  } catch {
    return false;
  }
}

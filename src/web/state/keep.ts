/**
 * What the browser keeps of the page from one visit to the next, and the link that shows a list to somebody else. What
 * is read was written by another version, or by hand: it is checked like a stranger's.
 */
import { isPattern, isSymbol } from "../../base/tick.ts";
import { add, type Entry, isWatchable, MOST_ENTRIES, MOST_WITHOUT, type Watchlist } from "./watchlist.ts";

/** What a browser has for this: its localStorage, where it lets us. */
export interface Store {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

export const LIST_KEY = "tickgate.watchlist";
export const VIEW_KEY = "tickgate.view";
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

/** How the list is looked at. */
export interface View {
  readonly interval: number;
  readonly theme: Theme;
  /** Undefined: in the order of the list. */
  readonly sort: Sort | undefined;
}

export const FIRST_VIEW: View = { interval: 250, theme: "auto", sort: undefined };

/** @returns undefined when nothing is kept, or nothing that can be read */
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

/** @returns whether it is kept */
export function writeList(store: Store | undefined, list: Watchlist): boolean {
  return writeJson(store, LIST_KEY, { version: VERSION, entries: list });
}

export function readView(store: Store | undefined): View {
  const kept = readJson(store, VIEW_KEY);
  const { interval, theme, sort } = kept ?? {};
  return {
    interval: INTERVALS.find((known) => known === interval) ?? FIRST_VIEW.interval,
    theme: THEMES.find((known) => known === theme) ?? FIRST_VIEW.theme,
    sort: readSort(sort),
  };
}

export function writeView(store: Store | undefined, view: View): void {
  writeJson(store, VIEW_KEY, { version: VERSION, ...view });
}

/** The list of a link, `#symbols=A,SIM:*`; undefined when it names none. */
export function readLink(hash: string): Watchlist | undefined {
  const texts = new URLSearchParams(hash.replace(/^#/, "")).get("symbols")?.split(",") ?? [];
  const list = add([], texts.map((text) => text.trim().toUpperCase()).slice(0, MOST_ENTRIES));
  return list.length > 0 ? list : undefined;
}

/** What a link to a list ends with. What is left out of patterns is not in it. */
export function linkOf(list: Watchlist): string {
  return `#symbols=${list.map((entry) => entry.text).join(",")}`;
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

/** A store that throws (full, or forbidden by the browser's settings) is as good as none: the page works without. */
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

/** The rows of the grid: the list with its patterns expanded, in the order of the list or sorted, and filtered. */
import { isPattern } from "../../base/tick.ts";
import type { Instrument } from "./instrument.ts";
import type { Sort, SortKey } from "./keep.ts";
import { matches, type Watchlist } from "./watchlist.ts";

/** The head of a pattern's rows. */
export interface GroupRow {
  readonly kind: "group";
  readonly pattern: string;
  /** The number of its symbols, folded or not. */
  readonly count: number;
  readonly isFolded: boolean;
}

export interface SymbolRow {
  readonly kind: "symbol";
  readonly symbol: string;
  /** The pattern that it belongs to; undefined if it is an entry of the list itself. */
  readonly pattern: string | undefined;
}

export type Row = GroupRow | SymbolRow;

/** The key of a row, which stays the same when the order changes. */
export function keyOf(row: Row): string {
  return row.kind === "group" ? row.pattern : row.symbol;
}

/**
 * Expands a list to rows.
 * @param known the symbols that match the patterns, in any order
 * @param filter what a symbol must contain, in capitals; empty for all. Groups without a match are left out
 */
export function expand(list: Watchlist, known: Iterable<string>, filter = ""): Row[] {
  const named = new Set(list.map((entry) => entry.text));
  const patterns = list.filter((entry) => isPattern(entry.text));
  const members = new Map<string, string[]>(patterns.map((entry) => [entry.text, []]));
  const left = new Map(patterns.map((entry) => [entry.text, new Set(entry.without)]));
  for (const symbol of known) {
    if (named.has(symbol)) continue;
    const owner = patterns.find(({ text }) => matches(text, symbol) && !left.get(text)?.has(symbol));
    if (owner) members.get(owner.text)?.push(symbol);
  }
  const rows: Row[] = [];
  for (const { text, isFolded } of list) {
    const symbols = members.get(text);
    if (!symbols) {
      if (text.toUpperCase().includes(filter)) rows.push({ kind: "symbol", symbol: text, pattern: undefined });
      continue;
    }
    const wanted =
      filter === "" ? symbols.sort() : symbols.filter((symbol) => symbol.toUpperCase().includes(filter)).sort();
    if (wanted.length === 0 && filter !== "") continue;
    rows.push({ kind: "group", pattern: text, count: wanted.length, isFolded });
    if (!isFolded || filter !== "") for (const symbol of wanted) rows.push({ kind: "symbol", symbol, pattern: text });
  }
  return rows;
}

/** All rows of symbols, sorted, without groups. Rows without a value are last in both directions. */
export function sortRows(
  rows: readonly Row[],
  { key, isDescending }: Sort,
  instrumentOf: (symbol: string) => Instrument | undefined,
): Row[] {
  const symbols = rows.filter((row): row is SymbolRow => row.kind === "symbol");
  const sign = isDescending ? -1 : 1;
  if (key === "symbol") return symbols.toSorted((a, b) => sign * compareTexts(a.symbol, b.symbol));
  // Each value is read once, not for each comparison.
  const values = symbols.map((row) => ({ row, value: sortValue(instrumentOf(row.symbol), key) }));
  values.sort((a, b) => {
    if (a.value === null || b.value === null) {
      if (a.value !== b.value) return a.value === null ? 1 : -1;
    } else if (a.value !== b.value) return sign * (a.value - b.value);
    return compareTexts(a.row.symbol, b.row.symbol);
  });
  return values.map(({ row }) => row);
}

function sortValue(instrument: Instrument | undefined, key: Exclude<SortKey, "symbol">): number | null {
  const quote = instrument?.quote;
  if (!instrument || !quote) return null;
  switch (key) {
    case "last":
      return instrument.price;
    case "change":
      return instrument.change;
    case "percent":
      return instrument.share;
    case "time":
      return quote.eventTime || null;
    default:
      return quote[key];
  }
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The columns of the grid in their order, and which of them fit into a width. */
import type { SortKey } from "../state/keep.ts";

export type ColumnId = "symbol" | "trend" | "last" | "change" | "percent" | "bid" | "ask" | "range" | "volume" | "time";

export interface Column {
  readonly id: ColumnId;
  readonly title: string;
  /** What the title does not say. */
  readonly hint?: string;
  readonly sort?: SortKey;
  /** How wide the grid must be for it to be there, CSS pixels. */
  readonly from: number;
  /** How wide it is at least, CSS pixels, and its part of what is left over. */
  readonly width: number;
  readonly grows: number;
}

const OPEN = "Since the open";

export const COLUMNS: readonly Column[] = [
  { id: "symbol", title: "Symbol", sort: "symbol", from: 0, width: 196, grows: 2 },
  { id: "trend", title: "Trend", hint: "Since this page first saw it", from: 0, width: 112, grows: 0 },
  { id: "last", title: "Last", sort: "last", from: 0, width: 108, grows: 1 },
  { id: "change", title: "Change", hint: OPEN, sort: "change", from: 640, width: 88, grows: 1 },
  { id: "percent", title: "Change %", hint: OPEN, sort: "percent", from: 0, width: 94, grows: 1 },
  { id: "bid", title: "Bid", sort: "bid", from: 798, width: 100, grows: 1 },
  { id: "ask", title: "Ask", sort: "ask", from: 798, width: 100, grows: 1 },
  { id: "range", title: "Low – high", hint: "The mark is the price", from: 1_240, width: 220, grows: 1 },
  { id: "volume", title: "Volume", sort: "volume", from: 930, width: 84, grows: 0.7 },
  { id: "time", title: "Updated", hint: "Time of the latest tick", sort: "time", from: 1_010, width: 90, grows: 0.7 },
];

/** Narrower than this a row has two lines, and these columns. CSS pixels. */
export const PHONE_WIDTH = 560;
const PHONE: readonly ColumnId[] = ["symbol", "trend", "last", "percent"];

/** The columns that there is room for. @param width of the grid, CSS pixels */
export function columnsFor(width: number): readonly Column[] {
  return COLUMNS.filter(({ id, from }) => (width < PHONE_WIDTH ? PHONE.includes(id) : from <= width));
}

/** Where a column is, CSS pixels. */
export interface Span {
  readonly id: ColumnId;
  readonly left: number;
  readonly width: number;
}

/** Places columns side by side in a width: what they do not need is shared out. */
export function place(columns: readonly Column[], width: number): Span[] {
  const needed = columns.reduce((sum, column) => sum + column.width, 0);
  const parts = columns.reduce((sum, column) => sum + column.grows, 0);
  const rest = Math.max(0, width - needed);
  let left = 0;
  return columns.map(({ id, width: own, grows }) => {
    const span = { id, left, width: own + (parts > 0 ? Math.floor((rest * grows) / parts) : 0) };
    left += span.width;
    return span;
  });
}

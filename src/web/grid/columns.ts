/** The columns of the grid in their order, and which of them fit into a width. */
import type { SortKey } from "../state/keep.ts";

export type ColumnId = "symbol" | "trend" | "last" | "change" | "percent" | "bid" | "ask" | "range" | "volume" | "time";

export interface Column {
  readonly id: ColumnId;
  readonly title: string;
  /** A longer explanation than the title, as a tooltip. */
  readonly hint?: string;
  readonly sort?: SortKey;
  /** The smallest width of the grid at which it is shown, CSS pixels. */
  readonly from: number;
  /** Its smallest width, CSS pixels, and its part of the width that is left over. */
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

/** Below this width of the grid a row has two lines, and only these columns. CSS pixels. */
export const PHONE_WIDTH = 560;
const PHONE: readonly ColumnId[] = ["symbol", "trend", "last", "percent"];

/** The columns that fit. @param width of the grid, CSS pixels */
export function columnsFor(width: number): readonly Column[] {
  return COLUMNS.filter(({ id, from }) => (width < PHONE_WIDTH ? PHONE.includes(id) : from <= width));
}

/** The position and width of a column, CSS pixels. */
export interface Span {
  readonly id: ColumnId;
  readonly left: number;
  readonly width: number;
}

/** Positions columns side by side in a width. Width that they do not need is divided by their `grows`. */
export function layOut(columns: readonly Column[], width: number): Span[] {
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

/** The columns of the grid, in their order, which of them there is room for, and by what rows can be sorted. */

/** What rows are sorted by. */
export const SORT_KEYS = ["symbol", "last", "change", "percent", "bid", "ask", "volume", "time"] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export type ColumnId = "symbol" | "trend" | "last" | "change" | "percent" | "bid" | "ask" | "range" | "volume" | "time";

export interface Column {
  readonly id: ColumnId;
  readonly title: string;
  /** What the title does not say. */
  readonly hint?: string;
  readonly sort?: SortKey;
  /** How wide the grid must be for it to be there, CSS pixels. */
  readonly from: number;
  /** Its width, as CSS has it for a grid's track. */
  readonly track: string;
}

const OPEN = "Since the open";

export const COLUMNS: readonly Column[] = [
  { id: "symbol", title: "Symbol", sort: "symbol", from: 0, track: "minmax(190px, 1.6fr)" },
  { id: "trend", title: "Trend", hint: "Since this page first saw it", from: 0, track: "112px" },
  { id: "last", title: "Last", sort: "last", from: 0, track: "minmax(112px, 1fr)" },
  { id: "change", title: "Change", hint: OPEN, sort: "change", from: 640, track: "minmax(88px, 0.8fr)" },
  { id: "percent", title: "Change %", hint: OPEN, sort: "percent", from: 0, track: "minmax(96px, 0.8fr)" },
  { id: "bid", title: "Bid", sort: "bid", from: 740, track: "minmax(100px, 1fr)" },
  { id: "ask", title: "Ask", sort: "ask", from: 740, track: "minmax(100px, 1fr)" },
  { id: "range", title: "Low – high", hint: "The mark is the price", from: 1_080, track: "minmax(210px, 1.5fr)" },
  { id: "volume", title: "Volume", sort: "volume", from: 860, track: "minmax(84px, 0.7fr)" },
  {
    id: "time",
    title: "Updated",
    hint: "Time of the latest tick",
    sort: "time",
    from: 960,
    track: "minmax(96px, 0.7fr)",
  },
];

/** Narrower than this a row has two lines, and these columns. CSS pixels. */
export const PHONE_WIDTH = 560;
const PHONE: readonly ColumnId[] = ["symbol", "trend", "last", "percent"];

/** The columns that there is room for. @param width of the grid, CSS pixels */
export function columnsFor(width: number): readonly Column[] {
  return COLUMNS.filter(({ id, from }) => (width < PHONE_WIDTH ? PHONE.includes(id) : from <= width));
}

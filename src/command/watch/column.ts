/** The columns of the live table. */
import type { Quote } from "../../client/client.ts";
import { age, changePercent, count, decimalsOf, price, size } from "./number.ts";

/** A symbol in the table, and the state of its row. */
export interface Row {
  readonly quote: Quote;
  /** The most decimals of its prices so far, so that they stay aligned. */
  decimals: number;
  last: number | null;
  /** The last move of `last`: 1 up, -1 down, 0 for none yet. */
  move: number;
  /** The time of that move, microseconds since the Unix epoch. */
  movedAt: number;
  /** Recent ticks, with decay. */
  activity: number;
  /** Ticks that the activity includes already. */
  counted: number;
}

export interface Column {
  readonly title: string;
  /** When there is no room, the column with the highest number is left out first; 0 never. */
  readonly rank: number;
  readonly left?: boolean;
  /** @param now microseconds since the Unix epoch */
  text(row: Row, now: number): string;
}

/** How long a move is coloured, microseconds. */
export const MOVE_SHOWN = 1_000_000;

const STATE_WORDS: { readonly [S in Quote["state"]]: string } = {
  live: "live",
  stale: "STALE",
  closed: "CLOSED",
  unknown: "waiting",
};

export const COLUMNS: readonly Column[] = [
  { title: "symbol", rank: 0, left: true, text: ({ quote }) => quote.symbol },
  { title: "last", rank: 1, text: (row) => price(row.quote.get("last"), row.decimals) },
  { title: "bid × size", rank: 4, text: (row) => side(row, row.quote.get("bid"), row.quote.get("bidSize")) },
  { title: "ask × size", rank: 5, text: (row) => side(row, row.quote.get("ask"), row.quote.get("askSize")) },
  { title: "change", rank: 3, text: ({ quote }) => changePercent(quote.get("last"), quote.get("open")) },
  { title: "age", rank: 6, text: ({ quote }, now) => (quote.seq === 0 ? "-" : age(now - quote.eventTime)) },
  { title: "seq", rank: 7, text: ({ quote }) => (quote.seq === 0 ? "-" : String(quote.seq)) },
  { title: "conflated", rank: 8, text: ({ quote }) => count(quote.conflated) },
  { title: "state", rank: 2, left: true, text: ({ quote }) => stateWord(quote) },
];

function stateWord({ state, delay }: Quote): string {
  return state === "live" && delay > 0 ? "late" : STATE_WORDS[state];
}

/** Updates the decimals of a row's prices, before its cells are written. */
export function learnDecimals(row: Row): void {
  for (const field of ["last", "bid", "ask"] as const) {
    const value = row.quote.get(field);
    if (value !== null) row.decimals = Math.max(row.decimals, decimalsOf(value));
  }
}

function side(row: Row, value: number | null, amount: number | null): string {
  return value === null ? "-" : `${price(value, row.decimals)} × ${size(amount).padStart(6)}`;
}

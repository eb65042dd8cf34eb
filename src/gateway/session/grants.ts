/** What one step of a subscribe or an unsubscribe has done, and why symbols are rejected. */
import type { Rejection } from "../../protocol/messages.ts";
import { type Grant, MAX_PATTERNS } from "./patterns.ts";

export type Refusal = Omit<Rejection, "symbol">;

/** What one step of a subscribe has done. */
export interface Granted {
  readonly grant: Grant;
  /** At most one tick of a symbol in so many ms: longer than the grant's where the client may not see more. */
  readonly interval: number;
  /** How many past ticks come first, where there are so many: of channels that keep each. */
  readonly last: number;
  readonly rows: number[];
  /** Of each row, how many there are. */
  readonly counts: number[];
  readonly rejected: Rejection[];
  /** What it cost, in symbols. */
  work: number;
}

/** What one step of an unsubscribe has done. */
export interface Ended {
  readonly symbols: string[];
  /** What it cost, in symbols. */
  work: number;
}

/** What one step of a review has done: the client's identity has changed. */
export interface Reviewed {
  /** Symbols that the client may not see any more. */
  readonly ended: readonly string[];
  /** Rows that have another interval, or replace the rows of another delay. */
  readonly granted: readonly Granted[];
  /** Those of them that replace other rows: their `seq` may be smaller. */
  readonly replaced: readonly number[];
}

/** The same answer whether the symbol exists or not. */
export const NOT_ENTITLED: Refusal = { code: "not_entitled", message: "not allowed for this client" };

export const NO_MEMORY: Refusal = {
  code: "too_many_symbols",
  message: "the gateway holds as many symbols as its memory can",
};

export const NO_PATTERNS: Refusal = {
  code: "too_many_symbols",
  message: `a connection may hold ${MAX_PATTERNS} patterns`,
};

export const NO_AWAITED: Refusal = {
  code: "too_many_symbols",
  message: "the gateway awaits as many unknown symbols as it may",
};

export function noRoom(maxSymbols: number): Refusal {
  return { code: "too_many_symbols", message: `a connection may hold ${maxSymbols} symbols` };
}

export function emptyGranted(grant: Grant, interval = grant.interval, last = 0): Granted {
  return { grant, interval, last, rows: [], counts: [], rejected: [], work: 0 };
}

/** What a past trade costs, in symbols: the 1,000 that there may be of one are 20. */
const PAST_WORK = 0.02;

/** What it costs to answer this, in symbols. */
export function workOf({ rows, counts, last }: Granted): number {
  return rows.length + (last > 0 ? counts.reduce((sum, count) => sum + count * PAST_WORK, 0) : 0);
}

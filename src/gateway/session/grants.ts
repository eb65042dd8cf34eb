/** What one step of a subscribe or an unsubscribe has done, and why symbols are rejected. */
import type { Rejection } from "../../protocol/messages.ts";
import { MAX_PATTERNS } from "./patterns.ts";

export type Refusal = Omit<Rejection, "symbol">;

/** What one step of a subscribe has done. */
export interface Granted {
  readonly rows: number[];
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

export function emptyGrant(): Granted {
  return { rows: [], rejected: [], work: 0 };
}

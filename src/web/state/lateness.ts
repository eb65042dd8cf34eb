/** How late the prices on the page are on purpose. */
import { delayText } from "./duration.ts";
import type { Instrument } from "./instrument.ts";

export interface Lateness {
  /** The longest delay of a symbol, ms; 0 if all are live. */
  readonly longest: number;
  /** Whether all symbols have this delay. */
  readonly isAll: boolean;
}

export const NOT_LATE: Lateness = { longest: 0, isAll: true };

export function latenessOf(instruments: Iterable<Instrument>): Lateness {
  let longest = 0;
  let shortest = Number.POSITIVE_INFINITY;
  for (const { quote } of instruments) {
    if (!quote) continue;
    longest = Math.max(longest, quote.delay);
    shortest = Math.min(shortest, quote.delay);
  }
  return longest > 0 ? { longest, isAll: shortest === longest } : NOT_LATE;
}

/** `Delayed 20 s`, `Some delayed up to 20 s`; empty if all are live. */
export function latenessText({ longest, isAll }: Lateness): string {
  if (longest === 0) return "";
  return isAll ? `Delayed ${delayText(longest)}` : `Some delayed up to ${delayText(longest)}`;
}

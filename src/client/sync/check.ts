/** Checks the arguments of the caller. */

import { FIELDS, type Field, fieldIndex, isPattern, isSymbol } from "../../base/tick.ts";
import { MAX_INTERVAL } from "../../protocol/messages.ts";
import type { Symbols } from "./subscription.ts";

/**
 * @param patterns whether patterns are allowed
 * @returns them as a list
 * @throws RangeError
 */
export function checkSymbols(symbols: Symbols, patterns: boolean): readonly string[] {
  const list = typeof symbols === "string" ? [symbols] : symbols;
  for (const text of list)
    if (typeof text !== "string" || !(isSymbol(text) || (patterns && isPattern(text))))
      throw new RangeError(`${JSON.stringify(text)} is no symbol${patterns ? " or pattern" : ""}`);
  return list;
}

/** @throws RangeError */
export function checkInterval(interval: number | undefined): void {
  if (interval !== undefined && !(interval >= 0 && interval <= MAX_INTERVAL))
    throw new RangeError(`an interval is from 0 to ${MAX_INTERVAL} ms, not ${interval}`);
}

/** @throws RangeError */
export function checkFields(fields: readonly Field[] = FIELDS): void {
  const wrong = fields.find((name, index) => fieldIndex(name) < 0 || fields.indexOf(name) < index);
  if (wrong !== undefined || fields.length === 0) throw new RangeError(`fields must be named, each once: ${fields}`);
}

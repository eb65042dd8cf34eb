/** Whether what a caller passes is what it should be: what is wrong is said at once. */
import { MAX_INTERVAL } from "../protocol/messages.ts";
import { type Field, fieldIndex, isPattern, isSymbol } from "../tick.ts";
import type { Symbols } from "./subscription.ts";

/**
 * @param patterns whether they may be patterns as well
 * @returns them as a list
 * @throws RangeError
 */
export function checkSymbols(symbols: Symbols, patterns: boolean): readonly string[] {
  const list = typeof symbols === "string" ? [symbols] : symbols;
  for (const text of list)
    if (typeof text !== "string" || !(isSymbol(text) || (patterns && isPattern(text))))
      throw new RangeError(
        `${JSON.stringify(text)} is not 1 to 64 of A-Z 0-9 . _ - :${patterns ? " (or a prefix and *)" : ""}`,
      );
  return list;
}

/** @throws RangeError */
export function checkInterval(interval: number | undefined): void {
  if (interval !== undefined && !(interval >= 0 && interval <= MAX_INTERVAL))
    throw new RangeError(`the interval must be from 0 to ${MAX_INTERVAL} ms, not ${interval}`);
}

/** @throws RangeError */
export function checkFields(fields: readonly Field[] | undefined): void {
  for (const name of fields ?? [])
    if (fieldIndex(name) < 0) throw new RangeError(`there is no field ${JSON.stringify(name)}`);
  if (fields && (fields.length === 0 || new Set(fields).size < fields.length))
    throw new RangeError("fields must be named, each once");
}

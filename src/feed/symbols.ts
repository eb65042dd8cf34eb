/** The symbols of a feed specification: `BTC-USD,ETH-USD`. */
import { UsageError } from "../settings/option.ts";

/** The most symbols that one feed may name. */
export const MOST_SYMBOLS = 10_000;

/**
 * Splits a venue's symbols at the commas.
 * @param pattern the form of the venue's symbols
 * @param example a symbol for the error message
 * @throws UsageError when there is no symbol, or one is empty, does not match the pattern or occurs twice
 */
export function symbolList(target: string, pattern: RegExp, example: string): string[] {
  if (target === "") throw new UsageError(`names no symbols; write them behind the colon, such as ${example}`);
  const symbols = target.split(",");
  if (symbols.length > MOST_SYMBOLS)
    throw new UsageError(`names ${symbols.length} symbols, and a feed may have ${MOST_SYMBOLS}`);
  const seen = new Set<string>();
  for (const symbol of symbols) {
    if (!pattern.test(symbol)) throw new UsageError(`${JSON.stringify(symbol)} is no symbol such as ${example}`);
    if (seen.has(symbol)) throw new UsageError(`names the symbol ${symbol} twice`);
    seen.add(symbol);
  }
  return symbols;
}

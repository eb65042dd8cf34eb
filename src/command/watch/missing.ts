/** What a watch waits for: symbols and patterns that it was asked for, and that the gateway has no tick of. */

import { isPattern } from "../../base/tick.ts";
import type { Quote } from "../../client/client.ts";
import { NOBODY_PUBLISHES } from "../../protocol/messages.ts";

/** A symbol or pattern without a tick. */
export interface Missing {
  readonly text: string;
  readonly why: string;
}

/** What is read of a client. */
export interface Quotes {
  readonly quotes: ReadonlyMap<string, Quote>;
}

/**
 * Those of the texts that have had no tick, with why.
 * @param refused symbols and patterns that were not granted: of these it has been said already
 */
export function missing({ quotes }: Quotes, texts: readonly string[], refused: ReadonlySet<string>): Missing[] {
  return texts
    .filter((text) => !refused.has(text))
    .flatMap((text) => {
      const why = isPattern(text) ? whyNoMatch(quotes, text) : whyNoTick(quotes.get(text), text);
      return why === undefined ? [] : [{ text, why }];
    });
}

function whyNoMatch(quotes: ReadonlyMap<string, Quote>, pattern: string): string | undefined {
  const prefix = pattern.slice(0, -1);
  for (const symbol of quotes.keys()) if (symbol.startsWith(prefix)) return undefined;
  return `no symbol matches ${pattern} yet`;
}

function whyNoTick(quote: Quote | undefined, symbol: string): string | undefined {
  if (quote && quote.seq > 0) return undefined;
  return quote?.reason === NOBODY_PUBLISHES ? noSuchSymbol(symbol) : `there is no tick of ${symbol} yet`;
}

export function noSuchSymbol(symbol: string): string {
  return `the gateway has no symbol ${symbol} yet`;
}

/** The requested symbols and patterns of a watch for which the gateway has no tick. */

import { isPattern } from "../../base/tick.ts";
import type { Quote } from "../../client/client.ts";
import { NOBODY_PUBLISHES } from "../../protocol/messages.ts";

/** A symbol or pattern without a tick. */
export interface Missing {
  readonly text: string;
  readonly why: string;
}

/** The part of a client that is read here. */
export interface Quotes {
  readonly quotes: ReadonlyMap<string, Quote>;
}

/**
 * The texts without a tick, each with the reason.
 * @param refused symbols and patterns that were not granted: they were reported already
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

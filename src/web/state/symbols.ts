/** The symbols of the gateway, loaded for the search box and cached for a short time. */
import { headersOf } from "./token.ts";

/** How long an answer is used, ms. */
const GOOD_FOR = 15_000;

let answer: { readonly symbols: Promise<readonly string[]>; readonly at: number } | undefined;

/**
 * All symbols that have had a tick and that the token allows, in order.
 * @throws Error when the request fails
 */
export function loadSymbols(token: string | undefined): Promise<readonly string[]> {
  if (answer && Date.now() - answer.at < GOOD_FOR) return answer.symbols;
  const symbols = ask(token);
  const own = { symbols, at: Date.now() };
  answer = own;
  symbols.catch(() => {
    if (answer === own) answer = undefined;
  });
  return symbols;
}

async function ask(token: string | undefined): Promise<readonly string[]> {
  const response = await fetch("/v1/symbols", { headers: headersOf(token) });
  if (!response.ok) throw new Error(`the gateway answers ${response.status}`);
  const { symbols } = (await response.json()) as { symbols: readonly string[] };
  return symbols;
}

/** The HTTP status of a small request with a token; 0 without an answer. */
export async function statusOf(token: string): Promise<number> {
  try {
    return (await fetch("/v1/symbols?prefix=-", { headers: headersOf(token) })).status;
  } catch {
    return 0;
  }
}

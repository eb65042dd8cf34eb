/** The symbols of the gateway, loaded for the search box and cached for a short time. */

/** How long an answer is used, ms. */
const GOOD_FOR = 15_000;

let answer: { readonly symbols: Promise<readonly string[]>; readonly at: number } | undefined;

/**
 * All symbols that have had a tick, in order.
 * @throws Error when the request fails
 */
export function loadSymbols(): Promise<readonly string[]> {
  if (answer && Date.now() - answer.at < GOOD_FOR) return answer.symbols;
  const symbols = ask();
  const own = { symbols, at: Date.now() };
  answer = own;
  symbols.catch(() => {
    if (answer === own) answer = undefined;
  });
  return symbols;
}

async function ask(): Promise<readonly string[]> {
  const response = await fetch("/v1/symbols");
  if (!response.ok) throw new Error(`the gateway answers ${response.status}`);
  const { symbols } = (await response.json()) as { symbols: readonly string[] };
  return symbols;
}

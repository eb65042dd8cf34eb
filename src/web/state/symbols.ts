/** The symbols that the gateway has, asked for when somebody looks for one, and kept for a while. */

/** How long an answer is good, ms. */
const GOOD_FOR = 15_000;

let answer: { readonly symbols: Promise<readonly string[]>; readonly at: number } | undefined;

/**
 * All symbols that have had a tick, in order.
 * @throws Error when the gateway does not answer with them
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

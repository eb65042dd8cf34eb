/** Suggestions for the search box: the symbols and patterns that an input may mean. */
import { isPattern, isSymbol } from "../../base/tick.ts";
import { matches } from "./watchlist.ts";

/** One thing that can be added. */
export interface Suggestion {
  /** What to add: one symbol or pattern, or many symbols. */
  readonly texts: readonly string[];
  readonly title: string;
  readonly hint: string;
}

/** The most suggestions shown. */
const MOST_SUGGESTIONS = 50;
/** The most patterns among the suggestions for a word. */
const MOST_PATTERNS = 3;
/** The most symbols that one suggestion adds. */
const MOST_AT_ONCE = 500;
const SEPARATORS = /[\s,;]+/;

/** The words of an input: a user may paste several symbols. */
export function wordsOf(input: string): string[] {
  return input.split(SEPARATORS).filter(Boolean);
}

/** A word as it is where such a symbol is known, in capitals otherwise: few symbols have small letters. */
function cased(word: string, symbols: readonly string[]): string {
  const isKnown = isPattern(word) ? symbols.some((symbol) => matches(word, symbol)) : symbols.includes(word);
  return isKnown ? word : word.toUpperCase();
}

/**
 * The suggestions for an input, the best first.
 * @param symbols all symbols of the gateway, in order
 */
export function suggest(input: string, symbols: readonly string[]): Suggestion[] {
  const words = wordsOf(input);
  if (words.length === 0) return [];
  if (words.length > 1) return several(words, new Set(symbols));
  const word = cased(words[0], symbols);
  return (word.includes("*") ? ofPattern(word, symbols) : ofText(word, symbols)).slice(0, MOST_SUGGESTIONS);
}

function several(typed: readonly string[], known: ReadonlySet<string>): Suggestion[] {
  const words = typed.map((word) => (known.has(word) ? word : word.toUpperCase()));
  const good = words.filter((word) => isSymbol(word) || isPattern(word));
  if (good.length === 0) return [];
  const texts = good.slice(0, MOST_AT_ONCE);
  const bad = words.find((word) => !good.includes(word));
  const hint = bad === undefined ? texts.slice(0, 4).join(", ") : `the others are no symbols: ${shortened(bad)}`;
  return [{ texts, title: amountOf(texts, words), hint }];
}

function ofPattern(word: string, symbols: readonly string[]): Suggestion[] {
  if (isPattern(word)) {
    const found = symbols.filter((symbol) => matches(word, symbol));
    const hint = `${found.length} ${found.length === 1 ? "symbol" : "symbols"} now, and every new one`;
    return [{ texts: [word], title: word, hint }, ...found.map(single)];
  }
  // The gateway's patterns end with a star. Other patterns are expanded to the symbols that they match now.
  const parts = word.split("*");
  const found = symbols.filter((symbol) => holds(symbol, parts));
  if (found.length === 0) return [];
  const texts = found.slice(0, MOST_AT_ONCE);
  return [
    { texts, title: `${amountOf(texts, found)} that match ${word}`, hint: "those there are now" },
    ...found.map(single),
  ];
}

/** How many of the matches are added: `All 7`, `500 of 812`. */
function amountOf(added: readonly string[], meant: readonly string[]): string {
  return added.length === meant.length ? `All ${meant.length}` : `${added.length} of ${meant.length}`;
}

function shortened(text: string): string {
  return text.length > 16 ? `${text.slice(0, 15)}…` : text;
}

/** Whether a symbol begins with the first part, ends with the last, and contains the others in between, in order. */
function holds(symbol: string, parts: readonly string[]): boolean {
  const last = parts.at(-1) as string;
  let from = parts[0].length;
  if (!symbol.startsWith(parts[0])) return false;
  for (const part of parts.slice(1, -1)) {
    const at = symbol.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return symbol.length - last.length >= from && symbol.endsWith(last);
}

function ofText(word: string, symbols: readonly string[]): Suggestion[] {
  const ranked: string[][] = [[], [], [], []];
  for (const symbol of symbols) {
    const at = symbol.toUpperCase().indexOf(word.toUpperCase());
    if (at < 0) continue;
    if (symbol === word) ranked[0].push(symbol);
    else if (at === 0) ranked[1].push(symbol);
    else if (symbol[at - 1] === ":") ranked[2].push(symbol);
    else ranked[3].push(symbol);
  }
  const found = ranked.flat();
  const suggestions = found.slice(0, MOST_SUGGESTIONS - MOST_PATTERNS).map(single);
  // After a venue's colon, or with many matches, the user probably wants them all.
  const patterns = [ranked[1], ranked[2]].flatMap((symbols) => patternsOf(symbols, word));
  suggestions.splice(word.endsWith(":") ? 0 : 1, 0, ...patterns.slice(0, MOST_PATTERNS));
  if (found.length === 0 && isSymbol(word))
    suggestions.push({ texts: [word], title: word, hint: "not known yet: shown as soon as it has a tick" });
  return suggestions;
}

/** A pattern for each venue with several symbols whose names begin with the word. */
function patternsOf(symbols: readonly string[], word: string): Suggestion[] {
  const counts = new Map<string, number>();
  for (const symbol of symbols) {
    const end = symbol.toUpperCase().indexOf(word.toUpperCase()) + word.length;
    const pattern = `${symbol.slice(0, end)}*`;
    counts.set(pattern, (counts.get(pattern) ?? 0) + 1);
  }
  return [...counts].flatMap(([pattern, count]) =>
    count > 1 && isPattern(pattern)
      ? [{ texts: [pattern], title: pattern, hint: `${count} symbols now, and every new one` }]
      : [],
  );
}

function single(symbol: string): Suggestion {
  return { texts: [symbol], title: symbol, hint: "" };
}

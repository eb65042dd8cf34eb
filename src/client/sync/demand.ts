/** What all claims together want: for each symbol and pattern the one set of terms that serves all. */
import { nearest, type Selection } from "./selection.ts";
import { merge, type Spec, UNWANTED } from "./spec.ts";

/** One that wants symbols. */
export interface DemandSource {
  readonly selection: Selection;
  /** How it wants a symbol; {@link UNWANTED} where it does not. */
  termsOf(symbol: string): Spec;
  /** How it wants symbols that begin so, and that it does not name. */
  termsUnder(prefix: string): Spec;
}

export class Demand<W extends DemandSource = DemandSource> {
  readonly #bySymbol = new Map<string, Set<W>>();
  readonly #patterned = new Set<W>();

  /** The symbols that somebody names. */
  get named(): Iterable<string> {
    return this.#bySymbol.keys();
  }

  /** Looks again what a wisher says of just this symbol. */
  look(wisher: W, symbol: string): void {
    const wishers = this.#bySymbol.get(symbol) ?? new Set();
    if (wisher.selection.names(symbol)) this.#bySymbol.set(symbol, wishers.add(wisher));
    else if (wishers.delete(wisher) && wishers.size === 0) this.#bySymbol.delete(symbol);
  }

  /** Looks again whether a wisher has patterns. */
  lookAtPatterns(wisher: W): void {
    if (wisher.selection.prefixes.size > 0) this.#patterned.add(wisher);
    else this.#patterned.delete(wisher);
  }

  /** All that cover a symbol. */
  of(symbol: string): W[] {
    const named = this.#bySymbol.get(symbol);
    const wishers = named ? new Set([...named, ...this.#patterned]) : this.#patterned;
    return [...wishers].filter((wisher) => wisher.selection.covers(symbol));
  }

  /** The terms that serve all who want the symbol; {@link UNWANTED} when nobody does. */
  termsOf(symbol: string): Spec {
    return this.of(symbol).reduce((terms, wisher) => merge(terms, wisher.termsOf(symbol)), UNWANTED);
  }

  /**
   * The prefixes to ask for, the wider before the narrower, and their terms: those of a symbol with that prefix that
   * nobody names. One that would be asked for as the next wider one is left out.
   */
  get patterns(): Map<string, Spec> {
    const prefixes = new Set<string>();
    for (const wisher of this.#patterned) for (const prefix of wisher.selection.prefixes.keys()) prefixes.add(prefix);
    const patterns = new Map<string, Spec>();
    for (const prefix of [...prefixes].sort((a, b) => a.length - b.length)) {
      let terms = UNWANTED;
      for (const wisher of this.#patterned) terms = merge(terms, wisher.termsUnder(prefix));
      const wider = nearest(patterns, prefix);
      if (terms !== (wider === undefined ? UNWANTED : patterns.get(wider))) patterns.set(prefix, terms);
    }
    return patterns;
  }
}

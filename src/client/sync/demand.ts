/** The demand of all subscriptions of a client together: for each symbol and pattern one spec that serves them all. */

import type { ChannelKind } from "../records/tick_record.ts";
import { nearest, type Selection } from "./selection.ts";
import { merge, type Spec, UNWANTED } from "./spec.ts";

/** A subscription, as a part of the demand. */
export interface DemandSource {
  readonly selection: Selection;
  /** The spec of a symbol; {@link UNWANTED} if it is not covered. */
  spec(symbol: string): Spec;
  /** The spec of symbols with this prefix that it does not name. */
  prefixSpec(prefix: string): Spec;
}

export class Demand<S extends DemandSource = DemandSource> {
  readonly kind: ChannelKind;
  readonly #bySymbol = new Map<string, Set<S>>();
  readonly #withPatterns = new Set<S>();

  constructor(kind: ChannelKind) {
    this.kind = kind;
  }

  /** The symbols that a source names. */
  get named(): Iterable<string> {
    return this.#bySymbol.keys();
  }

  /** Checks again whether a source names a symbol. */
  update(source: S, symbol: string): void {
    const sources = this.#bySymbol.get(symbol) ?? new Set();
    if (source.selection.names(symbol)) this.#bySymbol.set(symbol, sources.add(source));
    else if (sources.delete(source) && sources.size === 0) this.#bySymbol.delete(symbol);
  }

  /** Checks again whether a source has patterns. */
  updatePatterns(source: S): void {
    if (source.selection.prefixes.size > 0) this.#withPatterns.add(source);
    else this.#withPatterns.delete(source);
  }

  /** The sources that cover a symbol. */
  sources(symbol: string): S[] {
    const named = this.#bySymbol.get(symbol);
    const sources = named ? new Set([...named, ...this.#withPatterns]) : this.#withPatterns;
    return [...sources].filter((source) => source.selection.covers(symbol));
  }

  /** The spec of a symbol that serves all sources; {@link UNWANTED} if none covers it. */
  spec(symbol: string): Spec {
    return this.sources(symbol).reduce((spec, source) => merge(spec, source.spec(symbol), this.kind.merge), UNWANTED);
  }

  /**
   * The prefixes to ask for, wider ones before narrower ones, with the spec of a symbol under that prefix that no
   * source names. A prefix with the same spec as the next wider one is left out.
   */
  get patterns(): Map<string, Spec> {
    const prefixes = new Set<string>();
    for (const source of this.#withPatterns)
      for (const prefix of source.selection.prefixes.keys()) prefixes.add(prefix);
    const patterns = new Map<string, Spec>();
    for (const prefix of [...prefixes].sort((a, b) => a.length - b.length)) {
      let spec = UNWANTED;
      for (const source of this.#withPatterns) spec = merge(spec, source.prefixSpec(prefix), this.kind.merge);
      if (spec !== (nearest(patterns, prefix)?.[1] ?? UNWANTED)) patterns.set(prefix, spec);
    }
    return patterns;
  }
}

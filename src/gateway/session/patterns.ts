/**
 * The patterns of a connection, in the order of its commands. The last rule that matches a symbol decides. An
 * unsubscribe under a wider pattern is a rule as well: an exception.
 */
import type { Field } from "../../base/tick.ts";

/** What a subscribe was granted. */
export interface Grant {
  readonly interval: number;
  /** What of a row is sent: of a quote the positions of its fields, of a book its depth. */
  readonly selection: Uint8Array;
  /** The names of a quote's fields; none in other channels. */
  readonly fields: readonly Field[];
}

/** The most rules of a connection: each symbol that appears is looked up in them. */
export const MAX_PATTERNS = 256;

export interface PatternRule {
  /** A prefix when `exact` is false, else a symbol. */
  readonly text: string;
  readonly isExact: boolean;
  /** Undefined: not wanted. */
  readonly grant: Grant | undefined;
}

/** A rule that is no exception. */
export type WantedPattern = PatternRule & { readonly grant: Grant };

export class PatternSet {
  #rules: PatternRule[] = [];
  #wanted = 0;
  /** The index of {@link match}; made when it is needed after a change. */
  #lookup: Lookup | undefined;

  get size(): number {
    return this.#rules.length;
  }

  /** How many patterns are wanted. */
  get wanted(): number {
    return this.#wanted;
  }

  /**
   * Every symbol with this prefix is wanted; rules for narrower prefixes are removed.
   * @returns whether there was room for the rule
   */
  want(prefix: string, grant: Grant): boolean {
    const rules = this.#without(prefix, false);
    if (rules.length >= MAX_PATTERNS) return false;
    this.#set([...rules, { text: prefix, isExact: false, grant }]);
    return true;
  }

  /**
   * Symbols with this prefix, or the one symbol, are not wanted any more. Where there is no room for an exception, a
   * symbol that appears later under a wider pattern is granted.
   */
  unwant(text: string, exact: boolean): void {
    if (this.#rules.length === 0) return;
    const rules = this.#without(text, exact);
    const isUnderWider = rules.some((rule) => rule.grant && !rule.isExact && text.startsWith(rule.text));
    if (isUnderWider && rules.length < MAX_PATTERNS) rules.push({ text, isExact: exact, grant: undefined });
    this.#set(rules);
  }

  /** The rule by which the symbol is wanted, or undefined when it is not. */
  match(symbol: string): WantedPattern | undefined {
    this.#lookup ??= new Lookup(this.#rules);
    const rule = this.#rules[this.#lookup.lastMatch(symbol)];
    return rule && isWanting(rule) ? rule : undefined;
  }

  clear(): void {
    this.#set([]);
  }

  /** The rules without those that a new one replaces: those for the same symbols or for fewer. */
  #without(text: string, exact: boolean): PatternRule[] {
    const rules = this.#rules.filter((rule) =>
      exact ? !(rule.isExact && rule.text === text) : !rule.text.startsWith(text),
    );
    // Where nothing is wanted any more, no exceptions are needed.
    return rules.some((rule) => rule.grant) ? rules : [];
  }

  #set(rules: PatternRule[]): void {
    this.#rules = rules;
    this.#wanted = rules.filter((rule) => rule.grant).length;
    this.#lookup = undefined;
  }
}

/**
 * Finds the last rule that matches: one search for each length of a prefix, instead of one comparison for each rule.
 */
class Lookup {
  readonly #exact = new Map<string, number>();
  readonly #prefixes = new Map<string, number>();
  readonly #lengths: readonly number[];

  constructor(rules: readonly PatternRule[]) {
    for (const [index, { text, isExact: exact }] of rules.entries())
      (exact ? this.#exact : this.#prefixes).set(text, index);
    this.#lengths = [...new Set([...this.#prefixes.keys()].map((prefix) => prefix.length))];
  }

  /** The index of the last rule that matches, or -1. */
  lastMatch(symbol: string): number {
    let last = this.#exact.get(symbol) ?? -1;
    for (const length of this.#lengths)
      if (length <= symbol.length) last = Math.max(last, this.#prefixes.get(symbol.slice(0, length)) ?? -1);
    return last;
  }
}

function isWanting(rule: PatternRule): rule is WantedPattern {
  return rule.grant !== undefined;
}

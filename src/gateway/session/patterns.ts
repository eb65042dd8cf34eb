/**
 * What a connection wants of symbols that it has not named: patterns, in the order in which they were asked for. The
 * last that matches a symbol decides. An unsubscribe under a wider pattern is a rule as well, one that says no.
 */
import type { Field } from "../../base/tick.ts";

/** What a subscribe was granted. */
export interface Grant {
  readonly interval: number;
  readonly fields: readonly Field[];
  /** The positions of the fields in a whole tick. */
  readonly positions: Uint8Array;
}

/** The most rules of a connection: each symbol that appears is compared with all of them. */
export const MAX_PATTERNS = 256;

export interface PatternRule {
  /** A prefix when `exact` is false, else a symbol. */
  readonly text: string;
  readonly exact: boolean;
  /** Undefined: not wanted. */
  readonly grant: Grant | undefined;
}

/** A rule that says yes. */
export type WantedPattern = PatternRule & { readonly grant: Grant };

export class PatternSet {
  #rules: PatternRule[] = [];
  #patterns = 0;
  /** What {@link match} looks symbols up in; made when it is needed after a change. */
  #lookup: Lookup | undefined;

  get size(): number {
    return this.#rules.length;
  }

  /** How many patterns are wanted. */
  get patterns(): number {
    return this.#patterns;
  }

  /**
   * Every symbol with this prefix is wanted, whatever was said of it before.
   * @returns whether there was room for the rule
   */
  want(prefix: string, grant: Grant): boolean {
    const rules = this.#without(prefix, false);
    if (rules.length >= MAX_PATTERNS) return false;
    this.#set([...rules, { text: prefix, exact: false, grant }]);
    return true;
  }

  /**
   * Symbols with this prefix, or the one symbol, are not wanted any more. Where the rules are full, a symbol that is
   * still to come under a wider pattern will come.
   */
  unwant(text: string, exact: boolean): void {
    if (this.#rules.length === 0) return;
    const rules = this.#without(text, exact);
    const isUnderWider = rules.some((rule) => rule.grant && !rule.exact && text.startsWith(rule.text));
    if (isUnderWider && rules.length < MAX_PATTERNS) rules.push({ text, exact, grant: undefined });
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

  /** The rules but for those that a new one makes void: those of the same symbols or of fewer. */
  #without(text: string, exact: boolean): PatternRule[] {
    const rules = this.#rules.filter((rule) =>
      exact ? !(rule.exact && rule.text === text) : !rule.text.startsWith(text),
    );
    // Where nothing is wanted any more, there is nothing to say no to.
    return rules.some((rule) => rule.grant) ? rules : [];
  }

  #set(rules: PatternRule[]): void {
    this.#rules = rules;
    this.#patterns = rules.filter((rule) => rule.grant).length;
    this.#lookup = undefined;
  }
}

/** Finds the last rule that matches: one look-up for each length that a prefix has, instead of one comparison for each rule. */
class Lookup {
  readonly #exact = new Map<string, number>();
  readonly #prefixes = new Map<string, number>();
  readonly #lengths: readonly number[];

  constructor(rules: readonly PatternRule[]) {
    for (const [index, { text, exact }] of rules.entries()) (exact ? this.#exact : this.#prefixes).set(text, index);
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

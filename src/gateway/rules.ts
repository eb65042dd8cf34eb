/**
 * What a connection wants of symbols that it has not named: patterns, in the order in which they were asked for. The
 * last that matches a symbol decides. An unsubscribe under a wider pattern is a rule as well, one that says no.
 */
import type { Field } from "../tick.ts";

/** What a subscribe was granted. */
export interface Grant {
  readonly interval: number;
  readonly fields: readonly Field[];
  /** The positions of the fields in a whole tick. */
  readonly positions: Uint8Array;
}

/** The most rules of a connection: each symbol that appears is compared with all of them. */
export const MAX_RULES = 256;

export interface Rule {
  /** A prefix when `exact` is false, else a symbol. */
  readonly text: string;
  readonly exact: boolean;
  /** Undefined: not wanted. */
  readonly grant: Grant | undefined;
}

/** A rule that says yes. */
export type WantingRule = Rule & { readonly grant: Grant };

export class Rules {
  #rules: Rule[] = [];

  get size(): number {
    return this.#rules.length;
  }

  /** How many patterns are wanted. */
  get patterns(): number {
    return this.#rules.filter((rule) => rule.grant).length;
  }

  /**
   * Every symbol with this prefix is wanted, whatever was said of it before.
   * @returns whether there was room for the rule
   */
  want(prefix: string, grant: Grant): boolean {
    this.#forget(prefix, false);
    if (this.#full) return false;
    this.#rules.push({ text: prefix, exact: false, grant });
    return true;
  }

  /**
   * Symbols with this prefix, or the one symbol, are not wanted any more. Where the rules are full, a symbol that is
   * still to come under a wider pattern will come.
   */
  unwant(text: string, exact: boolean): void {
    this.#forget(text, exact);
    const wider = this.#rules.some((rule) => rule.grant && !rule.exact && text.startsWith(rule.text));
    if (wider && !this.#full) this.#rules.push({ text, exact, grant: undefined });
  }

  /** The rule by which the symbol is wanted, or undefined when it is not. */
  match(symbol: string): WantingRule | undefined {
    for (let index = this.#rules.length - 1; index >= 0; index--) {
      const rule = this.#rules[index];
      if (rule.exact ? symbol === rule.text : symbol.startsWith(rule.text)) return isWanting(rule) ? rule : undefined;
    }
    return undefined;
  }

  /** Whether there is no room for one more. */
  get #full(): boolean {
    return this.#rules.length >= MAX_RULES;
  }

  clear(): void {
    this.#rules = [];
  }

  /** Drops the rules that a new one makes void: those of the same symbols or of fewer. */
  #forget(text: string, exact: boolean): void {
    this.#rules = this.#rules.filter((rule) =>
      exact ? !(rule.exact && rule.text === text) : !rule.text.startsWith(text),
    );
    // Where nothing is wanted any more, there is nothing to say no to.
    if (!this.#rules.some((rule) => rule.grant)) this.#rules = [];
  }
}

function isWanting(rule: Rule): rule is WantingRule {
  return rule.grant !== undefined;
}

/**
 * What the gateway has been asked for, and the next command that brings it closer to what is wanted. Nothing is queued:
 * a wish that changes ten times before its turn has come is asked for once, as it stands then.
 *
 * How a gateway takes commands: the last subscribe that names or matches a symbol decides; a pattern takes over all
 * symbols and narrower patterns under it; an unsubscribe ends them, and leaves them out of wider patterns.
 */
import type { Subscribe, Unsubscribe } from "../../protocol/messages.ts";
import type { Demand } from "./demand.ts";
import { nearest } from "./selection.ts";
import { fieldsOf, intervalOf, type Spec, UNWANTED } from "./spec.ts";

/** Not known, because a command failed: differs from all terms. */
const UNSURE: Spec = -1;
/** Bytes that a symbol takes in a command besides its characters: quotes and comma, or a MessagePack head. */
const SYMBOL_OVERHEAD = 3;
/** Bytes that the longest command takes besides its symbols, in JSON, which is the longer of the two forms. */
const COMMAND_BYTES = 180;

export class Reconciler {
  readonly #wishes: Demand;
  readonly #messageBytes: number;
  /** By prefix, as the gateway has them. */
  readonly #patterns = new Map<string, Spec>();
  /** By symbol, where it stands otherwise than the patterns say. */
  readonly #symbols = new Map<string, Spec>();
  #wantedPatterns: Map<string, Spec> | undefined;
  /** Symbols that are to be looked at. */
  readonly #open = new Set<string>();
  /** Symbols that are to be asked for, and the terms wanted. */
  readonly #due = new Map<string, Spec>();

  /** @param messageBytes the largest command that the gateway takes */
  constructor(wishes: Demand, messageBytes: number) {
    this.#wishes = wishes;
    this.#messageBytes = messageBytes;
    this.open();
  }

  /** What is wanted of these symbols may have changed; where none are named, of patterns, and with them of any symbol. */
  open(symbols?: Iterable<string>): void {
    if (!symbols) this.#wantedPatterns = undefined;
    for (const symbol of symbols ?? [...this.#wishes.named, ...this.#symbols.keys()]) this.#open.add(symbol);
  }

  /** A command that named these has failed, or the gateway refused them: they are to be asked for again. */
  again(texts: Iterable<string>): void {
    for (const text of texts) {
      if (text.endsWith("*")) this.#patterns.set(text.slice(0, -1), UNSURE);
      else this.#symbols.set(text, UNSURE);
    }
    this.open();
  }

  /** The next command; undefined when all is as wanted. It counts as sent. */
  next(): Subscribe | Unsubscribe | undefined {
    this.#wantedPatterns ??= this.#wishes.patterns;
    // What is given up makes room for what is asked for.
    return this.#dropPatterns() ?? this.#askSymbols(true) ?? this.#askPatterns() ?? this.#askSymbols(false);
  }

  #dropPatterns(): Subscribe | Unsubscribe | undefined {
    const wanted = this.#wantedPatterns as Map<string, Spec>;
    const dropped: string[] = [];
    for (const prefix of this.#patterns.keys()) {
      if (wanted.has(prefix)) continue;
      const wider = nearest(wanted, prefix);
      // To be as wide again: a subscribe of the wider one makes narrower ones void.
      if (wider !== undefined) this.#patterns.set(wider, UNSURE);
      else dropped.push(prefix);
    }
    return this.#commandOfPatterns(dropped, UNWANTED);
  }

  #askPatterns(): Subscribe | Unsubscribe | undefined {
    const due: string[] = [];
    let terms: Spec | undefined;
    for (const [prefix, other] of this.#wantedPatterns as Map<string, Spec>) {
      if (this.#patterns.get(prefix) === other) continue;
      terms ??= other;
      // Those behind it may be narrower, and have to come later.
      if (other !== terms) break;
      due.push(prefix);
    }
    return this.#commandOfPatterns(due, terms ?? UNWANTED);
  }

  #commandOfPatterns(due: readonly string[], terms: Spec): Subscribe | Unsubscribe | undefined {
    if (due.length === 0) return undefined;
    const prefixes = this.#fitting(due);
    for (const prefix of prefixes) {
      this.#takeOver(prefix);
      if (this.#wantedPatterns?.has(prefix)) this.#patterns.set(prefix, terms);
    }
    return commandOf(
      prefixes.map((prefix) => `${prefix}*`),
      terms,
    );
  }

  /** The gateway forgets what was said of symbols and narrower patterns under this one. */
  #takeOver(prefix: string): void {
    for (const other of this.#patterns.keys()) if (other.startsWith(prefix)) this.#patterns.delete(other);
    for (const symbol of this.#symbols.keys()) if (symbol.startsWith(prefix)) this.#symbols.delete(symbol);
    for (const symbol of this.#wishes.named) if (symbol.startsWith(prefix)) this.#open.add(symbol);
  }

  /** @param unwanted whether to give up symbols, or to ask for some */
  #askSymbols(unwanted: boolean): Subscribe | Unsubscribe | undefined {
    this.#sort();
    let terms = Infinity;
    // The quickest first: they are on a screen.
    for (const other of this.#due.values()) if ((other === UNWANTED) === unwanted) terms = Math.min(terms, other);
    const due: string[] = [];
    for (const [symbol, other] of this.#due) if (other === terms) due.push(symbol);
    if (due.length === 0) return undefined;
    const symbols = this.#fitting(due);
    for (const symbol of symbols) {
      this.#due.delete(symbol);
      if (terms === this.#patternTerms(symbol)) this.#symbols.delete(symbol);
      else this.#symbols.set(symbol, terms);
    }
    return commandOf(symbols, terms);
  }

  /** Looks at the open symbols: which are due, and at what terms. */
  #sort(): void {
    for (const symbol of this.#open) {
      const terms = this.#wishes.termsOf(symbol);
      if (terms === (this.#symbols.get(symbol) ?? this.#patternTerms(symbol))) this.#due.delete(symbol);
      else this.#due.set(symbol, terms);
    }
    this.#open.clear();
  }

  #patternTerms(symbol: string): Spec {
    const prefix = nearest(this.#patterns, symbol);
    return prefix === undefined ? UNWANTED : (this.#patterns.get(prefix) as Spec);
  }

  /** As many as one command may name; one at least. */
  #fitting(texts: readonly string[]): string[] {
    let room = this.#messageBytes - COMMAND_BYTES;
    const fitting: string[] = [];
    for (const text of texts) {
      room -= text.length + 1 + SYMBOL_OVERHEAD;
      if (room < 0 && fitting.length > 0) break;
      fitting.push(text);
    }
    return fitting;
  }
}

function commandOf(symbols: string[], terms: Spec): Subscribe | Unsubscribe {
  if (terms === UNWANTED) return { op: "unsubscribe", symbols };
  const fields = fieldsOf(terms);
  return { op: "subscribe", symbols, interval: intervalOf(terms), ...(fields ? { fields } : {}) };
}

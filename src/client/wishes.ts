/**
 * What the caller wants, in the order in which it was asked for: what is asked for again on every new connection. A
 * later wish overrides earlier ones of the same symbols, as it does at the gateway.
 */
import type { Command } from "../protocol/messages.ts";
import { type Field, isPattern } from "../tick.ts";

/** How symbols are wanted; what is left out is the gateway's default. */
export interface Terms {
  /** At most one tick per symbol in so many ms; 0 for as soon as possible. */
  readonly interval?: number;
  readonly fields?: readonly Field[];
}

/** Bytes that a symbol takes in a command besides its characters: quotes and comma, or a MessagePack head. */
const SYMBOL_OVERHEAD = 3;

export class Wishes {
  /** By symbol or pattern, the latest last; null: not wanted, though a pattern before it says so. */
  readonly #wishes = new Map<string, Terms | null>();

  /** How many symbols and patterns are kept. */
  get size(): number {
    return this.#wishes.size;
  }

  want(texts: readonly string[], terms: Terms): void {
    for (const text of texts) {
      this.#forget(text);
      this.#wishes.set(text, terms);
    }
  }

  unwant(texts: readonly string[]): void {
    const patterns = [...this.#wishes.keys()].filter(isPattern);
    for (const text of texts) {
      this.#forget(text);
      const covered = patterns.some((other) => this.#wishes.get(other) && text.startsWith(other.slice(0, -1)));
      if (covered) this.#wishes.set(text, null);
    }
  }

  /**
   * The commands that make a new connection what this one is.
   * @param messageBytes the largest command
   */
  commands(messageBytes: number): Command[] {
    const commands: Command[] = [];
    let group: string[] = [];
    let groupTerms: Terms | null | undefined;
    const finish = () => {
      if (group.length > 0) commands.push(...commandsOf(group, groupTerms ?? null, messageBytes));
      group = [];
    };
    for (const [text, terms] of this.#wishes) {
      if (groupTerms !== undefined && !areSame(terms, groupTerms)) finish();
      groupTerms = terms;
      group.push(text);
    }
    finish();
    return commands;
  }

  /** Drops what a new wish makes void. */
  #forget(text: string): void {
    this.#wishes.delete(text);
    if (!isPattern(text)) return;
    const prefix = text.slice(0, -1);
    for (const other of this.#wishes.keys()) if (other.startsWith(prefix)) this.#wishes.delete(other);
  }
}

/** A subscribe, or an unsubscribe where `terms` is null, in as many commands as are needed to keep each small. */
export function commandsOf(texts: readonly string[], terms: Terms | null, messageBytes: number): Command[] {
  const command = (symbols: string[]): Command =>
    terms
      ? {
          op: "subscribe",
          symbols,
          ...(terms.interval === undefined ? {} : { interval: terms.interval }),
          ...(terms.fields === undefined ? {} : { fields: [...terms.fields] }),
        }
      : { op: "unsubscribe", symbols };
  // JSON is the longer of the two forms.
  const room = messageBytes - JSON.stringify(command([])).length;
  const commands: Command[] = [];
  let symbols: string[] = [];
  let bytes = 0;
  for (const text of texts) {
    const size = text.length + SYMBOL_OVERHEAD;
    if (symbols.length > 0 && bytes + size > room) {
      commands.push(command(symbols));
      symbols = [];
      bytes = 0;
    }
    symbols.push(text);
    bytes += size;
  }
  if (symbols.length > 0) commands.push(command(symbols));
  return commands;
}

function areSame(one: Terms | null, other: Terms | null): boolean {
  if (!one || !other) return one === other;
  return one === other || (one.interval === other.interval && one.fields?.join() === other.fields?.join());
}

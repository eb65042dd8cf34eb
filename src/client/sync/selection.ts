/**
 * Which symbols one subscription covers, and which of them are out of sight. Symbols and patterns are a list: of the
 * entries that match a symbol the longest decides, so one symbol can be left out of a pattern and come back.
 */
import { isPattern } from "../../base/tick.ts";

export class Selection {
  /** By name: whether it is wanted, or left out of a pattern. */
  readonly symbols = new Map<string, boolean>();
  /** By prefix (a pattern without its star), alike. */
  readonly prefixes = new Map<string, boolean>();
  /** Whether all are out of sight but for the exceptions; else none are but for those. */
  #allHidden = false;
  readonly #exceptions = new Set<string>();

  /** The symbols of which something is said by name. */
  get named(): Set<string> {
    return new Set([...this.symbols.keys(), ...this.#exceptions]);
  }

  get allHidden(): boolean {
    return this.#allHidden;
  }

  /** The symbols of which something else holds than of all. */
  get exceptions(): ReadonlySet<string> {
    return this.#exceptions;
  }

  add(text: string): void {
    const { entries, key } = this.#place(text);
    entries.set(key, true);
    // A pattern that is added takes back what was left out of it.
    if (isPattern(text)) this.#forget(key, false);
  }

  /** Takes away what was added; what was not, but is covered by a pattern, is left out of that. */
  remove(text: string): void {
    const { entries, key } = this.#place(text);
    if (entries.get(key)) entries.delete(key);
    else {
      if (isPattern(text)) this.#forget(key, true);
      if (this.coversPrefix(key)) entries.set(key, false);
    }
    if (!isPattern(text)) this.#exceptions.delete(text);
    // Without patterns there is nothing to leave out of.
    if (![...this.prefixes.values()].includes(true)) this.#forget("", false);
  }

  covers(symbol: string): boolean {
    return this.symbols.get(symbol) ?? this.coversPrefix(symbol);
  }

  /** Whether what begins so, and is not named, is covered. */
  coversPrefix(text: string): boolean {
    return this.prefixes.get(nearest(this.prefixes, text) ?? "") ?? false;
  }

  /** Whether something is said of just this symbol. */
  names(symbol: string): boolean {
    return this.symbols.has(symbol) || this.#exceptions.has(symbol);
  }

  isHidden(symbol: string): boolean {
    return this.#exceptions.has(symbol) !== this.#allHidden;
  }

  /** @returns whether that is a change */
  setHidden(symbol: string, hidden: boolean): boolean {
    if (this.isHidden(symbol) === hidden) return false;
    if (hidden === this.#allHidden) this.#exceptions.delete(symbol);
    else this.#exceptions.add(symbol);
    return true;
  }

  setAllHidden(hidden: boolean): void {
    this.#allHidden = hidden;
    this.#exceptions.clear();
  }

  clear(): void {
    this.symbols.clear();
    this.prefixes.clear();
    this.#exceptions.clear();
  }

  #place(text: string): { entries: Map<string, boolean>; key: string } {
    return isPattern(text) ? { entries: this.prefixes, key: text.slice(0, -1) } : { entries: this.symbols, key: text };
  }

  /** Drops entries under a prefix: those that leave out, or all. */
  #forget(prefix: string, all: boolean): void {
    for (const entries of [this.symbols, this.prefixes])
      for (const [name, wanted] of entries) if (name.startsWith(prefix) && (all || !wanted)) entries.delete(name);
  }
}

/** The longest of some prefixes that a text begins with. */
export function nearest(prefixes: ReadonlyMap<string, unknown>, text: string): string | undefined {
  let found: string | undefined;
  for (const prefix of prefixes.keys())
    if (text.startsWith(prefix) && prefix.length >= (found?.length ?? 0)) found = prefix;
  return found;
}

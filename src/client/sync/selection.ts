/**
 * The symbols that one subscription covers, and which of them are hidden. Of all symbols and patterns that match a
 * symbol, the longest decides, so a symbol can be excluded from a pattern and included again.
 */
import { isPattern } from "../../base/tick.ts";

export class Selection {
  /** By symbol: true if included, false if excluded from a pattern. */
  readonly symbols = new Map<string, boolean>();
  /** The same by prefix (a pattern without its star). */
  readonly prefixes = new Map<string, boolean>();
  /** Whether all symbols but the exceptions are hidden; if not, only the exceptions are. */
  allHidden = false;
  /** The symbols whose visibility differs from that of all. */
  readonly exceptions = new Set<string>();

  /** The symbols that are named: included, excluded, or an exception. */
  get named(): Set<string> {
    return new Set([...this.symbols.keys(), ...this.exceptions]);
  }

  add(text: string): void {
    const { map, key } = this.#locate(text);
    map.set(key, true);
    // Adding a pattern includes again what was excluded from it.
    if (isPattern(text)) this.#forget(key, false);
  }

  /** Removes what was added; excludes what was not added but is covered by a pattern. */
  remove(text: string): void {
    const { map, key } = this.#locate(text);
    if (map.get(key)) map.delete(key);
    else {
      if (isPattern(text)) this.#forget(key, true);
      if (this.coversPrefix(key)) map.set(key, false);
    }
    if (!isPattern(text)) this.exceptions.delete(text);
    // Without patterns there is nothing to exclude from.
    if (![...this.prefixes.values()].includes(true)) this.#forget("", false);
  }

  covers(symbol: string): boolean {
    return this.symbols.get(symbol) ?? this.coversPrefix(symbol);
  }

  /** Whether symbols with this prefix that are not named are covered. */
  coversPrefix(text: string): boolean {
    return nearest(this.prefixes, text)?.[1] ?? false;
  }

  /** Whether this symbol is named. */
  names(symbol: string): boolean {
    return this.symbols.has(symbol) || this.exceptions.has(symbol);
  }

  isHidden(symbol: string): boolean {
    return this.exceptions.has(symbol) !== this.allHidden;
  }

  /** @returns whether this changed it */
  setHidden(symbol: string, hidden: boolean): boolean {
    if (this.isHidden(symbol) === hidden) return false;
    if (hidden === this.allHidden) this.exceptions.delete(symbol);
    else this.exceptions.add(symbol);
    return true;
  }

  setAllHidden(hidden: boolean): void {
    this.allHidden = hidden;
    this.exceptions.clear();
  }

  clear(): void {
    this.symbols.clear();
    this.prefixes.clear();
    this.exceptions.clear();
  }

  #locate(text: string): { map: Map<string, boolean>; key: string } {
    return isPattern(text) ? { map: this.prefixes, key: text.slice(0, -1) } : { map: this.symbols, key: text };
  }

  /** Removes what is under a prefix: the excluded ones, or all. */
  #forget(prefix: string, all: boolean): void {
    for (const map of [this.symbols, this.prefixes])
      for (const [name, wanted] of map) if (name.startsWith(prefix) && (all || !wanted)) map.delete(name);
  }
}

/** The longest of some prefixes that a text begins with, and its value. */
export function nearest<V>(prefixes: ReadonlyMap<string, V>, text: string): [prefix: string, value: V] | undefined {
  let found: [string, V] | undefined;
  for (const entry of prefixes) {
    const [{ length }] = entry;
    if (text.startsWith(entry[0]) && length >= (found?.[0].length ?? 0)) found = entry;
  }
  return found;
}

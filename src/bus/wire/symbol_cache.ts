/**
 * Symbols by their bytes. Making a string of 16 bytes costs about 100 ns and an allocation, for a symbol that was seen
 * a moment ago: here a hash of the bytes finds the string that was made then. Direct-mapped: a symbol that falls on
 * another's place takes it, so the cache cannot grow.
 */
import { isSymbol, SYMBOL_LENGTH } from "../../base/tick.ts";

const SIZE = 65_536;

export class SymbolCache {
  readonly #symbols: string[] = new Array<string>(SIZE).fill("");
  readonly #rows = new Int32Array(SIZE).fill(-1);
  /** Where the symbol is that was last asked for. */
  #place = 0;

  /** The row that was kept for the symbol that was last asked for; -1 where none was. */
  get row(): number {
    return this.#rows[this.#place];
  }

  /** Kept with the symbol that was last asked for, as long as that stays. */
  set row(row: number) {
    this.#rows[this.#place] = row;
  }

  /** The symbol that these bytes spell, or undefined when they spell none. */
  get(bytes: Uint8Array, from: number, length: number): string | undefined {
    if (length <= 0 || length > SYMBOL_LENGTH) return undefined;
    let hash = 0x811c9dc5;
    for (let at = from; at < from + length; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193);
    const place = (hash ^ (hash >>> 16)) & (SIZE - 1);
    const cached = this.#symbols[place];
    this.#place = place;
    if (cached.length === length && isSpelled(cached, bytes, from)) return cached;
    const symbol = String.fromCharCode(...bytes.subarray(from, from + length));
    if (!isSymbol(symbol)) return undefined;
    this.#symbols[place] = symbol;
    this.#rows[place] = -1;
    return symbol;
  }
}

function isSpelled(symbol: string, bytes: Uint8Array, from: number): boolean {
  for (let index = 0; index < symbol.length; index++)
    if (symbol.charCodeAt(index) !== bytes[from + index]) return false;
  return true;
}

/**
 * Places that wait to be visited, as a lift visits floors: in their order, round and round. Nobody waits for longer than one
 * round, as in a queue. But neighbours are visited one after the other: connections that came one after the other lie so in
 * the memory of all who have to do with them, and what the next one needs is on its way before it is asked for
 * (docs/benchmarks.md: a sixth of what a frame costs).
 */
import { copied } from "../../base/copied.ts";

/** Places in a word, as a power of two. */
const WORD_BITS = 5;
const WORD = 1 << WORD_BITS;
const FIRST_WORDS = 8;

export class ReadySet {
  /** A bit a place. */
  #words = new Int32Array(FIRST_WORDS);
  /** Where the next visit is looked for. */
  #cursor = 0;
  #size = 0;

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** From now on it waits, if it did not already. */
  add(place: number): void {
    const at = place >>> WORD_BITS;
    while (at >= this.#words.length) this.#words = copied(new Int32Array(this.#words.length * 2), this.#words);
    const bit = 1 << (place % WORD);
    if (this.#words[at] & bit) return;
    this.#words[at] |= bit;
    this.#size++;
  }

  /** It does not wait any more. */
  delete(place: number): void {
    const at = place >>> WORD_BITS;
    const bit = 1 << (place % WORD);
    if (at >= this.#words.length || !(this.#words[at] & bit)) return;
    this.#words[at] ^= bit;
    this.#size--;
  }

  /** The next one, which does not wait any more. At least one must. */
  take(): number {
    let at = this.#cursor >>> WORD_BITS;
    // Those of its word that the hand has passed come last.
    let word = at < this.#words.length ? this.#words[at] & (-1 << (this.#cursor % WORD)) : 0;
    while (word === 0) {
      at = at + 1 < this.#words.length ? at + 1 : 0;
      word = this.#words[at];
    }
    const bit = word & -word;
    const place = at * WORD + (WORD - 1 - Math.clz32(bit));
    this.#words[at] ^= bit;
    this.#size--;
    this.#cursor = place + 1;
    return place;
  }
}

/** Random numbers from a seed: the same seed gives the same numbers on every machine. */

/**
 * The generator sfc32 (Chris Doty-Humphrey's Small Fast Counting generator, from PractRand): 128 bits of state and
 * 32-bit arithmetic only, which JavaScript does fast.
 */
export class Random {
  #a = 0;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#b = seed | 0;
    this.#c = Math.floor(seed / 0x1_0000_0000) | 0;
    // Similar seeds give similar first outputs.
    for (let i = 0; i < 16; i++) this.uint32();
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A number from 0 up to but not including 1. */
  unit(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** A number around 0 with variance 1: four uniform ones added, near enough to normal for a market. */
  normal(): number {
    return (this.unit() + this.unit() + this.unit() + this.unit() - 2) * Math.sqrt(3);
  }
}

/**
 * Picks numbers with given weights, each pick in constant time: Walker's alias method, built as Vose does
 * ("A linear algorithm for generating random numbers with a given distribution", IEEE TSE 17(9), 1991).
 */
export class AliasTable {
  readonly #probability: Float64Array;
  readonly #alias: Int32Array;

  /** @param weights at least one, each above 0 */
  constructor(weights: ArrayLike<number>) {
    const size = weights.length;
    this.#probability = new Float64Array(size);
    this.#alias = new Int32Array(size);
    let total = 0;
    for (let i = 0; i < size; i++) total += weights[i];
    const scaled = Float64Array.from(weights, (weight) => (weight * size) / total);
    const small: number[] = [];
    const large: number[] = [];
    for (let i = 0; i < size; i++) (scaled[i] < 1 ? small : large).push(i);
    while (small.length > 0 && large.length > 0) {
      const less = small.pop() as number;
      const more = large[large.length - 1];
      this.#probability[less] = scaled[less];
      this.#alias[less] = more;
      scaled[more] -= 1 - scaled[less];
      if (scaled[more] < 1) small.push(large.pop() as number);
    }
    // The remaining ones have weight 1, apart from rounding.
    for (const rest of [...small, ...large]) this.#probability[rest] = 1;
  }

  /** A number from 0 to the number of weights less one. */
  pick(random: Random): number {
    const at = random.unit() * this.#probability.length;
    const column = Math.floor(at);
    return random.unit() < this.#probability[column] ? column : this.#alias[column];
  }
}

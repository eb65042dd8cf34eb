/**
 * Which symbols a connection subscribes to: spread over the market, and another part of it for the next connection.
 * Arithmetic instead of lists: with 50,000 connections of 50 symbols the lists would be most of the swarm's memory.
 */
export class Selection {
  readonly count: number;
  readonly #market: readonly string[];
  readonly #first: number;
  readonly #step: number;

  /**
   * @param index the connection's, among all of the swarm
   * @param count symbols of each connection, at most as many as the market has
   */
  constructor(market: readonly string[], index: number, count: number) {
    this.#market = market;
    this.count = count;
    this.#first = index % market.length;
    this.#step = Math.floor(market.length / count);
  }

  /** The symbol in a slot, as its place in the market. */
  symbolAt(slot: number): number {
    return (this.#first + slot * this.#step) % this.#market.length;
  }

  /** The slot of a symbol, given as its place in the market; -1 when it is not among them. */
  slotOf(symbol: number): number {
    const { length } = this.#market;
    if (!(symbol >= 0 && symbol < length)) return -1;
    const distance = (symbol - this.#first + length) % length;
    const slot = distance / this.#step;
    return Number.isInteger(slot) && slot < this.count ? slot : -1;
  }

  nameAt(slot: number): string {
    return this.#market[this.symbolAt(slot)];
  }

  /** The names of all, by slot. */
  names(): string[] {
    return Array.from({ length: this.count }, (_, slot) => this.nameAt(slot));
  }
}

/**
 * The symbols of a connection: spread over the market, and different from the next connection's. Computed, because
 * lists for 50,000 connections of 50 symbols would be most of the swarm's memory.
 */
export class Selection {
  readonly count: number;
  readonly #market: readonly string[];
  readonly #first: number;
  readonly #step: number;

  /**
   * @param index of the connection among all of the swarm
   * @param count symbols per connection, at most as many as the market has
   */
  constructor(market: readonly string[], index: number, count: number) {
    this.#market = market;
    this.count = count;
    this.#first = index % market.length;
    this.#step = Math.floor(market.length / count);
  }

  /** The market index of a slot's symbol. */
  symbolAt(slot: number): number {
    return (this.#first + slot * this.#step) % this.#market.length;
  }

  /** The slot of a symbol by its market index; -1 if the connection does not have it. */
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

  /** The names of all symbols, by slot. */
  names(): string[] {
    return Array.from({ length: this.count }, (_, slot) => this.nameAt(slot));
  }
}

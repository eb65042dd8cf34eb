/** An order book of any venue: the levels of both sides by price, followed from a snapshot by changes. */
import { BOOK_LEVELS, type BookSides } from "../../../market/book/book_payload.ts";
import { readNumber } from "../../number.ts";

/**
 * The most levels of a side. Far more than the {@link BOOK_LEVELS} that are published, so that the book stays right
 * after a large move of the price; a side takes 320 kB at most. Coinbase's largest books have more: the worst are
 * dropped.
 */
export const MOST_LEVELS = 20_000;

export class OrderBook {
  readonly bids = new BookSide(1);
  readonly asks = new BookSide(-1);

  clear(): void {
    this.bids.clear();
    this.asks.clear();
  }

  /** The best bid is not below the best ask: the book is wrong. */
  get isCrossed(): boolean {
    return this.bids.best >= this.asks.best;
  }

  /** The best levels of both sides, best first. The arrays are used again by the next call. */
  top(): BookSides {
    return { bids: this.bids.top(), asks: this.asks.top() };
  }
}

export class BookSide {
  /** The worst first: changes are mostly at the best, and move few levels there. */
  readonly #prices: number[] = [];
  readonly #sizes: number[] = [];
  readonly #top: number[] = [];
  /** 1 where a higher price is better, -1 where a lower one is. */
  readonly #direction: number;

  constructor(direction: 1 | -1) {
    this.#direction = direction;
  }

  get levels(): number {
    return this.#prices.length;
  }

  /** NaN where the side is empty. */
  get best(): number {
    return this.#prices.at(-1) ?? Number.NaN;
  }

  clear(): void {
    this.#prices.length = this.#sizes.length = 0;
  }

  /** Replaces all levels by those of a snapshot, flat and in any order. */
  load(levels: readonly number[]): void {
    this.clear();
    const order: number[] = [];
    for (let index = 0; index < levels.length; index += 2) if (levels[index + 1] > 0) order.push(index);
    order.sort((a, b) => (levels[b] - levels[a]) * this.#direction);
    for (let rank = Math.min(order.length, MOST_LEVELS) - 1; rank >= 0; rank--) {
      const price = levels[order[rank]];
      if (price === this.best) continue;
      this.#prices.push(price);
      this.#sizes.push(levels[order[rank] + 1]);
    }
  }

  /** Sets the size of a level; 0 removes it, also where it is not there. */
  set(price: number, size: number): void {
    const at = this.#positionOf(price);
    const isThere = this.#prices[at] === price;
    if (size === 0) {
      if (!isThere) return;
      this.#prices.splice(at, 1);
      this.#sizes.splice(at, 1);
    } else if (isThere) this.#sizes[at] = size;
    else {
      const isFull = this.#prices.length === MOST_LEVELS;
      if (isFull && at === 0) return;
      this.#prices.splice(at, 0, price);
      this.#sizes.splice(at, 0, size);
      if (!isFull) return;
      this.#prices.shift();
      this.#sizes.shift();
    }
  }

  /** The best levels, flat and best first. The array is used again by the next call. */
  top(): readonly number[] {
    const count = Math.min(this.#prices.length, BOOK_LEVELS);
    this.#top.length = count * 2;
    for (let index = 0, at = this.#prices.length - 1; index < count; index++, at--) {
      this.#top[index * 2] = this.#prices[at];
      this.#top[index * 2 + 1] = this.#sizes[at];
    }
    return this.#top;
  }

  /** The position of a price, or where it would be. */
  #positionOf(price: number): number {
    let [low, high] = [0, this.#prices.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#prices[middle] - price) * this.#direction < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * The levels of one side of a message, `[["price", "size"], …]`, flat.
 * @returns undefined where one cannot be read: the book cannot be followed then
 */
export function readLevels(value: unknown): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const levels: number[] = [];
  for (const level of value) {
    if (!Array.isArray(level)) return undefined;
    const price = readNumber(level[0]);
    const size = readNumber(level[1]);
    if (price === undefined || size === undefined || size < 0) return undefined;
    levels.push(price, size);
  }
  return levels;
}

/** Sets flat levels in their order. */
export function setLevels(side: BookSide, levels: readonly number[]): void {
  for (let index = 0; index < levels.length; index += 2) side.set(levels[index], levels[index + 1]);
}

/** Order books: both sides of a row, at most {@link BOOK_LEVELS} levels each, the best first. */
import { copied } from "../../base/enlarged_array.ts";
import { BusRecord } from "../bus_record.ts";
import type { Payload } from "../payload.ts";

/** The most levels of a side that are kept and sent: the deepest that clients can ask for. */
export const BOOK_LEVELS = 50;
/** The numbers of one side: price, size, price, size, … */
const SIDE = BOOK_LEVELS * 2;
const ROW = SIDE * 2;

/** Both sides, flat: `[price, size, price, size, …]`, the best first. Levels beyond {@link BOOK_LEVELS} are ignored. */
export interface BookSides {
  readonly bids: ArrayLike<number>;
  readonly asks: ArrayLike<number>;
}

/** The state of one book as the bus carries it. */
export class BookRecord extends BusRecord {
  readonly bids: Float64Array = new Float64Array(SIDE);
  readonly asks: Float64Array = new Float64Array(SIDE);
  /** How many levels each side has. */
  bidLevels = 0;
  askLevels = 0;
}

export class BookPayload implements Payload<BookSides, BookRecord> {
  readonly keepsEach = false;
  readonly isSeries = false;
  /** Bids, then asks, of each row. */
  numbers: Float64Array = new Float64Array(0);
  /** How many levels a row has. */
  bidLevels: Uint8Array = new Uint8Array(0);
  askLevels: Uint8Array = new Uint8Array(0);

  grow(capacity: number): void {
    this.numbers = copied(new Float64Array(capacity * ROW), this.numbers);
    this.bidLevels = copied(new Uint8Array(capacity), this.bidLevels);
    this.askLevels = copied(new Uint8Array(capacity), this.askLevels);
  }

  clear(row: number): void {
    this.bidLevels[row] = this.askLevels[row] = 0;
  }

  createRecord(): BookRecord {
    return new BookRecord();
  }

  /** Where the first number of a row's bids is in {@link numbers}. */
  bidsAt(row: number): number {
    return row * ROW;
  }

  asksAt(row: number): number {
    return row * ROW + SIDE;
  }

  write(row: number, { bids, asks, bidLevels, askLevels }: BookRecord): void {
    this.bidLevels[row] = copyLevels(bids, bidLevels, this.numbers, this.bidsAt(row));
    this.askLevels[row] = copyLevels(asks, askLevels, this.numbers, this.asksAt(row));
  }

  read(row: number, record: BookRecord): void {
    record.bidLevels = this.bidLevels[row];
    record.askLevels = this.askLevels[row];
    for (let index = 0; index < record.bidLevels * 2; index++)
      record.bids[index] = this.numbers[this.bidsAt(row) + index];
    for (let index = 0; index < record.askLevels * 2; index++)
      record.asks[index] = this.numbers[this.asksAt(row) + index];
  }

  follow(): number {
    return 0;
  }

  countSince(): number {
    return 1;
  }

  equals(row: number, { bids, asks, bidLevels, askLevels }: BookRecord): boolean {
    if (this.bidLevels[row] !== bidLevels || this.askLevels[row] !== askLevels) return false;
    for (let index = 0; index < bidLevels * 2; index++)
      if (this.numbers[this.bidsAt(row) + index] !== bids[index]) return false;
    for (let index = 0; index < askLevels * 2; index++)
      if (this.numbers[this.asksAt(row) + index] !== asks[index]) return false;
    return true;
  }

  merge(row: number, { bids, asks }: BookSides): void {
    this.bidLevels[row] = copyLevels(bids, bids.length >>> 1, this.numbers, this.bidsAt(row));
    this.askLevels[row] = copyLevels(asks, asks.length >>> 1, this.numbers, this.asksAt(row));
  }
}

/** @returns how many levels were copied */
function copyLevels(from: ArrayLike<number>, levels: number, to: Float64Array, at: number): number {
  const count = Math.min(levels, BOOK_LEVELS);
  for (let index = 0; index < count * 2; index++) to[at + index] = from[index];
  return count;
}

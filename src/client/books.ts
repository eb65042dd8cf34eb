/**
 * Order books: the best levels of each side.
 * @module tickgate/client/books
 */
import type { TickRecord } from "./records/tick_record.ts";
import type { View } from "./records/view.ts";
import type { ViewChannel } from "./sync/subscription.ts";

/** The book of one symbol. The same object lives through ticks and reconnects. */
export interface Book extends View {
  /** Price and size of each level in turn, `[price, size, price, size, …]`, the best first. Never changed: replaced. */
  readonly bids: readonly number[];
  readonly asks: readonly number[];
}

/** The options of books. */
export interface BookTerms {
  /** Levels of each side, from 1 to 50; 10 when left out. */
  readonly depth?: number | undefined;
}

interface Sides {
  bids: readonly number[];
  asks: readonly number[];
}

const DEFAULT_DEPTH = 10;
const MOST_LEVELS = 50;
/** Numbers in a level. */
const LEVEL = 2;

function depthOf({ depth = DEFAULT_DEPTH }: BookTerms): number {
  if (!(Number.isInteger(depth) && depth >= 1 && depth <= MOST_LEVELS))
    throw new RangeError(`a depth is from 1 to ${MOST_LEVELS}, not ${depth}`);
  return depth;
}

function isSide(side: unknown): side is number[] {
  return Array.isArray(side) && side.length % LEVEL === 0 && side.every(Number.isFinite);
}

function sidesOf({ content }: TickRecord): Sides {
  return content as Sides;
}

/** The channel of books, for the option `channel`. */
export const BOOKS: ViewChannel<Book, BookTerms, [book: Book]> = {
  name: "book",
  demand: depthOf,
  merge: Math.max,
  terms: (depth) => ({ depth }),
  content: (): Sides => ({ bids: [], asks: [] }),
  view: (Base) =>
    class extends Base {
      get bids() {
        return this.#cut(sidesOf(this.record).bids);
      }

      get asks() {
        return this.#cut(sidesOf(this.record).asks);
      }

      /** Another subscription may have asked for more, and more may be granted. */
      #cut(side: readonly number[]): readonly number[] {
        const length = depthOf(this.listener.terms) * LEVEL;
        return side.length > length ? side.slice(0, length) : side;
      }
    },
  granted() {},
  fits(_record, { length, 0: bids, 1: asks }) {
    if (length < 2) return false;
    if (!isSide(bids) || !isSide(asks)) throw new TypeError("not a book");
    return true;
  },
  take(record, { 0: bids, 1: asks }) {
    Object.assign(sidesOf(record), { bids, asks });
    return true;
  },
};

/**
 * One book of Binance, as "How to manage a local order book correctly" of its stream documentation says: events are
 * kept until the snapshot is there; those with `u` up to its `lastUpdateId` are left out; each further one must follow
 * without a gap (`U` at most the last `u` + 1), or the book begins again with a new snapshot. A snapshot that ends
 * before the first event that was kept is too old, and another is requested.
 */
import { readNumber } from "../number.ts";
import type { BookSnapshot } from "./binance_snapshots.ts";
import { OrderBook, readLevels, setLevels } from "./book/order_book.ts";

/** A `depthUpdate`. */
export interface DepthEvent {
  readonly first: number;
  readonly last: number;
  readonly bids: readonly number[];
  readonly asks: readonly number[];
  /** Microseconds; NaN where it cannot be read. */
  readonly time: number;
}

/**
 * The most numbers of the events that wait for a snapshot, 400 kB of them: minutes of a busy pair. The oldest are
 * dropped, and a snapshot from before them is too old.
 */
const MOST_WAITING = 50_000;

/** Receives what becomes of a book. */
export interface BookOwner {
  changed(book: OrderBook, eventTime: number | undefined): void;
  lost(reason: string): void;
  /** A snapshot is needed: {@link BinanceBook.load} it. */
  needsSnapshot(): void;
}

export class BinanceBook {
  readonly #book = new OrderBook();
  readonly #owner: BookOwner;
  #waiting: DepthEvent[] = [];
  #waitingNumbers = 0;
  /** The `u` of the last event; NaN without a snapshot. */
  #lastUpdate = Number.NaN;

  constructor(owner: BookOwner) {
    this.#owner = owner;
  }

  /** Begins anew: nothing from before is kept. */
  start(): void {
    this.#reset();
    this.#owner.needsSnapshot();
  }

  /** Another event; undefined is one that could not be read. */
  apply(event: DepthEvent | undefined): void {
    const isSynced = !Number.isNaN(this.#lastUpdate);
    if (!event) return isSynced ? this.#lose("unreadable book") : this.#dropWaiting();
    if (!isSynced) return this.#wait(event);
    if (event.last <= this.#lastUpdate) return;
    if (event.first > this.#lastUpdate + 1) {
      this.#lose("gap in the book's updates");
      return this.#wait(event);
    }
    this.#change(event);
    this.#report(event.time);
  }

  load({ lastUpdateId, bids, asks }: BookSnapshot): void {
    if (!Number.isNaN(this.#lastUpdate)) return;
    const waiting = this.#waiting.filter(({ last }) => last > lastUpdateId);
    let end = lastUpdateId;
    for (const { first, last } of waiting) {
      // Too old, or an event is missing: those that were kept are of use with a later snapshot.
      if (first > end + 1) return this.#owner.needsSnapshot();
      end = last;
    }
    this.#dropWaiting();
    this.#book.bids.load(bids);
    this.#book.asks.load(asks);
    this.#lastUpdate = lastUpdateId;
    for (const event of waiting) this.#change(event);
    this.#report(waiting.at(-1)?.time);
  }

  #change({ bids, asks, last }: DepthEvent): void {
    setLevels(this.#book.bids, bids);
    setLevels(this.#book.asks, asks);
    this.#lastUpdate = last;
  }

  #report(eventTime: number | undefined): void {
    if (this.#book.isCrossed) this.#lose("crossed book");
    else this.#owner.changed(this.#book, eventTime);
  }

  #lose(reason: string): void {
    this.#reset();
    this.#owner.lost(reason);
    this.#owner.needsSnapshot();
  }

  #wait(event: DepthEvent): void {
    this.#waiting.push(event);
    this.#waitingNumbers += numbersOf(event);
    while (this.#waitingNumbers > MOST_WAITING) {
      const oldest = this.#waiting.shift();
      if (!oldest) break;
      this.#waitingNumbers -= numbersOf(oldest);
    }
  }

  #dropWaiting(): void {
    this.#waiting = [];
    this.#waitingNumbers = 0;
  }

  #reset(): void {
    this.#dropWaiting();
    this.#book.clear();
    this.#lastUpdate = Number.NaN;
  }
}

/** With its three numbers besides the levels. */
function numbersOf({ bids, asks }: DepthEvent): number {
  return bids.length + asks.length + 3;
}

/** @returns undefined when it cannot be read */
export function readDepthEvent(data: Readonly<Record<string, unknown>>): DepthEvent | undefined {
  const [first, last] = [readNumber(data.U), readNumber(data.u)];
  const [bids, asks] = [readLevels(data.b), readLevels(data.a)];
  if (first === undefined || last === undefined || first > last || !bids || !asks) return undefined;
  return { first, last, bids, asks, time: Math.round((readNumber(data.E) ?? Number.NaN) * 1_000) };
}

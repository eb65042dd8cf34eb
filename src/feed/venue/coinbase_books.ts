/**
 * The books of a Coinbase Exchange connection: a snapshot on subscribing, then `l2update` messages. These have no
 * sequence, so the order of the connection is what there is; a message that cannot be read or a crossed book makes the
 * product's book lost, and a new subscription brings a new snapshot.
 */
import type { FeedContext } from "../adapter.ts";
import { readNumber } from "../number.ts";
import { OrderBook, readLevels } from "./book/order_book.ts";
import type { Outcome } from "./connection.ts";

/** A product's book is subscribed to again at most this often: a snapshot may have 5 MB. */
const RESYNC_MILLIS = 10_000;

export class CoinbaseBooks {
  /** Of the products whose book is known: without an entry, updates wait for the snapshot. */
  readonly #books = new Map<string, OrderBook>();
  /** When each product was last subscribed to again on this connection. */
  readonly #resyncedAt = new Map<string, number>();
  #connectedAt = Number.NEGATIVE_INFINITY;
  readonly #context: FeedContext;

  constructor(context: FeedContext) {
    this.#context = context;
  }

  /** A new connection: no book of the previous one continues. */
  clear(): void {
    this.#books.clear();
    this.#resyncedAt.clear();
    this.#connectedAt = this.#context.clock.millis();
  }

  /** Handles a `snapshot` or `l2update` of a product. */
  message(
    product: string,
    symbol: string,
    message: Readonly<Record<string, unknown>>,
    eventTime: number | undefined,
    send: (text: string) => void,
  ): Outcome {
    const isSnapshot = message.type === "snapshot";
    const book = isSnapshot ? new OrderBook() : this.#books.get(product);
    if (!book) {
      this.#resync(product, send);
      return "control";
    }
    const isRead = isSnapshot ? load(book, message) : change(book, message.changes);
    if (!isRead || book.isCrossed) {
      this.#books.delete(product);
      this.#context.sink.bookLost(symbol, isRead ? "crossed book" : "unreadable book");
      this.#resync(product, send);
      return isRead ? "control" : "malformed";
    }
    this.#books.set(product, book);
    this.#context.sink.book(symbol, book.top(), eventTime);
    return "tick";
  }

  #resync(product: string, send: (text: string) => void): void {
    const now = this.#context.clock.millis();
    if (now - (this.#resyncedAt.get(product) ?? this.#connectedAt) < RESYNC_MILLIS) return;
    this.#resyncedAt.set(product, now);
    for (const type of ["unsubscribe", "subscribe"])
      send(JSON.stringify({ type, product_ids: [product], channels: ["level2_batch"] }));
  }
}

function load(book: OrderBook, { bids, asks }: Readonly<Record<string, unknown>>): boolean {
  const [bidLevels, askLevels] = [readLevels(bids), readLevels(asks)];
  if (!bidLevels || !askLevels) return false;
  book.bids.load(bidLevels);
  book.asks.load(askLevels);
  return true;
}

/** Applies `[["buy" or "sell", "price", "size"], …]`. */
function change(book: OrderBook, changes: unknown): boolean {
  if (!Array.isArray(changes)) return false;
  for (const entry of changes) {
    if (!Array.isArray(entry)) return false;
    const price = readNumber(entry[1]);
    const size = readNumber(entry[2]);
    if (price === undefined || size === undefined || size < 0) return false;
    if (entry[0] !== "buy" && entry[0] !== "sell") return false;
    (entry[0] === "buy" ? book.bids : book.asks).set(price, size);
  }
  return true;
}

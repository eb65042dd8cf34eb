/**
 * Requests for the snapshots of Binance's books, `GET /api/v3/depth` ("General endpoints", "Market Data endpoints" and
 * "LIMITS" of its REST documentation). A snapshot of 500 levels has a weight of 25, so there are two a second.
 */
import { RateLimitedLog } from "../../log/rate_limited_log.ts";
import type { FeedContext } from "../adapter.ts";
import { readNumber, readObject } from "../number.ts";
import { readLevels } from "./book/order_book.ts";
import type { PacedRequests, VenueRequest } from "./paced_requests.ts";

export interface BookSnapshot {
  readonly lastUpdateId: number;
  /** Flat. */
  readonly bids: readonly number[];
  readonly asks: readonly number[];
}

/** An address may use a weight of 6,000 a minute; this is half of it: so long after each unit, ms. */
export const WEIGHT_MILLIS = 20;
const LEVELS = 500;
const WEIGHT = 25;
/** 500 levels of both sides take about 40 kB. */
const MOST_BYTES = 1_048_576;

export class BinanceSnapshots {
  readonly #requests: PacedRequests;
  readonly #events: RateLimitedLog;
  /** Who waits for the snapshot of each pair. */
  readonly #waiting = new Map<string, { request: VenueRequest; deliver: (snapshot: BookSnapshot) => void }>();

  constructor(requests: PacedRequests, { log, clock }: FeedContext) {
    this.#requests = requests;
    this.#events = new RateLimitedLog(log, clock);
  }

  /** Asks for a snapshot of a pair, until there is one; once, however often it is called. */
  request(pair: string, deliver: (snapshot: BookSnapshot) => void): void {
    const waiting = this.#waiting.get(pair);
    if (waiting) {
      waiting.deliver = deliver;
      return;
    }
    const request = this.#createRequest(pair);
    if (this.#requests.add(request)) this.#waiting.set(pair, { request, deliver });
    else this.#failed(pair, "too many requests wait", 0);
  }

  /** Nobody waits for this pair any more. */
  cancel(pair: string): void {
    const waiting = this.#waiting.get(pair);
    this.#waiting.delete(pair);
    if (waiting) this.#requests.cancel(waiting.request);
  }

  #createRequest(pair: string): VenueRequest {
    return {
      path: `/api/v3/depth?symbol=${pair}&limit=${LEVELS}`,
      spacing: WEIGHT * WEIGHT_MILLIS,
      mostBytes: MOST_BYTES,
      // Without it a book is stale.
      isUrgent: true,
      answered: (value) => {
        const snapshot = readSnapshot(value);
        if (!snapshot) throw new Error("the answer is no snapshot of a book");
        const waiting = this.#waiting.get(pair);
        this.#waiting.delete(pair);
        waiting?.deliver(snapshot);
      },
      failed: (reason, _, wait) => this.#failed(pair, reason, wait),
    };
  }

  #failed(pair: string, reason: string, wait: number): boolean {
    this.#events.write("warn", { pair, reason, wait }, "no snapshot of a book");
    return true;
  }
}

function readSnapshot(value: unknown): BookSnapshot | undefined {
  const answer = readObject(value);
  const lastUpdateId = readNumber(answer?.lastUpdateId);
  const [bids, asks] = [readLevels(answer?.bids), readLevels(answer?.asks)];
  return lastUpdateId === undefined || !bids || !asks ? undefined : { lastUpdateId, bids, asks };
}

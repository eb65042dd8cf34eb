/**
 * Requests for the snapshots of Binance's books, `GET /api/v3/depth` ("General endpoints", "Market Data endpoints" and
 * "LIMITS" of its REST documentation). All connections of a feed share the requests, one at a time: an address may use
 * a weight of 6,000 a minute, and a snapshot of 500 levels has 25, so two a second use half of it. After 429 or 418 the
 * venue's `Retry-After` is kept: who goes on is banned.
 */
import { Backoff } from "../../base/backoff.ts";
import { RateLimitedLog } from "../../log/rate_limited_log.ts";
import type { FeedContext } from "../adapter.ts";
import { readNumber, readObject } from "../number.ts";
import { readLevels } from "./book/order_book.ts";

export interface BookSnapshot {
  readonly lastUpdateId: number;
  /** Flat. */
  readonly bids: readonly number[];
  readonly asks: readonly number[];
}

const LEVELS = 500;
const SPACING_MILLIS = 500;
const MIN_BACKOFF_MILLIS = 1_000;
const REQUEST_MILLIS = 10_000;
/** 500 levels of both sides take about 40 kB. */
const MOST_BYTES = 1_048_576;
/** The longest ban that the documentation names. */
const LONGEST_WAIT_SECONDS = 3 * 86_400;

export class BinanceSnapshots {
  readonly #rest: string;
  readonly #backoff: Backoff;
  readonly #events: RateLimitedLog;
  /** Who waits for the snapshot of each pair, in the order of the requests. */
  readonly #waiting = new Map<string, (snapshot: BookSnapshot) => void>();
  #timer: NodeJS.Timeout | undefined;
  #request: AbortController | undefined;

  /** @param rest the address before `/api/v3/depth` */
  constructor(rest: string, maxBackoff: number, { log, clock }: FeedContext) {
    this.#rest = rest.replace(/\/+$/, "");
    this.#backoff = new Backoff(MIN_BACKOFF_MILLIS, maxBackoff);
    this.#events = new RateLimitedLog(log, clock);
  }

  /** Asks for a snapshot of a pair, until there is one; once, however often it is called. */
  request(pair: string, deliver: (snapshot: BookSnapshot) => void): void {
    this.#waiting.set(pair, deliver);
    if (!this.#timer && !this.#request) this.#next(0);
  }

  /** Nobody waits for this pair any more. */
  cancel(pair: string): void {
    this.#waiting.delete(pair);
    if (this.#waiting.size > 0) return;
    // The wait remains, so that the spacing holds; it does not keep the process.
    this.#request?.abort();
  }

  #next(wait: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const [pair] = this.#waiting.keys();
      if (pair !== undefined) void this.#ask(pair);
    }, wait);
    this.#timer.unref();
  }

  async #ask(pair: string): Promise<void> {
    const request = new AbortController();
    this.#request = request;
    let wait = SPACING_MILLIS;
    try {
      const signal = AbortSignal.any([request.signal, AbortSignal.timeout(REQUEST_MILLIS)]);
      const response = await fetch(`${this.#rest}/api/v3/depth?symbol=${pair}&limit=${LEVELS}`, { signal });
      if (!response.ok) {
        await response.body?.cancel();
        const after = readNumber(response.headers.get("retry-after")) ?? 0;
        wait = Math.min(Math.max(after, 0), LONGEST_WAIT_SECONDS) * 1_000;
        throw new Error(`the venue answered ${response.status}`);
      }
      const snapshot = readSnapshot(await bodyOf(response));
      if (!snapshot) throw new Error("the answer is no snapshot of a book");
      this.#backoff.reset();
      const deliver = this.#waiting.get(pair);
      this.#waiting.delete(pair);
      deliver?.(snapshot);
    } catch (error) {
      const deliver = this.#waiting.get(pair);
      if (deliver) {
        wait = Math.max(wait, this.#backoff.next());
        // To the end, so that one pair that the venue does not know does not hold up the others.
        this.#waiting.delete(pair);
        this.#waiting.set(pair, deliver);
        const { message } = error as Error;
        this.#events.write("warn", { pair, reason: message, wait: Math.round(wait) }, "no snapshot of a book");
      }
    }
    this.#request = undefined;
    this.#next(wait);
  }
}

/** @throws an error when it is too long */
async function bodyOf(response: Response): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > MOST_BYTES) throw new Error(`the answer has more than ${MOST_BYTES} bytes`);
    parts.push(part);
  }
  return JSON.parse(Buffer.concat(parts).toString());
}

function readSnapshot(value: unknown): BookSnapshot | undefined {
  const answer = readObject(value);
  const lastUpdateId = readNumber(answer?.lastUpdateId);
  const [bids, asks] = [readLevels(answer?.bids), readLevels(answer?.asks)];
  return lastUpdateId === undefined || !bids || !asks ? undefined : { lastUpdateId, bids, asks };
}

/**
 * HTTP requests to a venue, one after the other at a bounded rate; all connections of a feed share them. After 429 or
 * 418 the venue's `Retry-After` is kept: who goes on is banned.
 */
import { Backoff } from "../../base/backoff.ts";
import { readNumber } from "../number.ts";

/** The venue is away or busy; it refuses this request; or its answer is of no use. */
export type FailureKind = "unavailable" | "refused" | "unusable";

export interface VenueRequest {
  /** What follows the venue's address. */
  readonly path: string;
  /** How long the next request waits after this one, ms. */
  readonly spacing: number;
  /** The longest answer. */
  readonly mostBytes: number;
  /** Whether it goes before those that are not. */
  readonly isUrgent: boolean;
  /** Gets the answer's JSON. Throws where it is of no use. */
  answered(value: unknown): void;
  /**
   * @param wait how long nothing is requested now, ms
   * @returns whether to ask again, after all that wait
   */
  failed(reason: string, kind: FailureKind, wait: number): boolean;
}

/** A thousand Binance pairs wait for eight minutes; so many are a fault. */
const MOST_WAITING = 10_000;
const MIN_BACKOFF_MILLIS = 1_000;
const REQUEST_MILLIS = 10_000;
/** The longest ban that Binance's documentation names. */
const LONGEST_WAIT_SECONDS = 3 * 86_400;
const [TIMEOUT, BANNED, TOO_MANY, SERVER_ERRORS] = [408, 418, 429, 500];

class Failure extends Error {
  readonly kind: FailureKind;
  /** ms. */
  readonly wait: number;

  constructor(message: string, kind: FailureKind, wait = 0) {
    super(message);
    this.kind = kind;
    this.wait = wait;
  }
}

export class PacedRequests {
  readonly #rest: string;
  readonly #backoff: Backoff;
  readonly #urgent: VenueRequest[] = [];
  readonly #others: VenueRequest[] = [];
  #current: { readonly request: VenueRequest; readonly abort: AbortController } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param rest the address before the paths */
  constructor(rest: string, maxBackoff: number) {
    this.#rest = rest.replace(/\/+$/, "");
    this.#backoff = new Backoff(MIN_BACKOFF_MILLIS, maxBackoff);
  }

  /** @returns false where too many wait already */
  add(request: VenueRequest): boolean {
    if (this.#isClosed || this.#urgent.length + this.#others.length >= MOST_WAITING) return false;
    (request.isUrgent ? this.#urgent : this.#others).push(request);
    if (!this.#timer && !this.#current) this.#schedule(0);
    return true;
  }

  /** Nobody waits for it any more: it is neither answered nor failed. */
  cancel(request: VenueRequest): void {
    for (const list of [this.#urgent, this.#others]) {
      const index = list.indexOf(request);
      if (index >= 0) list.splice(index, 1);
    }
    if (this.#current?.request === request) this.#current.abort.abort();
  }

  close(): void {
    this.#isClosed = true;
    this.#urgent.length = this.#others.length = 0;
    clearTimeout(this.#timer);
    this.#current?.abort.abort();
  }

  #schedule(wait: number): void {
    if (this.#isClosed) return;
    // The wait remains when nobody waits, so that the spacing holds; it does not keep the process.
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const request = this.#urgent.shift() ?? this.#others.shift();
      if (request) void this.#ask(request);
    }, wait).unref();
  }

  async #ask(request: VenueRequest): Promise<void> {
    const abort = new AbortController();
    this.#current = { request, abort };
    let wait = request.spacing;
    try {
      const value = await this.#answer(request, abort.signal);
      if (!abort.signal.aborted) {
        request.answered(value);
        this.#backoff.reset();
      }
    } catch (error) {
      if (!abort.signal.aborted) {
        const { message } = error as Error;
        const failure = error instanceof Failure ? error : new Failure(message, "unusable");
        wait = Math.max(wait, failure.wait, this.#backoff.next());
        // To the end, so that one that the venue does not know does not hold up the others.
        if (request.failed(message, failure.kind, Math.round(wait))) this.add(request);
      }
    }
    this.#current = undefined;
    this.#schedule(wait);
  }

  async #answer({ path, mostBytes }: VenueRequest, aborted: AbortSignal): Promise<unknown> {
    const signal = AbortSignal.any([aborted, AbortSignal.timeout(REQUEST_MILLIS)]);
    const response = await fetch(`${this.#rest}${path}`, { signal }).catch(unavailable);
    const { status } = response;
    if (!response.ok) {
      await response.body?.cancel().catch(unavailable);
      const after = readNumber(response.headers.get("retry-after")) ?? 0;
      const wait = Math.min(Math.max(after, 0), LONGEST_WAIT_SECONDS) * 1_000;
      const isBusy = status === TIMEOUT || status === BANNED || status === TOO_MANY || status >= SERVER_ERRORS;
      throw new Failure(`the venue answered ${status}`, isBusy ? "unavailable" : "refused", wait);
    }
    return JSON.parse(await textOf(response, mostBytes));
  }
}

async function textOf(response: Response, mostBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const part of response.body ?? []) {
      bytes += part.length;
      if (bytes > mostBytes) throw new Failure(`the answer has more than ${mostBytes} bytes`, "unusable");
      parts.push(part);
    }
  } catch (error) {
    throw error instanceof Failure ? error : unavailable(error as Error);
  }
  return Buffer.concat(parts).toString();
}

/** `fetch` says only that it failed; the cause says why. */
function unavailable({ message, cause }: Error): never {
  throw new Failure(
    cause instanceof Error && cause.message !== "" ? `${message}: ${cause.message}` : message,
    "unavailable",
  );
}

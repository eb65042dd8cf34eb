/**
 * Writes HTTP responses in bounded memory and time. This file relies on these facts of uWebSockets.js: it parses all
 * requests of one read (up to 512 KB), and buffers without a limit what `end` and `write` cannot send. `tryEnd` and
 * `write` return whether the kernel accepted all earlier bytes. A request that arrives before a response is done closes
 * the connection. So a response is not done before the kernel has it, except the first few of an event loop iteration.
 */
import type { HttpResponse } from "uWebSockets.js";
import type { Clock } from "../../base/clock.ts";
import { type Account, type BudgetRefusal, BYTES_PER_UNIT, type HttpBudget } from "./budget.ts";

/**
 * The size of one slice of a long response, bytes: less than half a millisecond of work, and more than the 16 KB that
 * uWebSockets.js collects while a socket is corked, so that `write` returns whether the kernel took it.
 */
export const SLICE_BYTES = 32_768;
/** The most memory of a streamed response, bytes: the unsent part of one slice, and the next slice. */
export const RESPONSE_BYTES = SLICE_BYTES * 2;
/**
 * The slice for a slow client that accepts bytes again: it is added to the unsent bytes, and the kernel reports a
 * socket as writable only when more than this fits.
 */
const PROBE_BYTES = 1_024;
/**
 * Bytes that may be answered immediately in one iteration of the event loop. All of them may wait in a socket that does
 * not read. A few pipelined requests fit; a client that sends more at once is disconnected.
 */
const IMMEDIATE_BYTES = 4_096;
/** The approximate size of a response's head, bytes. */
const HEAD_BYTES = 600;
/** The time for slices in one iteration of the event loop, ms. */
const SLICES_TIME = 2;
/** A response may take this time, ms, and more at this rate, bytes per ms; a slower reader is disconnected. */
const EXTRA_TIME = 10_000;
const SLOWEST_RATE = 8;
const CHECK_INTERVAL = 1_000;
/** The delay of a refusal, ms: it limits the rate of a client that retries at once. */
const REFUSAL_DELAY = 250;
/** How long a connection stays open after a response without a body, ms: its header asks the client to close it. */
const CLOSE_DELAY = 1_000;

export interface Head {
  readonly status: string;
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A response that the client has not read yet. */
interface Pending {
  readonly res: HttpResponse;
  readonly since: number;
  sent(): number;
}

export class ResponseWriter {
  readonly #budget: HttpBudget;
  readonly #clock: Clock;
  readonly #pending = new Set<Pending>();
  readonly #ready: StreamedResponse[] = [];
  /** Bytes answered immediately in this iteration of the event loop. */
  #immediateBytes = 0;
  #isResetDue = false;
  #isScheduled = false;
  #overdueTimer: NodeJS.Timeout | undefined;

  readonly #headers: Readonly<Record<string, string>>;

  /** @param headers of every response */
  constructor(budget: HttpBudget, clock: Clock, headers: Readonly<Record<string, string>>) {
    this.#budget = budget;
    this.#clock = clock;
    this.#headers = headers;
  }

  /** The number of responses that clients have not read yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Sends a body that is in memory. The response must not be used afterwards.
   * @param withBody false for the response to a HEAD, and for 304
   * @param ended called once, when the body is no longer needed
   */
  send(res: HttpResponse, head: Head, body: string | Buffer, withBody = true, ended = () => {}): void {
    // An empty body is sent as an empty line: only a byte shows whether the kernel took the response.
    const bytes = body.length === 0 ? EMPTY_LINE : typeof body === "string" ? Buffer.from(body) : body;
    if (!withBody) {
      this.#sendHead(res, head, bytes.length);
      return ended();
    }
    if (this.#reserveImmediate(HEAD_BYTES + bytes.length)) {
      let isDone = false;
      res.cork(() => {
        this.#writeHead(res, head);
        isDone = res.tryEnd(bytes, bytes.length)[1];
      });
      if (isDone) ended();
      else this.#sendRest(res, bytes, ended);
      return;
    }
    let isAborted = false;
    res.onAborted(() => {
      isAborted = true;
      ended();
    });
    setImmediate(() => {
      if (!isAborted) this.#sendConfirmed(res, head, bytes, ended);
    });
  }

  /** Sends JSON. */
  sendJson(res: HttpResponse, head: Omit<Head, "type">, body: unknown, withBody = true): void {
    this.send(res, { ...head, type: JSON_TYPE }, JSON.stringify(body), withBody);
  }

  /** Refuses a request that the client may repeat later. */
  refuse(res: HttpResponse, { reason, retryAfter }: BudgetRefusal, withBody = true): void {
    const isOwn = reason.startsWith("address");
    const head: Head = {
      status: isOwn ? "429 Too Many Requests" : "503 Service Unavailable",
      type: JSON_TYPE,
      headers: { "Retry-After": String(retryAfter), "Cache-Control": "no-store" },
    };
    const body = JSON.stringify({
      error: isOwn ? "too much is asked for by this address" : "too much is asked for; try again, or another node",
    });
    this.#sendDelayed(res, head, body, withBody);
  }

  /** Sends JSON with a delay, to a client that sends too many requests. */
  sendJsonDelayed(res: HttpResponse, head: Omit<Head, "type">, body: unknown): void {
    this.#sendDelayed(res, { ...head, type: JSON_TYPE }, JSON.stringify(body), true);
  }

  #sendDelayed(res: HttpResponse, head: Head, body: string, withBody: boolean): void {
    const timer = setTimeout(() => {
      if (withBody) this.#sendConfirmed(res, head, Buffer.from(body), () => {});
      else this.#sendHead(res, head, body.length);
    }, REFUSAL_DELAY);
    res.onAborted(() => clearTimeout(timer));
  }

  /**
   * Generates and sends a body slice by slice, no faster than the client reads.
   * @param account the account that pays; {@link RESPONSE_BYTES} are reserved already, and `ended` releases them
   * @param ended called once, when nothing of the body is in memory
   */
  stream(res: HttpResponse, head: Head, pieces: Iterator<string>, account: Account, ended: () => void): void {
    const { text, isLast } = collect(pieces, SLICE_BYTES);
    this.#budget.charge(account, text.length / BYTES_PER_UNIT);
    if (isLast) return this.send(res, head, text, true, ended);
    const stream = new StreamedResponse(res, this.#completed(head), pieces, text, {
      charge: (bytes) => this.#budget.charge(account, bytes / BYTES_PER_UNIT),
      ready: () => this.#enqueue(stream),
      ended: () => {
        this.#removePending(pending);
        ended();
      },
    });
    const pending = this.#addPending(res, () => stream.sent);
    this.#enqueue(stream);
  }

  close(): void {
    clearInterval(this.#overdueTimer);
    this.#overdueTimer = undefined;
  }

  #reserveImmediate(bytes: number): boolean {
    if (this.#immediateBytes + bytes > IMMEDIATE_BYTES) return false;
    this.#immediateBytes += bytes;
    if (!this.#isResetDue) {
      this.#isResetDue = true;
      setImmediate(() => {
        this.#isResetDue = false;
        this.#immediateBytes = 0;
      });
    }
    return true;
  }

  #sendConfirmed(res: HttpResponse, head: Head, bytes: Buffer, ended: () => void): void {
    res.cork(() => this.#writeHead(res, head));
    if (sendRemaining(res, bytes)) return ended();
    this.#sendRest(res, bytes, ended);
  }

  /** The unsent part of the body is not copied for a slow reader. */
  #sendRest(res: HttpResponse, bytes: Buffer, ended: () => void): void {
    const pending = this.#addPending(res, () => res.getWriteOffset());
    const end = () => {
      this.#removePending(pending);
      ended();
    };
    res.onAborted(end);
    res.onWritable(() => {
      const isDone = sendRemaining(res, bytes);
      if (isDone) end();
      return isDone;
    });
  }

  /**
   * Sends a head alone, and closes the connection. Nothing reports whether the kernel took it, so the response is never
   * done: otherwise a client could make many responses wait in a socket that it does not read.
   */
  #sendHead(res: HttpResponse, head: Head, length: number): void {
    const timer = setTimeout(() => res.close(), CLOSE_DELAY);
    res.onAborted(() => clearTimeout(timer));
    res.cork(() => {
      this.#writeHead(res, head);
      res.writeHeader("Connection", "close");
      // With a length above 0 and no bytes, this ends the head but not the response.
      res.tryEnd("", length);
    });
  }

  #writeHead(res: HttpResponse, head: Head): void {
    writeHead(res, this.#completed(head));
  }

  /** A head with the headers that every response has. */
  #completed(head: Head): Head {
    return { ...head, headers: { ...this.#headers, ...head.headers } };
  }

  #enqueue(stream: StreamedResponse): void {
    this.#ready.push(stream);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#sendSlices());
  }

  /** Sends a slice of each ready response, until the time of this iteration is used. */
  #sendSlices(): void {
    this.#isScheduled = false;
    const end = this.#clock.millis() + SLICES_TIME;
    for (let count = this.#ready.length; count > 0 && this.#clock.millis() < end; count--)
      this.#ready.shift()?.sendSlice();
    if (this.#ready.length === 0 || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#sendSlices());
  }

  #addPending(res: HttpResponse, sent: () => number): Pending {
    const pending = { res, since: this.#clock.millis(), sent };
    this.#pending.add(pending);
    this.#overdueTimer ??= setInterval(() => this.#closeOverdue(), CHECK_INTERVAL).unref();
    return pending;
  }

  #removePending(pending: Pending): void {
    this.#pending.delete(pending);
    if (this.#pending.size === 0) this.close();
  }

  #closeOverdue(): void {
    const now = this.#clock.millis();
    for (const { res, since, sent } of this.#pending) if (now - since > EXTRA_TIME + sent() / SLOWEST_RATE) res.close();
  }
}

const EMPTY_LINE = Buffer.from("\n");
const JSON_TYPE = "application/json; charset=utf-8";

/** What a streamed response reports to its writer. */
interface StreamEvents {
  charge(bytes: number): void;
  /** The client can accept more. */
  ready(): void;
  ended(): void;
}

/** A response that is generated while it is sent. */
class StreamedResponse {
  readonly #res: HttpResponse;
  readonly #head: Head;
  readonly #pieces: Iterator<string>;
  readonly #events: StreamEvents;
  /** The next slice, already generated. */
  #text: string;
  #isLast = false;
  #isEnded = false;
  #isWaiting = false;
  /** Bytes written to the socket. */
  sent = 0;

  constructor(res: HttpResponse, head: Head, pieces: Iterator<string>, first: string, events: StreamEvents) {
    this.#res = res;
    this.#head = head;
    this.#pieces = pieces;
    this.#text = first;
    this.#events = events;
    res.onAborted(() => this.#end());
    res.onWritable(() => {
      if (this.#isWaiting) {
        this.#isWaiting = false;
        events.ready();
      }
      return true;
    });
  }

  /** Sends the next slice. */
  sendSlice(): void {
    if (this.#isEnded) return;
    const isTaken = this.#write(this.#text);
    this.sent += this.#text.length;
    if (isTaken && this.#isLast) return this.#end();
    const { text } = collect(this.#pieces, isTaken ? SLICE_BYTES : PROBE_BYTES);
    this.#events.charge(text.length);
    // JSON may end with any number of empty lines. The last one shows whether the kernel took all before it.
    this.#text = text === "" ? "\n" : text;
    this.#isLast = text === "";
    if (isTaken) this.#events.ready();
    else this.#isWaiting = true;
  }

  /** @returns whether the kernel took all earlier bytes, and all of `text` when it is larger than the cork buffer */
  #write(text: string): boolean {
    const res = this.#res;
    let isTaken = false;
    res.cork(() => {
      if (this.sent === 0) writeHead(res, this.#head);
      isTaken = res.write(text);
      if (isTaken && this.#isLast) res.end();
    });
    return isTaken;
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#events.ended();
  }
}

/** Collects at least so many bytes, or all that is left. */
function collect(pieces: Iterator<string>, bytes: number): { text: string; isLast: boolean } {
  let text = "";
  while (text.length < bytes) {
    const { value, done } = pieces.next();
    if (done) return { text, isLast: true };
    text += value;
  }
  return { text, isLast: false };
}

/**
 * Sends the rest of a body. The last byte is sent alone: it is accepted only when the kernel has all bytes before it.
 * @returns whether the response is done
 */
function sendRemaining(res: HttpResponse, bytes: Buffer): boolean {
  const last = bytes.length - 1;
  if (res.getWriteOffset() < last) res.cork(() => res.tryEnd(bytes.subarray(res.getWriteOffset(), last), bytes.length));
  if (res.getWriteOffset() < last) return false;
  let isDone = false;
  res.cork(() => {
    isDone = res.tryEnd(bytes.subarray(last), bytes.length)[1];
  });
  return isDone;
}

function writeHead(res: HttpResponse, { status, type, headers = {} }: Head): void {
  res.writeStatus(status).writeHeader("Content-Type", type);
  for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
}

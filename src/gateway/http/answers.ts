/**
 * Answers over HTTP in bounded memory and time. What uWebSockets.js does, and this file counts on: it parses all requests that
 * have come in one read (up to 512 KB), and buffers without a limit what `end` and `write` cannot send. `tryEnd` and
 * `write` say whether the kernel has taken what was before them. A request that comes while an answer is not done
 * closes the connection. So an answer is not done before the kernel has it, except the first few of a turn of the event loop.
 */
import type { HttpResponse } from "uWebSockets.js";
import type { Clock } from "../../base/clock.ts";
import { type Account, BYTES_PER_UNIT, type HttpBudget, type Refused } from "./budget.ts";

/**
 * What is generated of a long answer in one go, bytes: less than half a millisecond's work, and more than the 16 KB that
 * uWebSockets.js collects while a socket is corked, so that `write` says how it went.
 */
export const SLICE_BYTES = 32_768;
/** What an answer that is generated holds at most, bytes: what the socket has not sent of one slice, and the next one. */
export const ANSWER_BYTES = SLICE_BYTES * 2;
/**
 * What is generated when a client that has not kept up takes something again: it is added to what is still waiting, and the
 * kernel says that a socket is writable only when more than this fits.
 */
const PROBE_BYTES = 1_024;
/**
 * What may be answered at once in one turn of the event loop, bytes. It may all wait in a socket that does not read, so this is
 * what a done answer leaves there. A few pipelined requests fit; whoever sends more at once is disconnected.
 */
const TURN_BYTES = 4_096;
/** What a head takes, bytes, about. */
const HEAD_BYTES = 600;
/** How long the event loop is held for slices in one turn, ms. */
const TURN_TIME = 2;
/** How long an answer may take beyond its bytes, ms, and the slowest reader, bytes a ms: one that is slower is disconnected. */
const PATIENCE = 10_000;
const SLOWEST = 8;
const SWEEP_TIME = 1_000;
/** How long a refused client waits for its answer, ms: one that asks again at once cannot do so without end. */
const REFUSAL_DELAY = 250;
/** How long a connection is kept after an answer without a body, ms: the client closes it by itself, since it is told to. */
const CLOSE_DELAY = 1_000;

export interface Head {
  readonly status: string;
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that the client has not taken yet. */
interface Pending {
  readonly res: HttpResponse;
  readonly since: number;
  sent(): number;
}

export class HttpAnswers {
  readonly #budget: HttpBudget;
  readonly #clock: Clock;
  readonly #pending = new Set<Pending>();
  readonly #ready: Stream[] = [];
  /** What has been answered at once in this turn, bytes. */
  #turnBytes = 0;
  #isResetDue = false;
  #isRunDue = false;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(budget: HttpBudget, clock: Clock) {
    this.#budget = budget;
    this.#clock = clock;
  }

  /** Answers that clients have not taken yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Sends a body that is in memory already. The response must not be used afterwards.
   * @param withBody false for the answer to a HEAD, and for 304
   * @param ended called once, when the body is not needed any more
   */
  send(res: HttpResponse, head: Head, body: string | Buffer, withBody = true, ended = () => {}): void {
    // There must be something to be taken: an empty body is sent as an empty line.
    const bytes = body.length === 0 ? EMPTY_LINE : typeof body === "string" ? Buffer.from(body) : body;
    if (!withBody) {
      this.#sendHead(res, head, bytes.length);
      return ended();
    }
    if (this.#takeTurn(HEAD_BYTES + bytes.length)) {
      let isDone = false;
      res.cork(() => {
        writeHead(res, head);
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
      if (!isAborted) this.#sendExactly(res, head, bytes, ended);
    });
  }

  /** Sends JSON. */
  json(res: HttpResponse, head: Omit<Head, "type">, body: unknown, withBody = true): void {
    this.send(res, { ...head, type: JSON_TYPE }, JSON.stringify(body), withBody);
  }

  /** Refuses a request that may come again later. */
  refuse(res: HttpResponse, { reason, retryAfter }: Refused, withBody = true): void {
    const isOwn = reason.startsWith("address");
    const head: Head = {
      status: isOwn ? "429 Too Many Requests" : "503 Service Unavailable",
      type: JSON_TYPE,
      headers: { "Retry-After": String(retryAfter), "Cache-Control": "no-store" },
    };
    const body = JSON.stringify({
      error: isOwn ? "too much is asked for by this address" : "too much is asked for; try again, or another node",
    });
    this.#sendLater(res, head, body, withBody);
  }

  /** Sends JSON to a client that asks too often: not at once. */
  jsonLater(res: HttpResponse, head: Omit<Head, "type">, body: unknown): void {
    this.#sendLater(res, { ...head, type: JSON_TYPE }, JSON.stringify(body), true);
  }

  #sendLater(res: HttpResponse, head: Head, body: string, withBody: boolean): void {
    const timer = setTimeout(() => {
      if (withBody) this.#sendExactly(res, head, Buffer.from(body), () => {});
      else this.#sendHead(res, head, body.length);
    }, REFUSAL_DELAY);
    res.onAborted(() => clearTimeout(timer));
  }

  /**
   * Sends a body as it is generated, and generates no more than the client takes.
   * @param account what it is charged to; {@link ANSWER_BYTES} are reserved already, and released by `ended`
   * @param ended called once, when nothing of it is in memory any more
   */
  stream(res: HttpResponse, head: Head, pieces: Iterator<string>, account: Account, ended: () => void): void {
    const { text, isLast } = collect(pieces, SLICE_BYTES);
    this.#budget.charge(account, text.length / BYTES_PER_UNIT);
    if (isLast) return this.send(res, head, text, true, ended);
    const stream = new Stream(res, head, pieces, text, {
      charge: (bytes) => this.#budget.charge(account, bytes / BYTES_PER_UNIT),
      isReady: () => this.#enqueue(stream),
      ended: () => {
        this.#forget(pending);
        ended();
      },
    });
    const pending = this.#remember(res, () => stream.sent);
    this.#enqueue(stream);
  }

  close(): void {
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #takeTurn(bytes: number): boolean {
    if (this.#turnBytes + bytes > TURN_BYTES) return false;
    this.#turnBytes += bytes;
    if (!this.#isResetDue) {
      this.#isResetDue = true;
      setImmediate(() => {
        this.#isResetDue = false;
        this.#turnBytes = 0;
      });
    }
    return true;
  }

  #sendExactly(res: HttpResponse, head: Head, bytes: Buffer, ended: () => void): void {
    res.cork(() => writeHead(res, head));
    if (push(res, bytes)) return ended();
    this.#sendRest(res, bytes, ended);
  }

  /** What is not taken yet stays where it is and is not copied for a slow reader. */
  #sendRest(res: HttpResponse, bytes: Buffer, ended: () => void): void {
    const pending = this.#remember(res, () => res.getWriteOffset());
    const end = () => {
      this.#forget(pending);
      ended();
    };
    res.onAborted(end);
    res.onWritable(() => {
      const isDone = push(res, bytes);
      if (isDone) end();
      return isDone;
    });
  }

  /**
   * Sends a head alone, and closes the connection. Nothing says whether the kernel has taken it, so this is never done: were
   * it, a client could have answer after answer wait in a socket that it does not read.
   */
  #sendHead(res: HttpResponse, head: Head, length: number): void {
    const timer = setTimeout(() => res.close(), CLOSE_DELAY);
    res.onAborted(() => clearTimeout(timer));
    res.cork(() => {
      writeHead(res, head);
      res.writeHeader("Connection", "close");
      // With a length above 0 and no byte of it, this ends the head and not the answer.
      res.tryEnd("", length);
    });
  }

  #enqueue(stream: Stream): void {
    this.#ready.push(stream);
    if (this.#isRunDue) return;
    this.#isRunDue = true;
    setImmediate(() => this.#run());
  }

  /** A slice of each that is ready, as long as the time of this turn lasts. */
  #run(): void {
    this.#isRunDue = false;
    const end = this.#clock.millis() + TURN_TIME;
    for (let count = this.#ready.length; count > 0 && this.#clock.millis() < end; count--) this.#ready.shift()?.step();
    if (this.#ready.length === 0 || this.#isRunDue) return;
    this.#isRunDue = true;
    setImmediate(() => this.#run());
  }

  #remember(res: HttpResponse, sent: () => number): Pending {
    const pending = { res, since: this.#clock.millis(), sent };
    this.#pending.add(pending);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_TIME).unref();
    return pending;
  }

  #forget(pending: Pending): void {
    this.#pending.delete(pending);
    if (this.#pending.size === 0) this.close();
  }

  #sweep(): void {
    const now = this.#clock.millis();
    for (const { res, since, sent } of this.#pending) if (now - since > PATIENCE + sent() / SLOWEST) res.close();
  }
}

const EMPTY_LINE = Buffer.from("\n");
const JSON_TYPE = "application/json; charset=utf-8";

/** What a stream needs of the desk that it is at. */
interface StreamHost {
  charge(bytes: number): void;
  /** The client takes more. */
  isReady(): void;
  ended(): void;
}

/** An answer that is generated while it is sent. */
class Stream {
  readonly #res: HttpResponse;
  readonly #head: Head;
  readonly #pieces: Iterator<string>;
  readonly #host: StreamHost;
  /** What is next, where it has been generated already. */
  #text: string;
  #isLast = false;
  #isEnded = false;
  #isWaiting = false;
  /** Bytes given to the socket. */
  sent = 0;

  constructor(res: HttpResponse, head: Head, pieces: Iterator<string>, first: string, host: StreamHost) {
    this.#res = res;
    this.#head = head;
    this.#pieces = pieces;
    this.#text = first;
    this.#host = host;
    res.onAborted(() => this.#end());
    res.onWritable(() => {
      if (this.#isWaiting) {
        this.#isWaiting = false;
        host.isReady();
      }
      return true;
    });
  }

  /** Sends the next slice. */
  step(): void {
    if (this.#isEnded) return;
    const isTaken = this.#write(this.#text);
    this.sent += this.#text.length;
    if (isTaken && this.#isLast) return this.#end();
    const { text } = collect(this.#pieces, isTaken ? SLICE_BYTES : PROBE_BYTES);
    this.#host.charge(text.length);
    // JSON may end with any number of empty lines. The last one shows whether all before it has been taken.
    this.#text = text === "" ? "\n" : text;
    this.#isLast = text === "";
    if (isTaken) this.#host.isReady();
    else this.#isWaiting = true;
  }

  /** @returns whether the kernel has taken all that was before it, and all of it where it is more than the cork buffer */
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
    this.#host.ended();
  }
}

/** At least so many bytes, or what is left. */
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
 * Sends what is left of a body. The last byte goes by itself: it is only taken when the kernel has all that is before it.
 * @returns whether the answer is done
 */
function push(res: HttpResponse, bytes: Buffer): boolean {
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

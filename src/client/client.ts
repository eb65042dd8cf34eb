/**
 * The client: live prices from a Tickgate gateway, in browsers and Node. It keeps the connection, asks again for
 * what is wanted after each loss of it, and keeps a book of quotes that never shows an old price as a live one.
 */
import {
  type Bye,
  type Command,
  type Control,
  type Hello,
  MAX_INTERVAL,
  SUBPROTOCOLS,
  type Subprotocol,
} from "../protocol/messages.ts";
import { fieldIndex, isPattern, isSymbol } from "../tick.ts";
import { Book } from "./book.ts";
import { Connection, type ConnectionState } from "./connection.ts";
import { type ClientListener, Listeners } from "./listener.ts";
import { Outbox } from "./outbox.ts";
import type { Quote } from "./quote.ts";
import { globalSocket, type SocketConstructor } from "./socket.ts";
import { type ClientTime, SYSTEM_TIME } from "./time.ts";
import { ViolationCounter, type Violations } from "./violations.ts";
import { commandsOf, type Terms, Wishes } from "./wishes.ts";

export type { ConnectionState } from "./connection.ts";
export type { ClientListener } from "./listener.ts";
export { Quote } from "./quote.ts";
export type { ClientSocket, SocketConstructor, SocketEvent } from "./socket.ts";
export type { ClientTime } from "./time.ts";
export { VIOLATIONS, type Violation, type Violations } from "./violations.ts";
export type { Terms } from "./wishes.ts";

export interface ClientOptions {
  /** Default: the global one. */
  readonly WebSocket?: SocketConstructor;
  /** Default: MessagePack. The other one is offered as well. */
  readonly subprotocol?: Subprotocol;
  /** How often the round trip is measured, ms; 0 for never, which is the default. */
  readonly pingInterval?: number;
  /**
   * How much less than the granted interval may lie between two ticks of a symbol, by their `sentAt`, before it counts
   * as a violation, ms. Default 10: a turn of the gateway may last a few milliseconds, and a frame is stamped in it.
   */
  readonly intervalTolerance?: number;
  readonly time?: ClientTime;
  /** Numbers from 0 to below 1, for the spread of reconnects. */
  readonly random?: () => number;
}

/** Pings without an answer that are remembered. */
const MOST_PINGS = 16;
const DEFAULT_TOLERANCE = 10;

export class TickgateClient {
  /** The last measured round trip, ms; undefined before the first. */
  roundTrip: number | undefined;
  /** How far the gateway's clock is ahead of this one, microseconds, give or take half the round trip. */
  clockOffset = 0;
  readonly #time: ClientTime;
  readonly #pingInterval: number;
  readonly #listeners = new Listeners();
  readonly #violations = new ViolationCounter((violation, detail) =>
    this.#listeners.tell("violation", violation, detail),
  );
  readonly #wishes = new Wishes();
  readonly #book: Book;
  readonly #connection: Connection;
  /** When pings that wait for their answer were sent, ms, by id. */
  readonly #pings = new Map<number, number>();
  #lastPing = 0;
  #cancelPing: () => void = () => {};
  #hello: Hello | undefined;
  #outbox: Outbox | undefined;

  /**
   * Does not connect yet.
   * @param url of the gateway: `wss://HOST/v1/stream`
   */
  constructor(url: string, options: ClientOptions = {}) {
    const preferred = options.subprotocol ?? SUBPROTOCOLS[0];
    this.#time = options.time ?? SYSTEM_TIME;
    this.#pingInterval = options.pingInterval ?? 0;
    this.#book = new Book(this.#listeners, this.#violations, options.intervalTolerance ?? DEFAULT_TOLERANCE);
    this.#connection = new Connection(
      url,
      {
        WebSocket: options.WebSocket ?? globalSocket(),
        subprotocols: [preferred, ...SUBPROTOCOLS.filter((name) => name !== preferred)],
        time: this.#time,
        random: options.random ?? Math.random,
        violations: this.#violations,
      },
      {
        state: (state) => this.#changed(state),
        message: (message) => this.#message(message),
        frame: (frame, bytes) => this.#book.frame(frame, bytes),
      },
    );
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** The quotes of all granted symbols, by symbol. */
  get quotes(): ReadonlyMap<string, Quote> {
    return this.#book.quotes;
  }

  /** How often the gateway has broken a promise of the protocol: all 0 at a good one. */
  get violations(): Violations {
    return this.#violations.counts;
  }

  /** What has come in all: data frames, ticks, and ticks that were conflated on the way. */
  get counts(): { readonly frames: number; readonly ticks: number; readonly conflated: number } {
    const { frames, ticks, conflated } = this.#book;
    return { frames, ticks, conflated };
  }

  /** @returns what takes the listener away again */
  listen(listener: ClientListener): () => void {
    return this.#listeners.add(listener);
  }

  /** Connects, and again whenever the connection is lost, until {@link close} or until the gateway says no. */
  connect(): void {
    this.#connection.start();
  }

  /** Ends the connection for good. What was known stays in the book, stale. */
  close(): void {
    this.#connection.end("closed by the caller");
  }

  /**
   * Wants symbols, and patterns such as `SIM:*`, now and on every connection to come. Of symbols wanted already it
   * changes the terms.
   * @throws RangeError when something is no symbol, no interval or no field
   */
  subscribe(symbols: readonly string[], terms: Terms = {}): void {
    checkTexts(symbols);
    checkTerms(terms);
    const kept: Terms = { ...terms };
    this.#wishes.want(symbols, kept);
    this.#order(symbols, kept);
  }

  /**
   * Does not want symbols or patterns any more; `*` ends all.
   * @throws RangeError when something is no symbol
   */
  unsubscribe(symbols: readonly string[]): void {
    checkTexts(symbols);
    this.#wishes.unwant(symbols);
    if (this.#hello) return this.#order(symbols, null);
    const gone = new Set(symbols.filter(isSymbol));
    const prefixes = symbols.filter(isPattern).map((pattern) => pattern.slice(0, -1));
    this.#book.forget((symbol) => !gone.has(symbol) && !prefixes.some((prefix) => symbol.startsWith(prefix)));
  }

  /** Measures the round trip: the answer is told as `pong`. Does nothing without a connection. */
  ping(): void {
    if (!this.#outbox || this.#pings.size >= MOST_PINGS) return;
    this.#outbox.add({ op: "ping", id: ++this.#lastPing });
    this.#pings.set(this.#lastPing, this.#time.millis());
  }

  #order(symbols: readonly string[], terms: Terms | null): void {
    if (!this.#hello) return;
    for (const command of commandsOf(symbols, terms, this.#hello.limits.messageBytes)) this.#outbox?.add(command);
  }

  #changed(state: ConnectionState): void {
    if (state.phase === "open" && this.#hello !== state.hello) this.#opened(state.hello);
    else if (state.phase === "open" || state.phase === "silent") this.#book.setCurrent(state.phase === "open");
    else this.#closed();
    this.#listeners.tell("connection", state);
  }

  #opened(hello: Hello): void {
    this.#hello = hello;
    this.#book.connected();
    this.#outbox = new Outbox(this.#time, hello.limits.commandsPerSecond, (command: Command) =>
      this.#connection.send(command),
    );
    for (const command of this.#wishes.commands(hello.limits.messageBytes)) this.#outbox.add(command);
    if (this.#pingInterval > 0) this.#pingOn();
  }

  #closed(): void {
    this.#hello = undefined;
    this.#book.setCurrent(false);
    this.#outbox?.close();
    this.#outbox = undefined;
    this.#pings.clear();
    this.#cancelPing();
  }

  #pingOn(): void {
    this.ping();
    this.#cancelPing = this.#time.after(this.#pingInterval, () => this.#pingOn());
  }

  #message(message: Exclude<Control, Hello | Bye>): void {
    switch (message.op) {
      case "subscribed":
        this.#book.granted(message);
        for (const rejection of message.rejected) this.#listeners.tell("rejected", rejection);
        return;
      case "unsubscribed":
        return this.#book.ended(message);
      case "status":
        return this.#book.status(message);
      case "quality":
        return this.#listeners.tell("quality", message);
      case "error":
        return this.#listeners.tell("error", message);
      case "pong":
        return this.#pong(message.id, message.time);
      case "heartbeat":
        return;
    }
  }

  #pong(id: unknown, time: number): void {
    const sentAt = typeof id === "number" ? this.#pings.get(id) : undefined;
    if (sentAt === undefined) return;
    this.#pings.delete(id as number);
    this.roundTrip = this.#time.millis() - sentAt;
    this.clockOffset = time + (this.roundTrip / 2) * 1_000 - this.#time.micros();
    this.#listeners.tell("pong", this.roundTrip);
  }
}

function checkTexts(texts: readonly string[]): void {
  const wrong = texts.find((text) => !isSymbol(text) && !isPattern(text));
  if (wrong !== undefined)
    throw new RangeError(`${JSON.stringify(wrong)} is not 1 to 64 of A-Z 0-9 . _ - : (or a prefix and *)`);
}

function checkTerms({ interval, fields }: Terms): void {
  if (interval !== undefined && !(interval >= 0 && interval <= MAX_INTERVAL))
    throw new RangeError(`the interval must be from 0 to ${MAX_INTERVAL} ms, not ${interval}`);
  if (!fields) return;
  const wrong = fields.find((name) => fieldIndex(name) < 0);
  if (wrong !== undefined) throw new RangeError(`there is no field ${JSON.stringify(wrong)}`);
  if (fields.length === 0 || new Set(fields).size < fields.length)
    throw new RangeError("fields must be named, each once");
}

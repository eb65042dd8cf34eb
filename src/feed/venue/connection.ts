/**
 * A WebSocket connection to a venue: connect, subscribe, detect silence, reconnect. A {@link Venue} has the parts that
 * differ: the address, the subscriptions, and the meaning of a message.
 */
import type { RawData } from "ws";
import { WebSocket } from "ws";
import { Backoff } from "../../base/backoff.ts";
import type { FeedContext, SkipReason } from "../adapter.ts";
import { SilenceDetector } from "../silence.ts";

/**
 * What a message was: ticks came of it; it was part of the conversation or no news; there is nothing more to come,
 * ever; or it was left out.
 */
export type Outcome = "tick" | "control" | "end" | SkipReason;

/** The venue-specific part of one connection. */
export interface Venue {
  readonly url: string;
  /** The symbols of this connection, by the names of the sink: they are stale when it is lost. */
  readonly symbols: readonly string[];
  /** How many messages a second the venue lets a client send on one connection. */
  readonly messagesPerSecond: number;
  /** The subscribe messages, sent each time that a connection opens. */
  subscribe(): readonly string[];
  /**
   * Converts a message into ticks. Never throws.
   * @param value the message's JSON
   * @param send sends a message to the venue, within its limits
   */
  message(value: unknown, send: (text: string) => void): Outcome;
  /** The connection was lost, or is closed for good: what the venue does besides it ends. */
  lost?(): void;
}

/** The times of a connection, in milliseconds. */
export interface ConnectionOptions {
  /** After so long without any message or ping the connection is dead. */
  readonly silence: number;
  /** The longest wait before connecting again. */
  readonly maxBackoff: number;
  /** The first wait before connecting again is up to this. */
  readonly minBackoff?: number;
}

const MIN_BACKOFF_MILLIS = 1_000;
/** The longest time to open a connection. */
const CONNECT_MILLIS = 10_000;
/** After so long with ticks a connection was good: the next failure counts as the first. */
const PROVEN_MILLIS = 10_000;
/** The longest time for the venue's answer to a close. */
const CLOSE_MILLIS = 1_000;
/** The largest message. Coinbase's snapshots of a book have up to 5 MB. */
const MAX_MESSAGE_BYTES = 8 * 1_024 * 1_024;

export class Connection {
  readonly #venue: Venue;
  readonly #context: FeedContext;
  readonly #silence: SilenceDetector;
  readonly #backoff: Backoff;
  #socket: WebSocket | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  /** The time of the first tick of this connection. */
  #tickedAt: number | undefined;
  #wasOpen = false;
  /** Why this connection ends, if that is known before the close. */
  #reason = "";
  readonly #sendQueue: string[] = [];
  #sendTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(venue: Venue, context: FeedContext, options: ConnectionOptions) {
    this.#venue = venue;
    this.#context = context;
    this.#silence = new SilenceDetector(context.clock, options.silence, () => {
      this.#reason = `nothing heard for ${options.silence} ms`;
      this.#socket?.terminate();
    });
    this.#backoff = new Backoff(options.minBackoff ?? MIN_BACKOFF_MILLIS, options.maxBackoff);
  }

  start(): void {
    this.#reason = "";
    this.#tickedAt = undefined;
    this.#wasOpen = false;
    const socket = new WebSocket(this.#venue.url, {
      handshakeTimeout: CONNECT_MILLIS,
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
    });
    this.#socket = socket;
    socket
      .on("open", () => this.#opened())
      .on("message", (data, isBinary) => this.#receive(data, isBinary))
      .on("ping", () => this.#silence.heard())
      // A close event always follows.
      .on("error", (error) => {
        this.#reason ||= error.message || String(error);
      })
      .on("close", (code, reason) => this.#ended(code, reason.toString()));
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Closes for good. Resolves when the venue answered, or after a second. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#venue.lost?.();
    this.#stopTimers();
    clearTimeout(this.#retryTimer);
    const socket = this.#socket;
    if (!socket || socket.readyState === WebSocket.CLOSED) return;
    await new Promise<void>((resolve) => {
      const impatience = setTimeout(() => socket.terminate(), CLOSE_MILLIS);
      socket.once("close", () => {
        clearTimeout(impatience);
        resolve();
      });
      socket.close(1_000);
    });
  }

  #opened(): void {
    const { log, sink } = this.#context;
    if (this.#closed) return;
    this.#wasOpen = true;
    sink.connected(this.#venue.symbols);
    log.info({ url: shown(this.#venue.url) }, "connected");
    this.#silence.start();
    for (const text of this.#venue.subscribe()) this.#send(text);
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#closed) return;
    const { clock, sink, log } = this.#context;
    this.#silence.heard();
    const outcome = isBinary ? "malformed" : this.#parse(data.toString());
    if (outcome === "control") return;
    if (outcome === "end") return void this.close();
    if (outcome !== "tick") return sink.skip(outcome);
    if (this.#tickedAt === undefined) {
      this.#tickedAt = clock.millis();
      log.info({ url: shown(this.#venue.url) }, "live");
    }
  }

  #parse(text: string): Outcome {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return "malformed";
    }
    return this.#venue.message(value, (answer) => this.#send(answer));
  }

  #ended(code: number, reason: string): void {
    this.#stopTimers();
    if (this.#closed) return;
    const { clock, sink, log } = this.#context;
    if (this.#tickedAt !== undefined && clock.millis() - this.#tickedAt >= PROVEN_MILLIS) this.#backoff.reset();
    const wait = Math.round(this.#backoff.next());
    const why = this.#reason || `closed by the venue (${code}${reason && ` ${reason}`})`;
    this.#venue.lost?.();
    if (this.#wasOpen) sink.disconnected();
    sink.stale(`connection lost: ${why}`, this.#venue.symbols);
    log.warn({ url: shown(this.#venue.url), reason: why, wait }, "connection lost; connecting again");
    this.#retryTimer = setTimeout(() => this.start(), wait);
  }

  /** Sends one message at a time, no faster than the venue allows. */
  #send(text: string): void {
    this.#sendQueue.push(text);
    if (!this.#sendTimer) this.#sendNext();
  }

  #sendNext(): void {
    const text = this.#sendQueue.shift();
    this.#sendTimer = undefined;
    if (text === undefined) return;
    this.#socket?.send(text);
    this.#sendTimer = setTimeout(() => this.#sendNext(), 1_000 / this.#venue.messagesPerSecond);
  }

  #stopTimers(): void {
    this.#silence.stop();
    clearTimeout(this.#sendTimer);
    this.#sendTimer = undefined;
    this.#sendQueue.length = 0;
  }
}

/** An address for the log, without its query, which may name a thousand streams. The log removes logins. */
function shown(url: string): string {
  return url.replace(/\?.*$/s, "");
}

/**
 * What is said to the gateway over one connection, and what becomes of it: commands as they are wanted, answers by
 * their id, pings, and another try for what failed or was refused and may be granted later.
 */
import type { Command, Failure, Hello, Pong, Subscribed, Unsubscribed } from "../../protocol/messages.ts";
import { TickgateError } from "../connection/error.ts";
import type { ClientTime } from "../connection/time.ts";
import type { ClockSync } from "./clock_sync.ts";
import type { Demand } from "./demand.ts";
import { Reconciler } from "./reconciler.ts";
import { Throttle } from "./throttle.ts";

/** Commands without an answer that are remembered. */
const MOST_UNANSWERED = 1_000;
/** How long after a failed command, and after a refusal that may pass, it is tried again, ms. */
const FAILED_WAIT = 1_000;
const REFUSED_WAIT = 15_000;

export interface CommandChannelOptions {
  readonly time: ClientTime;
  readonly wishes: Demand;
  readonly sync: ClockSync;
  /** ms; 0 for none */
  readonly pingInterval: number;
  readonly send: (command: Command) => void;
  readonly failed: (error: TickgateError) => void;
}

export class CommandChannel {
  readonly #options: CommandChannelOptions;
  readonly #negotiation: Reconciler;
  readonly #outbox: Throttle;
  /** The ping that waits for its answer, and when it was sent, ms. */
  #ping: number | undefined;
  #pingedAt = 0;
  /** What commands that wait for their answer named, by id. */
  readonly #unanswered = new Map<unknown, readonly string[]>();
  /** What is to be asked for again. */
  readonly #again = new Set<string>();
  #lastId = 0;
  #isPingDue = false;
  #isFlushing = false;
  #cancelPing = () => {};
  #cancelAgain: (() => void) | undefined;

  constructor({ limits, time }: Hello, options: CommandChannelOptions) {
    this.#options = options;
    options.sync.greeted(time);
    this.#negotiation = new Reconciler(options.wishes, limits.messageBytes);
    this.#outbox = new Throttle(options.time, limits.commandsPerSecond, () => this.#next(), options.send);
    if (options.pingInterval > 0) this.#pingOn();
    this.#outbox.kick();
  }

  /** What is wanted of these symbols, or of all and of patterns, may have changed. */
  open(symbols?: Iterable<string>): void {
    this.#negotiation.open(symbols);
    if (this.#isFlushing) return;
    // Once for all calls that are made in a row.
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#outbox.kick();
    });
  }

  /** Measures the round trip, if that is not under way. */
  ping(): void {
    this.#isPingDue = this.#ping === undefined;
    this.#outbox.kick();
  }

  /** A grant, or a part of one: the command is answered when the last part has come. */
  subscribed({ id, more, rejected }: Subscribed): void {
    if (!more) this.#unanswered.delete(id);
    for (const { symbol, code, message } of rejected) {
      const error = new TickgateError(code, `${symbol}: ${message}`, symbol);
      // All of a pattern would be sent again for the few that may be granted now.
      if (error.retryable && !symbol.endsWith("*")) this.#tryAgain([symbol], REFUSED_WAIT);
      this.#options.failed(error);
    }
  }

  unsubscribed({ id, more }: Unsubscribed): void {
    if (more) return;
    this.#unanswered.delete(id);
    // There is room now.
    if (this.#again.size > 0) this.#tryAgain([], 0);
  }

  failed({ id, code, message, retryable }: Failure): void {
    const texts = this.#unanswered.get(id);
    this.#unanswered.delete(id);
    if (id === this.#ping) this.#ping = undefined;
    // What is not subscribed to is as it should be.
    if (code === "not_subscribed") return;
    if (texts && retryable) this.#tryAgain(texts, FAILED_WAIT);
    this.#options.failed(new TickgateError(code, message, undefined, retryable));
  }

  /** @returns whether it answers a ping of ours */
  ponged({ id, time }: Pong): boolean {
    if (id === undefined || id !== this.#ping) return false;
    this.#ping = undefined;
    this.#options.sync.ponged(this.#pingedAt, time);
    return true;
  }

  /** The connection is lost. */
  close(): void {
    this.#outbox.close();
    this.#cancelPing();
    this.#cancelAgain?.();
  }

  /** The next command to be sent. */
  #next(): Command | undefined {
    if (this.#isPingDue) {
      this.#isPingDue = false;
      this.#ping = ++this.#lastId;
      this.#pingedAt = this.#options.time.millis();
      return { op: "ping", id: this.#ping };
    }
    const command = this.#negotiation.next();
    if (!command) return undefined;
    command.id = ++this.#lastId;
    this.#unanswered.set(command.id, command.symbols);
    this.#unanswered.delete(this.#lastId - MOST_UNANSWERED);
    return command;
  }

  #pingOn(): void {
    this.ping();
    this.#cancelPing = this.#options.time.after(this.#options.pingInterval, () => this.#pingOn());
  }

  /** Asks for these, and what else waits for that, again after so many ms, or when that is due already. */
  #tryAgain(texts: readonly string[], wait: number): void {
    for (const text of texts) this.#again.add(text);
    if (this.#cancelAgain && wait > 0) return;
    this.#cancelAgain?.();
    this.#cancelAgain = this.#options.time.after(wait, () => {
      this.#cancelAgain = undefined;
      this.#negotiation.again(this.#again);
      this.#again.clear();
      this.#outbox.kick();
    });
  }
}

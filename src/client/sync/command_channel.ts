/**
 * The commands to the gateway on one connection: sends them, matches answers by their id, sends pings, and retries
 * commands that failed or were refused and may succeed later.
 */
import type {
  ChannelSubscribed,
  Command,
  Failure,
  Hello,
  Pong,
  Subscribed,
  Unsubscribed,
} from "../../protocol/messages.ts";
import { TickgateError } from "../connection/error.ts";
import type { ClockSync } from "./clock_sync.ts";
import type { Demand } from "./demand.ts";
import { Reconciler } from "./reconciler.ts";
import { Throttle } from "./throttle.ts";
import { TokenRefresh, type TokenRefreshOptions } from "./token_refresh.ts";

/** The most commands that wait for an answer; the oldest is forgotten beyond. */
const MOST_UNANSWERED = 1_000;
/** The delay before a retry, after a failed command and after a retryable refusal, ms. */
const FAILED_WAIT = 1_000;
const REFUSED_WAIT = 15_000;

/** A channel of the client. */
export interface DemandedChannel {
  readonly demand: Demand;
}

export interface CommandChannelOptions extends TokenRefreshOptions {
  /** By name, the first ones first. */
  readonly channels: ReadonlyMap<unknown, DemandedChannel>;
  readonly sync: ClockSync;
  /** ms; 0 for none */
  readonly pingInterval: number;
}

export class CommandChannel {
  readonly #options: CommandChannelOptions;
  readonly #hello: Hello;
  /** Undefined for a channel that the gateway does not have. */
  readonly #reconcilers = new Map<DemandedChannel, Reconciler | undefined>();
  readonly #throttle: Throttle;
  readonly refresh: TokenRefresh;
  /** The id of the ping that waits for its answer, and when it was sent, ms. */
  #ping: number | undefined;
  #pingedAt = 0;
  /** The symbols and patterns of the commands that wait for their answer, by id. */
  readonly #unanswered = new Map<unknown, { readonly by: Reconciler; readonly texts: readonly string[] }>();
  #lastId = 0;
  #isPingDue = false;
  #isFlushing = false;
  #cancelPing = () => {};
  #cancelRetry: (() => void) | undefined;

  constructor(hello: Hello, options: CommandChannelOptions) {
    const { limits, time } = hello;
    this.#hello = hello;
    this.#options = options;
    options.sync.greeted(time);
    this.#throttle = new Throttle(options.time, limits.commandsPerSecond, () => this.#next(), options.send);
    this.refresh = new TokenRefresh(options);
    if (options.pingInterval > 0) this.#pingRepeatedly();
    this.#throttle.flush();
  }

  /** The demand for these symbols of a channel, or without any for all and for patterns, may have changed. */
  changed(channel: DemandedChannel, symbols?: Iterable<string>): void {
    this.#of(channel)?.changed(symbols);
    if (this.#isFlushing) return;
    // One flush for all calls in the same task.
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#throttle.flush();
    });
  }

  /** Measures the round trip, unless a ping is waiting for its answer. */
  ping(): void {
    this.#isPingDue = this.#ping === undefined;
    this.#throttle.flush();
  }

  /** A grant or a part of one: the last part completes the answer. */
  subscribed(channel: DemandedChannel, { id, more, rejected }: Subscribed | ChannelSubscribed): void {
    const by = this.#of(channel) as Reconciler;
    if (!more) this.#unanswered.delete(id);
    for (const { symbol, code, message } of rejected) {
      const error = new TickgateError(code, `${symbol}: ${message}`, symbol);
      // A retry of a pattern would send the snapshots of all its symbols again.
      if (error.retryable && !symbol.endsWith("*")) this.#retryLater(REFUSED_WAIT, by, [symbol]);
      if (code === "not_entitled") by.denied.add(symbol);
      this.#options.failed(error);
    }
  }

  unsubscribed(channel: DemandedChannel, { id, more, symbols, reason }: Unsubscribed): void {
    if (reason) for (const symbol of symbols) this.#of(channel)?.denied.add(symbol);
    // Another token may allow them again.
    if (reason === "expired") this.refresh.start();
    if (more || reason) return;
    this.#unanswered.delete(id);
    // Symbols that were refused by a limit may be granted now.
    if (this.#cancelRetry) this.#retryLater(0);
  }

  /** Another token is in force: it may allow more. */
  authenticated(): void {
    this.refresh.stop();
    for (const by of this.#reconcilers.values()) by?.again(by.denied);
    this.#throttle.flush();
  }

  failed({ id, code, message, retryable }: Failure): void {
    const unanswered = this.#unanswered.get(id);
    this.#unanswered.delete(id);
    if (id === this.#ping) this.#ping = undefined;
    this.refresh.refused(id);
    // The client wanted to unsubscribe, so nothing is wrong.
    if (code === "not_subscribed") return;
    if (unanswered && retryable) this.#retryLater(FAILED_WAIT, unanswered.by, unanswered.texts);
    this.#options.failed(new TickgateError(code, message, undefined, retryable));
  }

  /** @returns whether it answers a ping of this client */
  ponged({ id, time }: Pong): boolean {
    if (id === undefined || id !== this.#ping) return false;
    this.#ping = undefined;
    this.#options.sync.ponged(this.#pingedAt, time);
    return true;
  }

  /** The connection is lost. */
  close(): void {
    this.#throttle.close();
    this.refresh.stop();
    this.#cancelPing();
    this.#cancelRetry?.();
  }

  /** The next command to send. */
  #next(): Command | undefined {
    if (this.#isPingDue) {
      this.#isPingDue = false;
      this.#ping = ++this.#lastId;
      this.#pingedAt = this.#options.time.millis();
      return { op: "ping", id: this.#ping };
    }
    for (const channel of this.#options.channels.values()) {
      const by = this.#of(channel);
      const command = by?.next();
      if (!by || !command) continue;
      command.id = ++this.#lastId;
      this.#unanswered.set(command.id, { by, texts: command.symbols });
      this.#unanswered.delete(this.#lastId - MOST_UNANSWERED);
      return command;
    }
    return undefined;
  }

  #of(channel: DemandedChannel): Reconciler | undefined {
    if (!this.#reconcilers.has(channel)) {
      // A gateway of version 1.0 ignores the channel of a command, and would send quotes.
      const { channels = ["quote"], limits } = this.#hello;
      const { name } = channel.demand.kind;
      const isKnown = channels.includes(name);
      this.#reconcilers.set(channel, isKnown ? new Reconciler(channel.demand, limits.messageBytes) : undefined);
      if (!isKnown) this.#options.failed(new TickgateError("unknown_channel", name));
    }
    return this.#reconcilers.get(channel);
  }

  #pingRepeatedly(): void {
    this.ping();
    this.#cancelPing = this.#options.time.after(this.#options.pingInterval, () => this.#pingRepeatedly());
  }

  /** Asks for these and all waiting retries again after the wait, or when a retry is already due. @param wait ms */
  #retryLater(wait: number, by?: Reconciler, texts: readonly string[] = []): void {
    for (const text of texts) by?.retries.add(text);
    if (this.#cancelRetry && wait > 0) return;
    this.#cancelRetry?.();
    this.#cancelRetry = this.#options.time.after(wait, () => {
      this.#cancelRetry = undefined;
      for (const each of this.#reconcilers.values()) each?.again(each.retries);
      this.#throttle.flush();
    });
  }
}

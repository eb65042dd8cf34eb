/**
 * The client: live prices from a Tickgate gateway, in browsers and Node. It keeps the connection, asks again for what
 * is wanted after each loss of it, and never shows an old price as a live one.
 */
import {
  type Bye,
  type Command,
  type Control,
  type Failure,
  type Hello,
  SUBPROTOCOLS,
  type Subprotocol,
  type Subscribed,
} from "../protocol/messages.ts";
import { Ages } from "./ages.ts";
import { Book } from "./book.ts";
import { Connection, type ConnectionState } from "./connection.ts";
import type { Entry } from "./entry.ts";
import { reportUnheard, TickgateError } from "./error.ts";
import { type ClientEvent, type ClientEvents, Listeners } from "./events.ts";
import { Negotiation } from "./negotiation.ts";
import { Outbox } from "./outbox.ts";
import { Quote, type Scope } from "./quote.ts";
import { globalSocket, type SocketConstructor } from "./socket.ts";
import { type ClientState, stateOf } from "./state.ts";
import {
  checkInterval,
  checkTexts,
  type Host,
  type QuoteCallback,
  type SubscribeOptions,
  Subscription,
} from "./subscription.ts";
import { ClockSync } from "./sync.ts";
import { type ClientTime, SYSTEM_TIME } from "./time.ts";
import { ViolationCounter, type Violations } from "./violations.ts";
import { followVisibility } from "./visibility.ts";
import { Wishes } from "./wishes.ts";

export type { Field } from "../tick.ts";
export { FIELDS } from "../tick.ts";
export type { ConnectionState } from "./connection.ts";
export { TickgateError, type TickgateErrorCode } from "./error.ts";
export type { ClientEvent, ClientEvents } from "./events.ts";
export { observe } from "./observe.ts";
export { Quote } from "./quote.ts";
export type { ClientSocket, SocketConstructor, SocketEvent } from "./socket.ts";
export type { ClientState } from "./state.ts";
export {
  type QuoteCallback,
  type Signal,
  type SubscribeOptions,
  Subscription,
  type SubscriptionTerms,
} from "./subscription.ts";
export type { ClientTime } from "./time.ts";
export { VIOLATIONS, type Violation, type Violations } from "./violations.ts";

export interface ClientOptions {
  /** Default: the global one. */
  readonly WebSocket?: SocketConstructor;
  /** Default: MessagePack. The other one is offered as well. */
  readonly subprotocol?: Subprotocol;
  /** How often what is off the screen (see `Subscription.hide`) is asked for, ms. Default 5,000. */
  readonly hiddenInterval?: number;
  /** How often anything is asked for while the whole page is hidden, ms. Default 30,000. */
  readonly backgroundInterval?: number;
  /** Whether `visible` follows the page's visibility by itself, where there is a page. Default true. */
  readonly followVisibility?: boolean;
  /** How often the round trip is measured, ms; 0 for never. Default 10,000. */
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

/** What has come, in all; see {@link TickgateClient.stats}. */
export interface ClientStats {
  /** The last measured round trip, ms; undefined before the first. */
  readonly roundTrip: number | undefined;
  /** How far the gateway's clock is ahead of this one, microseconds, give or take half the round trip. */
  readonly clockOffset: number;
  /** Data frames, ticks in them, and bytes of all messages. */
  readonly frames: number;
  readonly ticks: number;
  readonly bytes: number;
  /** Ticks left out because newer ones replaced them. */
  readonly conflated: number;
  /** Ticks that the gateway missed, and said so (`gap`). */
  readonly lost: number;
  /** How often it said so, of all symbols, and how often that a count began anew. */
  readonly gaps: number;
  readonly resets: number;
  /** Connections made after the first. */
  readonly reconnects: number;
  /** How old ticks of the last 10 to 20 s were when they came, ms, by the gateway's clock; undefined when none came. */
  readonly age: {
    readonly p50: number | undefined;
    readonly p90: number | undefined;
    readonly p99: number | undefined;
  };
}

/** Pings without an answer that are remembered. */
const MOST_PINGS = 16;
/** Commands without an answer that are remembered. */
const MOST_UNANSWERED = 1_000;
/** How long after a failed command, and after a refusal that may pass, it is tried again, ms. */
const FAILED_WAIT = 1_000;
const REFUSED_WAIT = 15_000;
const DEFAULTS = { hiddenInterval: 5_000, backgroundInterval: 30_000, pingInterval: 10_000, intervalTolerance: 10 };
const EVERYTHING: Scope = { fields: undefined };

export class TickgateClient {
  readonly #time: ClientTime;
  readonly #options: ClientOptions & typeof DEFAULTS;
  readonly #listeners = new Listeners();
  readonly #violations = new ViolationCounter((violation, detail) =>
    this.#listeners.tell("violation", violation, detail),
  );
  readonly #sync: ClockSync;
  readonly #ages: Ages;
  readonly #wishes = new Wishes<Subscription>();
  readonly #subscriptions = new Set<Subscription>();
  readonly #quotes = new Map<string, Quote>();
  readonly #book: Book;
  readonly #connection: Connection;
  readonly #host: Host;
  /** When pings that wait for their answer were sent, ms, by id. */
  readonly #pings = new Map<number, number>();
  /** What commands that wait for their answer named, by id. */
  readonly #unanswered = new Map<number, readonly string[]>();
  /** Symbols that may be granted later. */
  readonly #refused = new Set<string>();
  #lastId = 0;
  #isPingDue = false;
  #bytes = 0;
  #connections = 0;
  #isVisible = true;
  #isFlushing = false;
  #closeReason = "";
  #hello: Hello | undefined;
  #negotiation: Negotiation | undefined;
  #outbox: Outbox | undefined;
  /** Take back what runs as long as there is a connection, and as long as the client is not closed. */
  #cancelPing: () => void = () => {};
  #cancelRetry: (() => void) | undefined;
  #stopFollowing: (() => void) | undefined;

  /**
   * Connects with the first `subscribe`, or with `connect`.
   * @param url of the gateway: `wss://HOST/v1/stream`
   * @throws RangeError when an interval is none
   */
  constructor(url: string, options: ClientOptions = {}) {
    const preferred = options.subprotocol ?? SUBPROTOCOLS[0];
    this.#options = { ...DEFAULTS, ...options };
    checkInterval(this.#options.hiddenInterval);
    checkInterval(this.#options.backgroundInterval);
    this.#time = options.time ?? SYSTEM_TIME;
    this.#sync = new ClockSync(this.#time);
    this.#ages = new Ages(() => this.#time.millis());
    this.#book = new Book(
      {
        tick: (entry, conflated, isNews, isNewState, now) => this.#ticked(entry, conflated, isNews, isNewState, now),
        turned: (entry) => this.#turned(entry),
        status: (entry, state, reason) => this.#status(entry, state, reason),
        granted: (entry) => this.#granted(entry),
        frame: (sentAt, ticks) => this.#listeners.tell("frame", sentAt, ticks),
      },
      this.#violations,
      this.#options.intervalTolerance,
      this.#time,
      this.#sync,
      this.#ages,
    );
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
        frame: (data) => {
          this.#ages.turn();
          this.#book.frame(data);
        },
        heard: (bytes) => {
          this.#bytes += bytes;
        },
      },
    );
    this.#host = {
      time: this.#time,
      pace: (interval, hidden, isHidden) => this.#pace(interval, hidden, isHidden),
      changed: (subscription, symbols) => this.#rewish(subscription, symbols),
      left: (subscription) => this.#left(subscription),
    };
  }

  /** How it stands, in one word. When it is not `live`, no quote is. */
  get state(): ClientState {
    return stateOf(this.#connection.state);
  }

  /** How it stands, in detail. */
  get connection(): ConnectionState {
    return this.#connection.state;
  }

  /** Why it is `closed`; empty when it is not. */
  get closeReason(): string {
    return this.#closeReason;
  }

  /** The quotes of all symbols that some subscription covers, by symbol, with all fields that are granted. */
  get quotes(): ReadonlyMap<string, Quote> {
    return this.#quotes;
  }

  /** What is known of a symbol; undefined when no subscription covers it, or a pattern does and there is no such symbol. */
  get(symbol: string): Quote | undefined {
    return this.#quotes.get(symbol);
  }

  /** How often the gateway has broken a promise of the protocol: all 0 at a good one. */
  get violations(): Violations {
    return this.#violations.counts;
  }

  /** What has come, in all, and how old it was. */
  get stats(): ClientStats {
    const { roundTrip, offset: clockOffset } = this.#sync;
    const ages = this.#ages;
    return {
      roundTrip,
      clockOffset,
      bytes: this.#bytes,
      ...this.#book.counts,
      reconnects: Math.max(0, this.#connections - 1),
      age: { p50: ages.quantile(0.5), p90: ages.quantile(0.9), p99: ages.quantile(0.99) },
    };
  }

  /** Whether somebody looks. While nobody does, everything is asked for at the background interval. */
  get visible(): boolean {
    return this.#isVisible;
  }

  set visible(visible: boolean) {
    if (visible === this.#isVisible) return;
    this.#isVisible = visible;
    this.#negotiation?.openAll();
    this.#flush();
    if (visible) for (const subscription of this.#subscriptions) subscription.hurry();
  }

  /** @returns what takes the listener away again */
  on<E extends ClientEvent>(event: E, listener: (...args: ClientEvents[E]) => void): () => void {
    return this.#listeners.add(event, listener);
  }

  /**
   * Connects, and again whenever the connection is lost, until {@link close} or until the gateway says no. While the next
   * attempt is waited for, it is made now.
   */
  connect(): void {
    this.#closeReason = "";
    if (this.#options.followVisibility !== false)
      this.#stopFollowing ??= followVisibility(this.#time, (visible) => {
        this.visible = visible;
      });
    this.#connection.start();
  }

  /** Ends the connection and all subscriptions for good. */
  close(): void {
    for (const subscription of this.#subscriptions) subscription.end();
    this.#connection.end("closed by the caller");
  }

  /**
   * Wants symbols, and patterns such as `SIM:*`, now and on every connection to come, and connects if nothing has yet.
   * The callback is called whenever a quote has changed: with new values no more often than the interval, and at once
   * when its state is another. Without one, loop over the subscription, or look into its `quotes`.
   * @throws RangeError when something is no symbol, no interval or no field
   * @throws TickgateError `closed` when the client is
   */
  subscribe(symbols: string | readonly string[], callback?: QuoteCallback): Subscription;
  subscribe(symbols: string | readonly string[], options: SubscribeOptions, callback?: QuoteCallback): Subscription;
  subscribe(
    symbols: string | readonly string[],
    optionsOrCallback: SubscribeOptions | QuoteCallback = {},
    after?: QuoteCallback,
  ): Subscription {
    const [options, callback] =
      typeof optionsOrCallback === "function" ? [{}, optionsOrCallback] : [optionsOrCallback, after];
    const texts = checkTexts(symbols);
    if (this.state === "closed") throw new TickgateError("closed", `the client is closed: ${this.#closeReason}`);
    const subscription = new Subscription(this.#host, texts, options, callback);
    if (subscription.closed) return subscription;
    this.#subscriptions.add(subscription);
    this.#rewish(subscription);
    if (this.#connection.state.phase === "idle") this.connect();
    return subscription;
  }

  /** Measures the round trip: the answer is told as `pong`. Does nothing without a connection. */
  ping(): void {
    this.#isPingDue = true;
    this.#outbox?.kick();
  }

  #pace(interval: number, hiddenInterval: number | undefined, isHidden: boolean): number {
    const hidden = hiddenInterval ?? this.#options.hiddenInterval;
    if (!this.#isVisible) return Math.ceil(Math.max(interval, hidden, this.#options.backgroundInterval));
    return isHidden ? Math.ceil(Math.max(interval, hidden)) : interval;
  }

  /** What a subscription wants has changed: of these symbols, or in general. */
  #rewish(subscription: Subscription, symbols?: readonly string[]): void {
    const wishes = this.#wishes;
    for (const symbol of symbols ?? new Set([...wishes.named, ...subscription.named])) {
      wishes.look(subscription, symbol);
      this.#negotiation?.open(symbol);
      if (subscription.wants(symbol)) this.#book.want(symbol);
    }
    if (symbols) for (const symbol of symbols) this.#regard(subscription, symbol);
    else {
      wishes.lookAtPatterns(subscription);
      this.#negotiation?.openAll();
      for (const symbol of this.#book.entries.keys()) this.#regard(subscription, symbol);
    }
    this.#flush();
  }

  /** Brings in line whether a subscription covers a symbol and whether it has its quote. */
  #regard(subscription: Subscription, symbol: string): void {
    const entry = this.#book.entries.get(symbol);
    if (!entry || subscription.covers(symbol) === subscription.quotes.has(symbol)) return;
    if (!subscription.quotes.has(symbol)) return this.#follow(subscription, entry);
    subscription.unfollow(entry);
    if (entry.followers.length > 0) return;
    const quote = this.#quotes.get(symbol) as Quote;
    this.#quotes.delete(symbol);
    this.#book.release(symbol);
    this.#listeners.tell("ended", quote);
  }

  #follow(subscription: Subscription, entry: Entry): void {
    subscription.follow(entry);
    if (!this.#quotes.has(entry.symbol)) this.#quotes.set(entry.symbol, new Quote(entry, EVERYTHING));
  }

  #left(subscription: Subscription): void {
    this.#subscriptions.delete(subscription);
    this.#rewish(subscription);
  }

  /** Asks for what is wanted now, once for all calls that are made in a row. */
  #flush(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#outbox?.kick();
    });
  }

  #changed(state: ConnectionState): void {
    const before = this.#hello;
    if (state.phase === "open" && before !== state.hello) this.#opened(state.hello);
    else if (state.phase === "open" || state.phase === "silent")
      this.#book.setCurrent(state.phase === "open", "nothing is heard from the gateway");
    else if (before) this.#lost("reason" in state ? state.reason : "no connection");
    if (state.phase === "ended") this.#ended(state.reason, state.refused);
    this.#listeners.tell("connection", state);
    if (stateOf(state) !== this.#toldState) {
      this.#toldState = stateOf(state);
      this.#listeners.tell("state", this.#toldState);
    }
  }

  #toldState: ClientState | undefined;

  #opened(hello: Hello): void {
    const { commandsPerSecond, messageBytes } = hello.limits;
    this.#hello = hello;
    this.#connections++;
    this.#sync.greeted(hello.time);
    this.#book.connected();
    this.#negotiation = new Negotiation(this.#wishes, messageBytes);
    this.#outbox = new Outbox(
      this.#time,
      commandsPerSecond,
      () => this.#next(),
      (command) => this.#connection.send(command),
    );
    if (this.#options.pingInterval > 0) this.#pingOn();
    this.#outbox.kick();
  }

  #lost(reason: string): void {
    this.#hello = undefined;
    this.#negotiation = undefined;
    this.#outbox?.close();
    this.#outbox = undefined;
    this.#pings.clear();
    this.#unanswered.clear();
    this.#refused.clear();
    this.#cancelPing();
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#book.disconnected(reason);
  }

  #ended(reason: string, refused: boolean): void {
    this.#closeReason = reason;
    this.#stopFollowing?.();
    this.#stopFollowing = undefined;
    if (!refused) return;
    const error = new TickgateError("refused", `the gateway refuses this client: ${reason}`);
    for (const subscription of this.#subscriptions) if (subscription.isLooped) subscription.end(error);
    this.#failed(error);
  }

  /** The next command to be sent. */
  #next(): Command | undefined {
    if (this.#isPingDue) {
      this.#isPingDue = false;
      if (this.#pings.size < MOST_PINGS) {
        this.#pings.set(++this.#lastId, this.#time.millis());
        return { op: "ping", id: this.#lastId };
      }
    }
    const command = this.#negotiation?.next();
    if (!command) return undefined;
    command.id = ++this.#lastId;
    this.#unanswered.set(command.id, command.symbols);
    if (this.#unanswered.size > MOST_UNANSWERED)
      for (const [oldest] of this.#unanswered) {
        this.#unanswered.delete(oldest);
        break;
      }
    return command;
  }

  #pingOn(): void {
    this.ping();
    this.#cancelPing = this.#time.after(this.#options.pingInterval, () => this.#pingOn());
  }

  #message(message: Exclude<Control, Hello | Bye>): void {
    switch (message.op) {
      case "subscribed":
        this.#unanswered.delete(message.id as number);
        return this.#subscribed(message);
      case "unsubscribed":
        this.#unanswered.delete(message.id as number);
        this.#book.ended(message);
        // There is room now.
        return this.#retry([...this.#refused], 0);
      case "status":
        return this.#book.status(message);
      case "quality":
        return this.#listeners.tell("quality", message);
      case "error":
        return this.#commandFailed(message);
      case "pong":
        return this.#pong(message.id, message.time);
      case "heartbeat":
        return;
    }
  }

  #subscribed(message: Subscribed): void {
    this.#book.granted(message);
    for (const rejection of message.rejected) {
      const { symbol, code } = rejection;
      const error = new TickgateError(code, `${symbol}: ${rejection.message}`, { symbol });
      const entry = this.#book.entries.get(symbol);
      if (entry) entry.reason = rejection.message;
      this.#listeners.tell("rejected", rejection);
      this.#failed(error, "rejected");
      // All of a pattern would be sent again for the few that may be granted now.
      if (error.retryable && !symbol.endsWith("*")) this.#refused.add(symbol);
    }
    if (this.#refused.size > 0) this.#retry(this.#refused, REFUSED_WAIT);
  }

  #commandFailed({ id, code, message, retryable }: Failure): void {
    const texts = this.#unanswered.get(id as number);
    this.#unanswered.delete(id as number);
    // What is not subscribed to is as it should be.
    if (code === "not_subscribed") return;
    this.#failed(new TickgateError(code, message, { retryable }));
    if (texts && retryable) this.#retry(texts, FAILED_WAIT);
  }

  /** Asks for these again after so many ms. */
  #retry(texts: Iterable<string>, wait: number): void {
    for (const text of texts) this.#refused.add(text);
    if (this.#refused.size === 0 || (this.#cancelRetry && wait > 0)) return;
    this.#cancelRetry?.();
    this.#cancelRetry = this.#time.after(wait, () => {
      this.#cancelRetry = undefined;
      this.#negotiation?.again([...this.#refused]);
      this.#refused.clear();
      this.#outbox?.kick();
    });
  }

  #failed(error: TickgateError, event: ClientEvent = "error"): void {
    if (!this.#listeners.has("error") && !this.#listeners.has(event)) reportUnheard(error);
    this.#listeners.tell("error", error);
  }

  #pong(id: unknown, time: number): void {
    const sentAt = this.#pings.get(id as number);
    if (sentAt === undefined) return;
    this.#pings.delete(id as number);
    this.#sync.ponged(sentAt, time);
    this.#listeners.tell("pong", this.#sync.roundTrip as number);
  }

  #granted(entry: Entry): void {
    for (const subscription of this.#wishes.of(entry.symbol))
      if (!subscription.quotes.has(entry.symbol)) this.#follow(subscription, entry);
    const quote = this.#quotes.get(entry.symbol);
    if (quote) this.#listeners.tell("granted", quote);
  }

  #ticked(entry: Entry, conflated: number, isNews: boolean, isNewState: boolean, now: number): void {
    const quote = this.#quotes.get(entry.symbol);
    if (!quote) return;
    this.#listeners.tell("tick", quote, conflated);
    if (!isNews && !isNewState) return;
    this.#listeners.tell("quote", quote);
    for (const follow of entry.followers) follow.follower.changed(follow, now, isNewState);
  }

  #turned(entry: Entry): void {
    const quote = this.#quotes.get(entry.symbol);
    if (!quote) return;
    this.#listeners.tell("quote", quote);
    const now = this.#time.millis();
    for (const follow of entry.followers) follow.follower.changed(follow, now, true);
  }

  #status(entry: Entry, state: Quote["state"] | "gap", reason: string): void {
    const quote = this.#quotes.get(entry.symbol);
    if (!quote) return;
    this.#listeners.tell("status", quote, state, reason);
    for (const { follower, quote: own } of entry.followers) follower.status(own, state, reason);
  }
}

/**
 * The client: live prices from a Tickgate gateway, in browsers and Node. It keeps the connection, asks again for what
 * is wanted after each loss of it, and never shows an old price as a live one.
 * @module tickgate/client
 */
import type { Bye, Control, Hello } from "../protocol/messages.ts";
import { SUBPROTOCOLS, type Subprotocol } from "../protocol/messages.ts";
import { Connection, type ConnectionState } from "./connection/connection.ts";
import { reportUnheard, TickgateError } from "./connection/error.ts";
import { globalSocket, type SocketConstructor } from "./connection/socket.ts";
import { type ClientTime, SYSTEM_TIME } from "./connection/time.ts";
import { ViolationCounter, type Violations } from "./connection/violations.ts";
import { followVisibility } from "./connection/visibility.ts";
import { type ClientEvent, type ClientEvents, Listeners } from "./events.ts";
import type { AgeQuantiles } from "./quotes/ages.ts";
import type { Quote } from "./quotes/quote.ts";
import type { QuoteListener, QuoteRecord } from "./quotes/quote_record.ts";
import { QuoteStore } from "./quotes/quote_store.ts";
import { RecordQuote } from "./quotes/record_quote.ts";
import { type ClientState, stateOf } from "./state.ts";
import { checkInterval } from "./sync/check.ts";
import { ClockSync } from "./sync/clock_sync.ts";
import { CommandChannel } from "./sync/command_channel.ts";
import { Demand } from "./sync/demand.ts";
import { OwnedSubscription, type SubscriptionHost } from "./sync/owned_subscription.ts";
import type { QuoteCallback, SubscribeOptions, Subscription, Symbols } from "./sync/subscription.ts";

export { FIELDS, type Field, type State } from "../base/tick.ts";
export type { ErrorCode } from "../protocol/codes.ts";
export type { Hello, Quality, QualityReason, Rejection, Subprotocol } from "../protocol/messages.ts";
export type { ConnectionState } from "./connection/connection.ts";
export { TickgateError, type TickgateErrorCode } from "./connection/error.ts";
export type { ClientSocket, SocketConstructor, SocketEvent } from "./connection/socket.ts";
export type { ClientTime } from "./connection/time.ts";
export { VIOLATIONS, type Violation, type Violations } from "./connection/violations.ts";
export type { ClientEvent, ClientEvents } from "./events.ts";
export type { AgeQuantiles } from "./quotes/ages.ts";
export type { Quote, QuoteState } from "./quotes/quote.ts";
export type { ClientState } from "./state.ts";
export type {
  QuoteCallback,
  Signal,
  SubscribeOptions,
  Subscription,
  SubscriptionTerms,
  Symbols,
} from "./sync/subscription.ts";

/** How a client connects, and how often it asks for what nobody sees. */
export interface ClientOptions {
  /** Default: the global one. */
  readonly WebSocket?: SocketConstructor;
  /** Default: MessagePack. The other one is offered as well. */
  readonly subprotocol?: Subprotocol;
  /** How often what is off the screen (see {@link Subscription.hide}) is asked for, ms. Default 5,000. */
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

/** What has come, in all. */
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
  /** How often it said so of a symbol, and how often that a symbol's count began anew. */
  readonly gaps: number;
  readonly resets: number;
  /** Connections made after the first. */
  readonly reconnects: number;
  /** How old the latest 2,048 ticks, snapshots left out, were when they came, by the gateway's clock. */
  readonly age: AgeQuantiles;
}

const DEFAULTS = { hiddenInterval: 5_000, backgroundInterval: 30_000, pingInterval: 10_000, intervalTolerance: 10 };

/** One connection to a gateway, made again when it is lost, and the quotes of all symbols that are subscribed to. */
export class TickgateClient {
  readonly #time: ClientTime;
  readonly #options: ClientOptions & typeof DEFAULTS;
  readonly #listeners = new Listeners();
  readonly #violations: ViolationCounter;
  readonly #sync: ClockSync;
  readonly #wishes = new Demand<OwnedSubscription>();
  readonly #claims = new Set<OwnedSubscription>();
  readonly #quotes = new Map<string, Quote>();
  readonly #book: QuoteStore;
  readonly #connection: Connection;
  readonly #host: SubscriptionHost;
  /** Whose quotes are the client's own: all who listen. */
  readonly #audience: QuoteListener;
  #dialogue: CommandChannel | undefined;
  #isVisible = true;
  #state: ClientState = "connecting";
  #unfollow: (() => void) | undefined;

  /**
   * Connects with the first `subscribe`, or with `connect`.
   * @param url of the gateway: `wss://HOST/v1/stream`
   * @throws RangeError when an interval is none
   * @throws Error where there is no WebSocket
   */
  constructor(url: string, options: ClientOptions = {}) {
    const { WebSocket = globalSocket(), subprotocol = SUBPROTOCOLS[0], time = SYSTEM_TIME } = options;
    const { random = Math.random } = options;
    const listeners = this.#listeners;
    const violations = new ViolationCounter((...told) => listeners.tell("violation", ...told));
    this.#time = time;
    this.#options = { ...DEFAULTS, ...options };
    checkInterval(this.#options.hiddenInterval);
    checkInterval(this.#options.backgroundInterval);
    this.#violations = violations;
    this.#sync = new ClockSync(time);
    this.#audience = {
      fields: undefined,
      changed: (quote) => listeners.tell("quote", quote),
      status: (...told) => listeners.tell("status", ...told),
    };
    this.#host = {
      time,
      pace: (interval, hiddenInterval, isHidden) => this.#pace(interval, hiddenInterval, isHidden),
      changed: (...told) => this.#changed(...told),
    };
    this.#book = new QuoteStore({
      time,
      sync: this.#sync,
      violations,
      tolerance: this.#options.intervalTolerance,
      granted: (entry) => this.#granted(entry),
      ticked: (quote, conflated) => listeners.tell("tick", quote, conflated),
      frame: (...told) => listeners.tell("frame", ...told),
    });
    this.#connection = new Connection(url, {
      WebSocket,
      subprotocols: [subprotocol, ...SUBPROTOCOLS.filter((name) => name !== subprotocol)],
      time,
      random,
      violations,
      state: (state) => this.#stands(state),
      message: (message) => this.#message(message),
      frame: (data) => this.#book.frame(data),
    });
  }

  /** How it stands, in one word. When it is not `live`, no quote is. */
  get state(): ClientState {
    return this.#state;
  }

  /** How it stands, in detail. */
  get connection(): ConnectionState {
    return this.#connection.state;
  }

  /** Why it is `closed`; empty when it is not. */
  get closeReason(): string {
    const { connection } = this;
    return connection.phase === "ended" ? connection.reason : "";
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
    const { bytes, made } = this.#connection;
    const { counts, ages } = this.#book;
    return { roundTrip, clockOffset, ...counts, bytes, reconnects: Math.max(0, made - 1), age: ages.quantiles };
  }

  /** Whether somebody looks. While nobody does, everything is asked for at the background interval. */
  get visible(): boolean {
    return this.#isVisible;
  }

  set visible(visible: boolean) {
    if (visible === this.#isVisible) return;
    this.#isVisible = visible;
    this.#dialogue?.open();
    for (const claim of this.#claims) claim.look();
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
    if (this.#options.followVisibility !== false)
      this.#unfollow ??= followVisibility(this.#time, (visible) => {
        this.visible = visible;
      });
    this.#connection.start();
  }

  /** Ends the connection and all subscriptions for good. */
  close(): void {
    for (const claim of this.#claims) claim.close();
    this.#connection.end("closed by its owner");
  }

  /**
   * Wants symbols, and patterns such as `SIM:*`, now and on every connection to come, and connects if nothing has yet.
   * The callback is called whenever a quote has changed: with new values no more often than the interval, and at once
   * when its state is another. Without one, loop over the subscription, or look into its `quotes`.
   * @throws RangeError when something is no symbol, no interval or no field
   * @throws TickgateError `closed` when the client is
   */
  subscribe(symbols: Symbols, callback?: QuoteCallback): Subscription;
  subscribe(symbols: Symbols, options: SubscribeOptions, callback?: QuoteCallback): Subscription;
  subscribe(symbols: Symbols, options: SubscribeOptions | QuoteCallback = {}, callback?: QuoteCallback): Subscription {
    if (typeof options === "function") return this.subscribe(symbols, {}, options);
    if (this.#state === "closed") throw new TickgateError("closed", `the client is closed: ${this.closeReason}`);
    const claim = new OwnedSubscription(this.#host, symbols, options, callback);
    if (claim.closed) return claim;
    this.#claims.add(claim);
    this.#changed(claim, claim.all());
    if (this.connection.phase === "idle") this.connect();
    return claim;
  }

  /** Measures the round trip: the answer is told as `pong`. Does nothing without a connection. */
  ping(): void {
    this.#dialogue?.ping();
  }

  #pace(interval: number, hiddenInterval = this.#options.hiddenInterval, isHidden: boolean): number {
    if (!this.#isVisible) return Math.ceil(Math.max(interval, hiddenInterval, this.#options.backgroundInterval));
    return isHidden ? Math.ceil(Math.max(interval, hiddenInterval)) : interval;
  }

  /** What a claim wants has changed: of these symbols, or of all and of patterns. */
  #changed(claim: OwnedSubscription, symbols: readonly string[] | undefined): void {
    const wishes = this.#wishes;
    if (claim.closed) this.#claims.delete(claim);
    for (const symbol of symbols ?? [...wishes.named, ...claim.selection.named]) {
      wishes.look(claim, symbol);
      // What is named has a quote before it is granted.
      if (claim.selection.symbols.get(symbol)) this.#book.entry(symbol);
    }
    if (!symbols) wishes.lookAtPatterns(claim);
    for (const symbol of symbols ?? this.#book.entries.keys()) this.#regard(claim, symbol);
    this.#dialogue?.open(symbols);
  }

  /** Brings in line whether a claim covers a symbol and whether it has its quote. */
  #regard(claim: OwnedSubscription, symbol: string): void {
    const entry = this.#book.entries.get(symbol);
    const isCovered = claim.selection.covers(symbol);
    if (!entry || isCovered === claim.quotes.has(symbol)) return;
    if (!isCovered) claim.unfollow(entry);
    const [quote = new RecordQuote(entry, this.#audience)] = entry.quotes;
    if (isCovered) {
      this.#quotes.set(symbol, quote);
      if (entry.quotes.length === 0) entry.quotes = [quote];
      claim.follow(entry);
    } else if (entry.quotes.length === 1) {
      this.#quotes.delete(symbol);
      entry.quotes = [];
      this.#book.release(entry);
      this.#listeners.tell("ended", quote);
    }
  }

  #stands(state: ConnectionState): void {
    const { phase } = state;
    const before = this.#state;
    this.#state = stateOf(state);
    if (phase === "silent") this.#book.setCurrent(false, "nothing heard");
    else if (phase !== "open") this.#lost("reason" in state ? state.reason : "");
    else if (this.#dialogue) this.#book.setCurrent(true, "");
    else this.#greeted(state.hello);
    if (phase === "ended") this.#ended(state.reason, state.refused);
    // Who was told before may have changed it.
    if (this.connection !== state) return;
    this.#listeners.tell("connection", state);
    if (this.#state !== before) this.#listeners.tell("state", this.#state);
  }

  #greeted(hello: Hello): void {
    this.#book.connected();
    this.#dialogue = new CommandChannel(hello, {
      time: this.#time,
      wishes: this.#wishes,
      sync: this.#sync,
      pingInterval: this.#options.pingInterval,
      send: (command) => this.#connection.send(command),
      failed: (error) => this.#failed(error),
    });
  }

  #lost(reason: string): void {
    if (!this.#dialogue) return;
    this.#dialogue.close();
    this.#dialogue = undefined;
    this.#book.disconnected(reason);
  }

  #ended(reason: string, refused: boolean): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
    if (!refused) return;
    const error = new TickgateError("refused", reason);
    for (const claim of this.#claims) claim.refuse(error);
    this.#failed(error);
  }

  #failed(error: TickgateError): void {
    if (!this.#listeners.has("error")) reportUnheard(error);
    this.#listeners.tell("error", error);
  }

  #message(message: Exclude<Control, Hello | Bye>): void {
    switch (message.op) {
      case "subscribed":
        this.#book.granted(message);
        for (const rejection of message.rejected) this.#listeners.tell("rejected", rejection);
        return this.#dialogue?.subscribed(message);
      case "unsubscribed":
        this.#book.ended(message);
        return this.#dialogue?.unsubscribed(message);
      case "status":
        return this.#book.status(message);
      case "quality":
        return this.#listeners.tell("quality", message);
      case "error":
        return this.#dialogue?.failed(message);
      case "pong":
        if (this.#dialogue?.ponged(message)) this.#listeners.tell("pong", this.#sync.roundTrip as number);
    }
  }

  #granted(entry: QuoteRecord): void {
    for (const claim of this.#wishes.of(entry.symbol)) this.#regard(claim, entry.symbol);
    const [quote] = entry.quotes;
    if (quote) this.#listeners.tell("granted", quote);
  }
}

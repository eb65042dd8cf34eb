/**
 * The client: live prices from a Tickgate gateway, in browsers and Node. It reconnects after each loss of the
 * connection, subscribes again, and never shows an old price as a live one.
 * @module tickgate/client
 */
import type { Bye, Channel, ChannelSubscribed, Control, Hello } from "../protocol/messages.ts";
import { SUBPROTOCOLS, type Subprotocol } from "../protocol/messages.ts";
import { Connection, type ConnectionState } from "./connection/connection.ts";
import { reportUnhandled, TickgateError } from "./connection/error.ts";
import { globalSocket, type SocketConstructor } from "./connection/socket.ts";
import { type ClientTime, SYSTEM_TIME } from "./connection/time.ts";
import type { TokenSource } from "./connection/token.ts";
import { noViolations, type ViolationListener, type Violations } from "./connection/violations.ts";
import { followVisibility } from "./connection/visibility.ts";
import { type ClientEvent, type ClientEvents, Listeners } from "./events.ts";
import type { Quote } from "./quotes/quote.ts";
import { QUOTES } from "./quotes/quote_kind.ts";
import type { AttachedView, ChannelKind } from "./records/tick_record.ts";
import { TickStore } from "./records/tick_store.ts";
import type { View } from "./records/view.ts";
import { type ClientState, stateOf } from "./state.ts";
import type { ClientStats } from "./stats.ts";
import { checkInterval } from "./sync/check.ts";
import { ClientChannel, type ChannelOptions as SharedByChannels } from "./sync/client_channel.ts";
import { ClockSync } from "./sync/clock_sync.ts";
import { CommandChannel, type CommandChannelOptions } from "./sync/command_channel.ts";
import { type OwnedOptions, OwnedSubscription } from "./sync/owned_subscription.ts";
import type {
  ChannelOptions,
  ChannelSubscription,
  QuoteCallback,
  SubscribeOptions,
  Subscription,
  Symbols,
  ViewChannel,
} from "./sync/subscription.ts";

export { FIELDS, type Field, type State } from "../base/tick.ts";
export type { ErrorCode } from "../protocol/codes.ts";
export type { AuthMode, Channel, Hello, Quality, QualityReason, Rejection, Subprotocol } from "../protocol/messages.ts";
export type { ConnectionState } from "./connection/connection.ts";
export { TickgateError, type TickgateErrorCode } from "./connection/error.ts";
export type { ClientSocket, SocketConstructor, SocketEvent } from "./connection/socket.ts";
export type { ClientTime } from "./connection/time.ts";
export type { TokenSource } from "./connection/token.ts";
export { VIOLATIONS, type Violation, type Violations } from "./connection/violations.ts";
export type { ClientEvent, ClientEvents } from "./events.ts";
export type { Quote } from "./quotes/quote.ts";
export type { AgeQuantiles } from "./records/ages.ts";
export type { QuoteState, View } from "./records/view.ts";
export type { ClientState } from "./state.ts";
export type { ClientStats } from "./stats.ts";
export type {
  ChannelOptions,
  ChannelSubscription,
  CommonOptions,
  CommonSubscription,
  QuoteCallback,
  Signal,
  SubscribeOptions,
  Subscription,
  SubscriptionTerms,
  Symbols,
  ViewChannel,
} from "./sync/subscription.ts";

/** How a client connects, and at which intervals it subscribes to what is not visible. */
export interface ClientOptions {
  /** Default: the global one. */
  readonly WebSocket?: SocketConstructor;
  /** The preferred subprotocol. Default: MessagePack. The client offers the other one as well. */
  readonly subprotocol?: Subprotocol;
  /**
   * A function that returns a token, where the gateway reads them: called for each connection, and again before the
   * token expires. When it fails, takes more than 10 s or returns no token, or the gateway refuses the token, the
   * client tries again later. A string instead is a token that cannot be replaced: its refusal is final.
   */
  readonly token?: TokenSource;
  /** The interval of symbols that are off the screen (see {@link Subscription.hide}), ms. Default 5,000. */
  readonly hiddenInterval?: number;
  /** The shortest interval of all symbols while the whole page is hidden, ms. Default 30,000. */
  readonly backgroundInterval?: number;
  /** Whether the client sets `visible` from the visibility of the page, in a browser. Default true. */
  readonly followVisibility?: boolean;
  /** The time between two measurements of the round trip, ms; 0 for none. Default 10,000. */
  readonly pingInterval?: number;
  /**
   * How much shorter than the granted interval the time between two ticks of a symbol may be, by their `sentAt`, before
   * it counts as a violation, ms. Default 10: a flush of the gateway may last a few milliseconds, and `sentAt` is the
   * time within the flush.
   */
  readonly intervalTolerance?: number;
  readonly time?: ClientTime;
  /** Numbers from 0 to below 1, which spread the reconnects of many clients. */
  readonly random?: () => number;
}

const DEFAULTS = { hiddenInterval: 5_000, backgroundInterval: 30_000, pingInterval: 10_000, intervalTolerance: 10 };

/** What the parts of a client share. */
interface Shared extends CommandChannelOptions, SharedByChannels, Required<Pick<ClientOptions, keyof typeof DEFAULTS>> {
  readonly sync: ClockSync;
  readonly followVisibility?: boolean;
  readonly channels: ReadonlyMap<unknown, ClientChannel>;
  readonly violated: ViolationListener;
}

/** One connection to a gateway, which is made again when it is lost, and the quotes of all subscribed symbols. */
export class TickgateClient {
  readonly #shared: Shared;
  readonly #listeners = new Listeners();
  readonly #violations = noViolations();
  readonly #subscriptions = new Set<OwnedSubscription>();
  readonly #channels = new Map<Channel, ClientChannel>();
  readonly #quotes: ClientChannel;
  readonly #store: TickStore;
  readonly #connection: Connection;
  #commands: CommandChannel | undefined;
  #isVisible = true;
  #state: ClientState = "connecting";
  #stopFollowing: (() => void) | undefined;

  /**
   * The client connects with the first `subscribe`, or with `connect`.
   * @param url of the gateway: `wss://HOST/v1/stream`
   * @throws RangeError when an interval is out of range
   * @throws Error where there is no WebSocket
   */
  constructor(url: string, options: ClientOptions = {}) {
    const { WebSocket = globalSocket(), subprotocol = SUBPROTOCOLS[0], time = SYSTEM_TIME } = options;
    const { random = Math.random, token } = options;
    const listeners = this.#listeners;
    const shared: Shared = {
      ...DEFAULTS,
      ...options,
      token,
      time,
      random,
      sync: new ClockSync(time),
      channels: this.#channels,
      emit: (event, ...details) => listeners.emit(event, ...(details as never)),
      intervalFor: (interval, hiddenInterval = shared.hiddenInterval, isHidden) => {
        if (!this.#isVisible) return Math.ceil(Math.max(interval, hiddenInterval, shared.backgroundInterval));
        return isHidden ? Math.ceil(Math.max(interval, hiddenInterval)) : interval;
      },
      demanded: (channel, subscription, symbols) => {
        if (subscription.closed) this.#subscriptions.delete(subscription);
        this.#commands?.changed(channel, symbols);
      },
      release: (record) => this.#store.release(record),
      send: (command) => this.#connection.send(command),
      failed: (error) => this.#failed(error),
      violated: (violation, detail) => {
        this.#violations[violation]++;
        listeners.emit("violation", violation, detail);
      },
    };
    this.#shared = shared;
    checkInterval(shared.hiddenInterval);
    checkInterval(shared.backgroundInterval);
    this.#quotes = this.#channel(QUOTES);
    this.#store = new TickStore(shared);
    this.#connection = new Connection(url, {
      ...shared,
      WebSocket,
      subprotocols: [subprotocol, ...SUBPROTOCOLS.filter((name) => name !== subprotocol)],
      state: (state) => this.#connectionChanged(state),
      message: (message) => this.#message(message),
      frame: (data) => this.#store.frame(data),
    });
  }

  /** The state of the client. When it is not `live`, no quote is. */
  get state(): ClientState {
    return this.#state;
  }

  /** The state of the connection, in detail. */
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
    return this.#quotes.views as ReadonlyMap<string, View> as ReadonlyMap<string, Quote>;
  }

  /**
   * The quote of a symbol; undefined when no subscription covers it, or only a pattern and the symbol does not exist.
   */
  get(symbol: string): Quote | undefined {
    return this.quotes.get(symbol);
  }

  /** How often the gateway has violated the protocol: all 0 with a correct gateway. */
  get violations(): Violations {
    return this.#violations;
  }

  /** Totals since the client was made, and the age of ticks. */
  get stats(): ClientStats {
    const { roundTrip, offset: clockOffset } = this.#shared.sync;
    const { bytes, made } = this.#connection;
    const { counts, ages } = this.#store;
    return { roundTrip, clockOffset, ...counts, bytes, reconnects: Math.max(0, made - 1), age: ages.quantiles };
  }

  /** Whether the user sees the page. While not, all symbols have the background interval at least. */
  get visible(): boolean {
    return this.#isVisible;
  }

  set visible(visible: boolean) {
    if (visible === this.#isVisible) return;
    this.#isVisible = visible;
    for (const channel of this.#channels.values()) this.#commands?.changed(channel);
    for (const subscription of this.#subscriptions) subscription.flush();
  }

  /** @returns a function that removes the listener */
  on<E extends ClientEvent>(event: E, listener: (...args: ClientEvents[E]) => void): () => void {
    return this.#listeners.add(event, listener);
  }

  /**
   * Connects, and reconnects whenever the connection is lost, until {@link close} or a final refusal by the gateway. If
   * the client waits for its next attempt, it makes it now.
   */
  connect(): void {
    if (this.#shared.followVisibility !== false)
      this.#stopFollowing ??= followVisibility(this.#shared.time, (visible) => {
        this.visible = visible;
      });
    this.#connection.start();
  }

  /** Ends the connection and all subscriptions for good. */
  close(): void {
    for (const subscription of this.#subscriptions) subscription.close();
    this.#connection.end("closed");
  }

  /**
   * Subscribes to symbols, and to patterns such as `SIM:*`, on this connection and on every later one; connects if
   * the client has not connected yet. The callback is called whenever a quote has changed: with new values at most once
   * per interval, and at once when its state has changed. Without a callback, loop over the subscription, or read its
   * `quotes`.
   * @throws RangeError when a symbol, a pattern, an interval or a field is not valid
   * @throws TickgateError `closed` when the client is closed
   */
  subscribe(symbols: Symbols, callback?: QuoteCallback): Subscription;
  subscribe(symbols: Symbols, options: SubscribeOptions, callback?: QuoteCallback): Subscription;
  subscribe<V extends View, T, A extends unknown[]>(
    symbols: Symbols,
    options: ChannelOptions<V> & T & { readonly channel: ViewChannel<V, T, A> },
    callback?: (...args: A) => void,
  ): ChannelSubscription<V, T>;
  subscribe(
    symbols: Symbols,
    options: (OwnedOptions & { readonly channel?: ChannelKind | undefined }) | ((view: never) => void) = {},
    callback?: (view: never) => void,
  ): unknown {
    if (typeof options === "function") return this.subscribe(symbols, {}, options as QuoteCallback);
    if (this.#state === "closed") throw new TickgateError("closed", this.closeReason);
    const channel = this.#channel(options.channel);
    const subscription = new OwnedSubscription(channel, symbols, options, callback as (view: AttachedView) => void);
    if (subscription.closed) return subscription;
    this.#subscriptions.add(subscription);
    channel.changed(subscription, subscription.affected());
    if (this.connection.phase === "idle") this.connect();
    return subscription;
  }

  /** Measures the round trip: the answer is the event `pong`. Does nothing without a connection. */
  ping(): void {
    this.#commands?.ping();
  }

  #channel(kind: ChannelKind = QUOTES): ClientChannel {
    const channel = this.#channels.get(kind.name) ?? new ClientChannel(kind, this.#shared);
    this.#channels.set(kind.name, channel);
    return channel;
  }

  #connectionChanged(state: ConnectionState): void {
    const { phase } = state;
    const before = this.#state;
    this.#state = stateOf(state);
    if (phase === "silent") this.#store.setCurrent(false, "nothing heard");
    else if (phase !== "open") this.#lost((state as { reason?: string }).reason ?? "");
    else if (this.#commands) this.#store.setCurrent(true, "");
    else this.#helloReceived(state.hello);
    if (phase === "ended") this.#ended(state.reason, state.refused);
    // A listener that was called before may have changed the state.
    if (this.connection !== state) return;
    this.#listeners.emit("connection", state);
    if (this.#state !== before) this.#listeners.emit("state", this.#state);
  }

  #helloReceived(hello: Hello): void {
    this.#store.connected();
    this.#commands = new CommandChannel(hello, this.#shared);
  }

  #lost(reason: string): void {
    if (!this.#commands) return;
    this.#commands.close();
    this.#commands = undefined;
    this.#store.disconnected(reason);
  }

  #ended(reason: string, refused: boolean): void {
    this.#stopFollowing?.();
    this.#stopFollowing = undefined;
    if (!refused) return;
    const error = new TickgateError("refused", reason);
    for (const subscription of this.#subscriptions) subscription.refused(error);
    this.#failed(error);
  }

  #failed(error: TickgateError): void {
    if (!this.#listeners.emit("error", error)) reportUnhandled(error);
  }

  #message(message: Exclude<Control, Hello | Bye>): void {
    const commands = this.#commands as CommandChannel;
    // A message of a channel that was never asked for is ignored.
    const { channel: name = "quote" } = message as Partial<ChannelSubscribed>;
    const channel = this.#channels.get(name as Channel);
    if (!channel) return;
    switch (message.op) {
      case "subscribed":
        this.#store.granted(channel, message);
        for (const rejection of message.rejected) this.#listeners.emit("rejected", rejection);
        return this.#commands?.subscribed(channel, message);
      case "unsubscribed":
        this.#store.ended(channel, message);
        return this.#commands?.unsubscribed(channel, message);
      case "expiring":
        return commands.refresh.start();
      case "authenticated":
        return commands.authenticated();
      case "status":
        return this.#store.status(channel, message);
      case "quality":
        this.#listeners.emit("quality", message);
        return;
      case "error":
        return commands.failed(message);
      case "pong":
        if (commands.ponged(message)) this.#listeners.emit("pong", this.#shared.sync.roundTrip as number);
    }
  }
}

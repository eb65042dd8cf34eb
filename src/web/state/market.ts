/**
 * The page's connection to the gateway: one subscription for the whole list, at the full interval for the rows on the
 * screen; and the state of the connection as the user sees it.
 */

import type { Field } from "../../base/tick.ts";
import {
  type AuthMode,
  type ConnectionState,
  type Quote,
  type Rejection,
  type Subscription,
  TickgateClient,
} from "../../client/client.ts";
import { Cell } from "./cell.ts";
import { History } from "./history.ts";
import { Instrument } from "./instrument.ts";
import { type Lateness, latenessOf, NOT_LATE } from "./lateness.ts";
import { statusOf } from "./symbols.ts";
import type { Watchlist } from "./watchlist.ts";

/** The fields that rows show. */
const ROW_FIELDS: readonly Field[] = ["bid", "ask", "last", "open", "high", "low", "volume"];
/** The interval of pings, ms. They measure the round trip, and show that the gateway still answers. */
const PING = 1_000;
/** How long no message may arrive, answers to pings included, before the page says that prices may be old, ms. */
const SILENCE = 2_000;
/** How often silence is checked, ms. */
const CHECK_PAUSE = 250;
/** How often lateness is checked, ms. */
const LATENESS_PAUSE = 1_000;
/** The end of a reason that is about the token: the close codes for which another one is needed. */
const FOR_TOKEN = /\(440[13]\)$/;
/** If a check is later than this, the page was blocked or asleep, ms. */
const LATE = 1_000;
/** How long a restart may take before it counts as a lost connection, ms. */
const RESTART_TIME = 60_000;
/** The most charts that are kept, and the bars of each: at first one per second, after a day about one per minute. */
const MOST_CHARTS = 32;
const CHART_BARS = 1_800;
const CHART_STEP = 1_000;

/** The state of the connection. */
export interface LinkState {
  /**
   * `connecting`: the first connection is being made; `live`; `silent`: no message arrives; `lost`: a new connection is
   * being made; `refused`: the gateway refuses this page for good.
   */
  readonly phase: "connecting" | "live" | "silent" | "lost" | "refused";
  /** When the state began; for `lost` and `silent`, when the last message arrived. Ms since the Unix epoch. */
  readonly since: number;
  readonly reason: string;
  /** For `lost`: the time of the next attempt, ms since the Unix epoch; undefined during an attempt. */
  readonly retryAt: number | undefined;
  /** The name of the gateway in its last `hello`. */
  readonly node: string;
}

/** Whether the reason of a lost connection is a restart of the gateway. */
export function isRestart(reason: string): boolean {
  return reason.includes("restarting");
}

/** Whether the gateway gave the reason: it then ends with a close code. */
export function isGiven(reason: string): boolean {
  return /\(\d{4}\)$/.test(reason);
}

/** Whether the gateway reads tokens, and why it wants one now; undefined where it does not. */
export interface Access {
  readonly auth: AuthMode;
  readonly problem: string | undefined;
}

/** The gateway sends updates less often than granted: the interval, ms, and why. */
export interface Slowness {
  readonly interval: number;
  readonly reason: string;
}

/** Is called when the market changes. */
export interface MarketHandler {
  /** A symbol has a new tick or state. */
  changed(instrument: Instrument): void;
  /** A symbol was added or removed. */
  membersChanged(): void;
  /** The gateway has refused something; `text` is the symbol or pattern, if it is about one. */
  refused(message: string, text: string | undefined): void;
}

export class Market {
  readonly client: TickgateClient;
  /** The token of this tab. */
  readonly token: string | undefined;
  readonly access = new Cell<Access>({ auth: "none", problem: undefined });
  /** How late prices are on purpose. */
  readonly lateness = new Cell<Lateness>(NOT_LATE);
  readonly link: Cell<LinkState>;
  readonly slowness = new Cell<Slowness | undefined>(undefined);
  /** All watched symbols that exist. */
  readonly instruments = new Map<string, Instrument>();
  /** The refusals of the gateway, by symbol or pattern of the list. */
  readonly refusals = new Map<string, Rejection>();
  readonly #handler: MarketHandler;
  readonly #subscription: Subscription;
  /** The histories of opened charts, the latest opened last. */
  readonly #charts = new Map<string, History>();
  #texts = new Set<string>();
  #detailSubscription: Subscription | undefined;
  #isChecking = false;
  #heardBytes = 0;
  #heardAt = Date.now();
  #checkedAt = 0;

  /** @param url of the gateway: `wss://HOST/v1/stream` */
  constructor(url: string, token: string | undefined, interval: number, handler: MarketHandler) {
    this.#handler = handler;
    this.token = token;
    this.client = new TickgateClient(url, { pingInterval: PING, ...(token !== undefined && { token }) });
    this.link = new Cell<LinkState>({
      phase: "connecting",
      since: Date.now(),
      reason: "",
      retryAt: undefined,
      node: "",
    });
    this.client.on("connection", (state) => this.#connection(state));
    this.client.on("quality", ({ state, interval, reason }) => {
      this.slowness.value = state === "conflating" ? { interval, reason } : undefined;
    });
    this.client.on("granted", (quote) => this.#granted(quote));
    this.client.on("ended", (quote) => {
      if (this.instruments.delete(quote.symbol)) handler.membersChanged();
      this.#charts.delete(quote.symbol);
    });
    this.client.on("rejected", (rejection) => {
      const { symbol, message } = rejection;
      if (this.#texts.has(symbol)) this.refusals.set(symbol, rejection);
      handler.refused(message, symbol);
    });
    this.client.on("error", (error) => {
      if (!error.symbol && error.code !== "refused") handler.refused(error.message, undefined);
    });
    this.#subscription = this.client.subscribe([], { interval, fields: ROW_FIELDS }, (quote) => this.#update(quote));
    this.client.connect();
    setInterval(() => this.#checkSilence(), CHECK_PAUSE);
    setInterval(() => this.#checkLateness(), LATENESS_PAUSE);
    // When the machine wakes or has a network again, the next attempt is made at once.
    addEventListener("online", () => this.#retryIfLost());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#retryIfLost();
    });
  }

  get interval(): number {
    return this.#subscription.interval;
  }

  /** At most one update per symbol in this time, ms; takes effect at once. */
  set interval(interval: number) {
    if (this.#subscription.closed) return;
    this.#subscription.change({ interval });
    this.#detailSubscription?.change({ interval });
  }

  /** Watches exactly what is on a list. */
  watch(list: Watchlist): void {
    if (this.#subscription.closed) return;
    const texts = new Set(list.map((entry) => entry.text));
    const gone = [...this.#texts].filter((text) => !texts.has(text));
    const come = [...texts].filter((text) => !this.#texts.has(text));
    this.#texts = texts;
    for (const text of gone) this.refusals.delete(text);
    if (gone.length > 0) this.#subscription.remove(gone);
    if (come.length > 0) this.#subscription.add(come);
    this.#handler.membersChanged();
  }

  /** The symbols that the list covers now. */
  get symbols(): Iterable<string> {
    return this.#subscription.quotes.keys();
  }

  /** These rows are on the screen: the others get the hidden interval. */
  showOnly(symbols: readonly string[]): void {
    if (!this.#subscription.closed) this.#subscription.showOnly(symbols);
  }

  /** Subscribes to one symbol with all its fields; undefined: to none. */
  openDetail(symbol: string | undefined): void {
    this.#detailSubscription?.close();
    this.#detailSubscription = undefined;
    if (symbol === undefined || this.#subscription.closed) return;
    const { interval } = this;
    this.#detailSubscription = this.client.subscribe(symbol, { interval, hiddenInterval: interval }, (quote) => {
      const instrument = this.instruments.get(quote.symbol);
      if (instrument) this.#handler.changed(instrument);
    });
  }

  /** The quote with all fields of the symbol in {@link openDetail}. */
  get detail(): Quote | undefined {
    for (const quote of this.#detailSubscription?.quotes.values() ?? []) return quote;
    return undefined;
  }

  /** The detailed price history of a symbol, from now on. It begins with the bars of the trend. */
  chartOf(instrument: Instrument): History {
    const { symbol, trend } = instrument;
    let chart = this.#charts.get(symbol);
    if (!chart) {
      chart = new History(CHART_BARS, CHART_STEP);
      chart.continue(trend);
    }
    this.#charts.delete(symbol);
    this.#charts.set(symbol, chart);
    if (this.#charts.size > MOST_CHARTS) this.#charts.delete(this.#charts.keys().next().value as string);
    return chart;
  }

  /** Reconnects now instead of later. */
  retry(): void {
    this.client.connect();
  }

  /** Not if the gateway closed the connection: it may have asked for a delay. */
  #retryIfLost(): void {
    const { phase, reason } = this.link.value;
    if (phase === "lost" && !isGiven(reason)) this.retry();
  }

  #granted(quote: Quote): void {
    const { symbol } = quote;
    this.refusals.delete(symbol);
    if (this.instruments.has(symbol)) return;
    const instrument = new Instrument(symbol);
    // The first tick may be late: until then the row shows that there was none.
    instrument.update(quote, Date.now());
    this.instruments.set(symbol, instrument);
    this.#handler.membersChanged();
  }

  #update(quote: Quote): void {
    const instrument = this.instruments.get(quote.symbol);
    if (!instrument) return;
    const isTick = instrument.update(quote, Date.now());
    if (isTick && instrument.price !== null)
      this.#charts.get(quote.symbol)?.add(quote.receivedAt / 1_000, instrument.price);
    this.#handler.changed(instrument);
  }

  #connection(state: ConnectionState): void {
    const now = Date.now();
    const { phase, since, node } = this.link.value;
    const before = { reason: "", retryAt: undefined, node };
    const heardAt = phase === "live" ? this.#heardAt : since;
    switch (state.phase) {
      case "open":
        this.#heardAt = now;
        this.access.value = { auth: state.hello.auth ?? "none", problem: undefined };
        if (state.hello.auth === "required" && this.token === undefined) return this.#needToken("it requires a token");
        // A new connection may grant what the last one refused.
        this.refusals.clear();
        this.link.value = { ...before, phase: "live", since: now, node: state.hello.node };
        return;
      case "silent":
        if (phase === "live") this.link.value = { ...before, phase: "silent", since: heardAt };
        return;
      case "waiting":
        this.slowness.value = undefined;
        void this.#checkToken();
        this.link.value = {
          ...before,
          ...(phase === "connecting" && node === "" ? { phase, since } : { phase: "lost", since: heardAt }),
          reason: this.#reasonOf(state.reason, now),
          retryAt: state.retryAt / 1_000,
        };
        return;
      case "ended": {
        const { auth, problem } = this.access.value;
        const reason = problem ?? state.reason;
        if (FOR_TOKEN.test(reason)) this.access.value = { auth, problem: reason };
        this.link.value = { ...before, phase: "refused", since: heardAt, reason };
        return;
      }
      default:
        this.link.value = { ...this.link.value, retryAt: undefined };
    }
  }

  /** Ends the connection: it is of no use without another token. */
  #needToken(problem: string): void {
    this.access.value = { auth: "required", problem };
    this.client.close();
  }

  /** A browser does not tell why an upgrade was refused, so this asks over HTTP whether it was for the token. */
  async #checkToken(): Promise<void> {
    if (this.token === undefined || this.#isChecking) return;
    this.#isChecking = true;
    const status = await statusOf(this.token);
    this.#isChecking = false;
    if (status === 401 && this.client.state === "connecting") this.#needToken("it does not accept the token");
  }

  #checkLateness(): void {
    const now = latenessOf(this.instruments.values());
    const before = this.lateness.value;
    if (now.longest !== before.longest || now.isAll !== before.isAll) this.lateness.value = now;
  }

  /** The reason of a lost connection. A restart remains the reason until it has had time to complete. */
  #reasonOf(reason: string, now: number): string {
    const { phase, since, reason: first } = this.link.value;
    return phase === "lost" && isRestart(first) && now - since < RESTART_TIME ? first : reason;
  }

  /** Checks for silence. The client pings the gateway every second, so an answer is always due. */
  #checkSilence(): void {
    const now = Date.now();
    const { bytes } = this.client.stats;
    const { phase, node } = this.link.value;
    // A page that was asleep or blocked could not receive messages: this is not silence.
    const wasAway = now - this.#checkedAt > LATE || document.visibilityState === "hidden";
    if (bytes !== this.#heardBytes || wasAway) this.#heardAt = now;
    this.#heardBytes = bytes;
    this.#checkedAt = now;
    const isSilent = now - this.#heardAt > SILENCE;
    const rest = { reason: "", retryAt: undefined, node };
    if (phase === "live" && isSilent) this.link.value = { ...rest, phase: "silent", since: this.#heardAt };
    if (phase === "silent" && !isSilent && this.client.state === "live")
      this.link.value = { ...rest, phase: "live", since: now };
  }
}

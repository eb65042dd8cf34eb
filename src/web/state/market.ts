/**
 * The page's connection to the gateway: one subscription for all that is watched, at full speed for what is on the
 * screen, and how the connection stands, in a person's terms.
 */

import type { Field } from "../../base/tick.ts";
import { type ConnectionState, type Quote, type Subscription, TickgateClient } from "../../client/client.ts";
import { Cell } from "./cell.ts";
import { History } from "./history.ts";
import { Instrument } from "./instrument.ts";
import type { Watchlist } from "./watchlist.ts";

/** What the rows show. */
const ROW_FIELDS: readonly Field[] = ["bid", "ask", "last", "open", "high", "low", "volume"];
/** How often the round trip is measured, ms. Also how it is noticed that nothing is answered any more. */
const PING = 1_000;
/** How long nothing may be heard, answers to pings included, before the page says that prices may be old, ms. */
const SILENCE = 2_000;
/** How often that is looked at, ms. */
const LOOK = 250;
/** A look that is later than this was held up, or the page was asleep, ms. */
const LATE = 1_000;
/** How long a restart may take until it is told as a loss, ms. */
const RESTART_TIME = 60_000;
/** Charts that are kept, and the bars of each: the first half hour to the second, and the whole day to the minute. */
const MOST_CHARTS = 32;
const CHART_BARS = 1_800;
const CHART_STEP = 1_000;

/** How the connection stands. */
export interface LinkState {
  /**
   * `connecting`: the first one is being made; `live`; `silent`: nothing is heard; `lost`: another one is being made;
   * `refused`: for good.
   */
  readonly phase: "connecting" | "live" | "silent" | "lost" | "refused";
  /** When it began to stand so; of `lost` and `silent`, when something was last heard. Ms since the Unix epoch. */
  readonly since: number;
  readonly reason: string;
  /** Of `lost`: when the next attempt is, ms since the Unix epoch; undefined while one is under way. */
  readonly retryAt: number | undefined;
  /** The gateway's name for itself, as it last said. */
  readonly node: string;
}

/** Whether a reason is that the gateway goes and will be back: it said goodbye. */
export function isRestart(reason: string): boolean {
  return reason.includes("restarting");
}

/** Whether a reason is the gateway's own: then its close code stands behind it. */
export function isGiven(reason: string): boolean {
  return /\(\d{4}\)$/.test(reason);
}

/** Whether updates come as often as granted. */
export interface Slowness {
  readonly interval: number;
  readonly reason: string;
}

/** What is told of a market. */
export interface MarketHandler {
  /** A tick, or another state. */
  changed(instrument: Instrument): void;
  /** A symbol has come or gone. */
  membersChanged(): void;
  /** The gateway will not give something; `text` is a symbol or pattern, where it is about one. */
  refused(message: string, text: string | undefined): void;
}

export class Market {
  readonly client: TickgateClient;
  readonly link: Cell<LinkState>;
  readonly slowness = new Cell<Slowness | undefined>(undefined);
  /** All symbols that are watched and that there are. */
  readonly instruments = new Map<string, Instrument>();
  /** By symbol or pattern of the list: why the gateway does not give it. */
  readonly refusals = new Map<string, string>();
  readonly #handler: MarketHandler;
  readonly #subscription: Subscription;
  /** Kept for what was looked at: the latest last. */
  readonly #charts = new Map<string, History>();
  #texts = new Set<string>();
  #close: Subscription | undefined;
  #heardBytes = 0;
  #heardAt = Date.now();
  #lookedAt = 0;

  /** @param url of the gateway: `wss://HOST/v1/stream` */
  constructor(url: string, interval: number, handler: MarketHandler) {
    this.#handler = handler;
    this.client = new TickgateClient(url, { pingInterval: PING });
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
    this.client.on("rejected", ({ symbol, message }) => {
      if (this.#texts.has(symbol)) this.refusals.set(symbol, message);
      handler.refused(message, symbol);
    });
    this.client.on("error", (error) => {
      if (!error.symbol && error.code !== "refused") handler.refused(error.message, undefined);
    });
    this.#subscription = this.client.subscribe([], { interval, fields: ROW_FIELDS }, (quote) => this.#see(quote));
    this.client.connect();
    setInterval(() => this.#look(), LOOK);
    // Who opens the lid, or has a network again, does not wait for the next attempt.
    addEventListener("online", () => this.#retryIfLost());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#retryIfLost();
    });
  }

  get interval(): number {
    return this.#subscription.interval;
  }

  /** At most one update of a symbol in so many ms; at once. */
  set interval(interval: number) {
    if (this.#subscription.closed) return;
    this.#subscription.change({ interval });
    this.#close?.change({ interval });
  }

  /** Watches what is on a list, and nothing else. */
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

  /** The symbols that the list stands for now. */
  get symbols(): Iterable<string> {
    return this.#subscription.quotes.keys();
  }

  /** These rows are on the screen: the others may be slower. */
  showOnly(symbols: readonly string[]): void {
    if (!this.#subscription.closed) this.#subscription.showOnly(symbols);
  }

  /** Looks at one symbol with all its fields; undefined: at none. */
  lookAt(symbol: string | undefined): void {
    this.#close?.close();
    this.#close = undefined;
    if (symbol === undefined || this.#subscription.closed) return;
    const { interval } = this;
    this.#close = this.client.subscribe(symbol, { interval, hiddenInterval: interval }, (quote) => {
      const instrument = this.instruments.get(quote.symbol);
      if (instrument) this.#handler.changed(instrument);
    });
  }

  /** All fields of the symbol that is looked at. */
  get lookedAt(): Quote | undefined {
    for (const quote of this.#close?.quotes.values() ?? []) return quote;
    return undefined;
  }

  /** Where a symbol's price has been, in detail from now on; what was noted for its trend is the beginning. */
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

  /** Tries now what would be tried later. */
  retry(): void {
    this.client.connect();
  }

  /** Not where the gateway has closed the connection itself: it may have said when to come back. */
  #retryIfLost(): void {
    const { phase, reason } = this.link.value;
    if (phase === "lost" && !isGiven(reason)) this.retry();
  }

  #granted(quote: Quote): void {
    const { symbol } = quote;
    this.refusals.delete(symbol);
    if (this.instruments.has(symbol)) return;
    const instrument = new Instrument(symbol);
    // It may be long until there is a tick: meanwhile it is known that there was none.
    instrument.see(quote, Date.now());
    this.instruments.set(symbol, instrument);
    this.#handler.membersChanged();
  }

  #see(quote: Quote): void {
    const instrument = this.instruments.get(quote.symbol);
    if (!instrument) return;
    const isTick = instrument.see(quote, Date.now());
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
        // Each connection is asked anew.
        this.refusals.clear();
        this.link.value = { ...before, phase: "live", since: now, node: state.hello.node };
        return;
      case "silent":
        if (phase === "live") this.link.value = { ...before, phase: "silent", since: heardAt };
        return;
      case "waiting":
        this.slowness.value = undefined;
        this.link.value = {
          ...before,
          ...(phase === "connecting" && node === "" ? { phase, since } : { phase: "lost", since: heardAt }),
          reason: this.#reasonOf(state.reason, now),
          retryAt: state.retryAt / 1_000,
        };
        return;
      case "ended":
        this.link.value = { ...before, phase: "refused", since: heardAt, reason: state.reason };
        return;
      default:
        this.link.value = { ...this.link.value, retryAt: undefined };
    }
  }

  /** Why there is no connection: of a gateway that has said that it restarts this holds until it has had time for it. */
  #reasonOf(reason: string, now: number): string {
    const { phase, since, reason: first } = this.link.value;
    return phase === "lost" && isRestart(first) && now - since < RESTART_TIME ? first : reason;
  }

  /** Whether something has been heard of late. The client asks the gateway every second, so there is an answer. */
  #look(): void {
    const now = Date.now();
    const { bytes } = this.client.stats;
    const { phase, node } = this.link.value;
    // A page that was asleep, or held up, heard nothing because it did not listen.
    const wasAway = now - this.#lookedAt > LATE || document.visibilityState === "hidden";
    if (bytes !== this.#heardBytes || wasAway) this.#heardAt = now;
    this.#heardBytes = bytes;
    this.#lookedAt = now;
    const isSilent = now - this.#heardAt > SILENCE;
    const rest = { reason: "", retryAt: undefined, node };
    if (phase === "live" && isSilent) this.link.value = { ...rest, phase: "silent", since: this.#heardAt };
    if (phase === "silent" && !isSilent && this.client.state === "live")
      this.link.value = { ...rest, phase: "live", since: now };
  }
}

/**
 * Coinbase Exchange. Its public documentation, which this follows: "Exchange WebSocket Overview", "Exchange WebSocket
 * Channels" and "Exchange WebSocket Rate Limits", https://docs.cdp.coinbase.com/exchange/websocket-feed (overview,
 * channels, rate-limits). A client must subscribe within 5 s of connecting; a subscribe message that names one unknown
 * product is refused as a whole. Trades are the channel matches, and books level2_batch: level2 needs authentication.
 */
import { RateLimitedLog } from "../../log/rate_limited_log.ts";
import { url } from "../../settings/option.ts";
import type { Adapter, FeedContext, OptionValues } from "../adapter.ts";
import { readNumber, readObject } from "../number.ts";
import { isoMicros } from "../time.ts";
import { CoinbaseBooks } from "./coinbase_books.ts";
import { COINBASE_CANDLES } from "./coinbase_candles.ts";
import type { Outcome, Venue } from "./connection.ts";
import { ExchangeFeed, exchangeOptions, venueSymbols } from "./exchange.ts";
import { Freshness } from "./freshness.ts";
import { PacedRequests } from "./paced_requests.ts";
import { PastBars } from "./past_bars.ts";
import { type FieldKeys, readPatch } from "./venue_patch.ts";

// Every product has a heartbeat each second, so half a minute of silence is a fault and not a quiet market.
const OPTIONS = {
  ...exchangeOptions("wss://ws-feed.exchange.coinbase.com", 30_000),
  rest: {
    kind: url(["http", "https"]),
    default: "https://api.exchange.coinbase.com",
    help: "The address for past bars",
  },
};
const PRODUCT = /^[A-Z0-9.]{1,24}-[A-Z0-9.]{1,24}$/;
/** The documented limit is 100 a second for an address, which several connections may share. */
const MESSAGES_PER_SECOND = 10;

export const coinbase: Adapter<typeof OPTIONS> = {
  name: "coinbase",
  target: "BTC-USD,ETH-USD",
  help: "Coinbase Exchange, channels ticker, matches and level2_batch; BTC-USD becomes COINBASE:BTC-USD",
  options: OPTIONS,
  create(target: string, options: OptionValues<typeof OPTIONS>, context: FeedContext) {
    const products = venueSymbols(target, PRODUCT, "BTC-USD");
    if (!context.channels.has("bar"))
      return new ExchangeFeed([new CoinbaseVenue(options.url, products, context)], context, options);
    const requests = new PacedRequests(options.rest, options.maxBackoff);
    const pastBars = new PastBars(products, COINBASE_CANDLES, requests, context, options.silence);
    const venue = new CoinbaseVenue(options.url, products, context, pastBars);
    return new ExchangeFeed([venue], context, options, [pastBars, requests]);
  },
};

/** The keys of the fields in a ticker. All values are decimal strings; any may be absent. */
const TICKER: FieldKeys = {
  last: "price",
  lastSize: "last_size",
  bid: "best_bid",
  bidSize: "best_bid_size",
  ask: "best_ask",
  askSize: "best_ask_size",
  open: "open_24h",
  high: "high_24h",
  low: "low_24h",
  volume: "volume_24h",
};

export class CoinbaseVenue implements Venue {
  readonly url: string;
  readonly symbols: readonly string[];
  readonly messagesPerSecond = MESSAGES_PER_SECOND;
  /** The symbol of each requested product. */
  readonly #symbolOf: Map<string, string>;
  readonly #context: FeedContext;
  readonly #events: RateLimitedLog;
  readonly #freshness: Freshness;
  readonly #books: CoinbaseBooks;
  readonly #pastBars: PastBars | undefined;

  /** @param pastBars fills the bars of the products, where they are published */
  constructor(url: string, products: readonly string[], context: FeedContext, pastBars?: PastBars) {
    this.url = url;
    this.#symbolOf = new Map(products.map((product) => [product, `COINBASE:${product}`]));
    this.symbols = [...this.#symbolOf.values()];
    this.#context = context;
    this.#events = new RateLimitedLog(context.log, context.clock);
    this.#freshness = new Freshness(context.clock);
    this.#books = new CoinbaseBooks(context);
    this.#pastBars = pastBars;
  }

  subscribe(): readonly string[] {
    this.#freshness.connected();
    this.#books.clear();
    this.#pastBars?.connected(this.#symbolOf.keys());
    return [this.#subscription()];
  }

  lost(): void {
    this.#pastBars?.lost(this.#symbolOf.keys());
  }

  message(value: unknown, send: (text: string) => void): Outcome {
    const message = readObject(value);
    if (!message) return "malformed";
    switch (message.type) {
      case "ticker":
        return this.#ticker(message);
      case "match":
      case "last_match":
        return this.#match(message);
      case "snapshot":
      case "l2update":
        return this.#book(message, send);
      case "heartbeat":
      case "subscriptions":
        return "control";
      case "error":
        return this.#handleError(message, send);
      default:
        return typeof message.type === "string" ? "unknown" : "malformed";
    }
  }

  #subscription(): string {
    const product_ids = [...this.#symbolOf.keys()];
    const channels = ["ticker", "heartbeat"];
    if (this.#context.channels.has("trade")) channels.push("matches");
    if (this.#context.channels.has("book")) channels.push("level2_batch");
    return JSON.stringify({ type: "subscribe", product_ids, channels });
  }

  /** The venue's `side` is the maker's: a taker bought from one that sells. A last_match may be known already. */
  #match(message: Readonly<Record<string, unknown>>): Outcome {
    const { product_id: product, trade_id, side, time } = message;
    if (!this.#context.channels.has("trade")) return "unknown";
    if (typeof product !== "string") return "malformed";
    const symbol = this.#symbolOf.get(product);
    if (symbol === undefined) return "unknown";
    const price = readNumber(message.price);
    const size = readNumber(message.size);
    const id = readNumber(trade_id);
    if (price === undefined || size === undefined || id === undefined) return "malformed";
    const takerSide = side === "sell" ? 1 : side === "buy" ? -1 : 0;
    const trade = { price, size, side: takerSide, id: String(trade_id) };
    this.#context.sink.trade(symbol, trade, timeOf(time), undefined, message.type === "last_match");
    return "tick";
  }

  #book(message: Readonly<Record<string, unknown>>, send: (text: string) => void): Outcome {
    const { product_id: product } = message;
    if (!this.#context.channels.has("book")) return "unknown";
    if (typeof product !== "string") return "malformed";
    const symbol = this.#symbolOf.get(product);
    if (symbol === undefined) return "unknown";
    return this.#books.message(product, symbol, message, timeOf(message.time), send);
  }

  #ticker(message: Readonly<Record<string, unknown>>): Outcome {
    const { product_id: product, time } = message;
    if (typeof product !== "string") return "malformed";
    const symbol = this.#symbolOf.get(product);
    if (symbol === undefined) return "unknown";
    const patch = readPatch(message, TICKER);
    if (!patch) return "malformed";
    if (this.#freshness.isOld(product, readNumber(message.sequence))) return "control";
    this.#context.sink.tick(symbol, patch, timeOf(time) ?? Number.NaN);
    return "tick";
  }

  /** Logs the venue's error, and subscribes again without the unknown product. */
  #handleError(message: Readonly<Record<string, unknown>>, send: (text: string) => void): Outcome {
    const said = [message.message, message.reason].filter((part) => typeof part === "string").join(": ");
    this.#events.write("warn", { says: said || JSON.stringify(message) }, "the venue complains");
    const words = said.split(/[\s,"'[\]]+/);
    const refused = new Set(words.filter((word) => this.#symbolOf.has(word)));
    if (refused.size === 0) return "control";
    const { sink, log } = this.#context;
    sink.stale(
      "refused by the venue",
      [...refused].map((product) => `COINBASE:${product}`),
    );
    for (const product of refused) {
      this.#symbolOf.delete(product);
      this.#pastBars?.drop(product);
    }
    if (this.#symbolOf.size > 0) {
      send(this.#subscription());
      return "control";
    }
    log.error("the venue knows none of the products asked for");
    sink.closed("no such products");
    return "end";
  }
}

/** @returns undefined when there is none, as in snapshots; NaN when it cannot be read */
function timeOf(time: unknown): number | undefined {
  if (time === undefined) return undefined;
  return typeof time === "string" ? isoMicros(time) : Number.NaN;
}

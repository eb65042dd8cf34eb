/**
 * Binance spot. Its public documentation, which this follows: "WebSocket Streams for Binance",
 * https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams (also web-socket-streams.md of
 * github.com/binance/binance-spot-api-docs). At most 1,024 streams and 5 incoming messages a second on a connection,
 * 300 connections in 5 minutes; the venue pings at least every 3 minutes and closes each connection after 24 hours.
 * The address names the streams, so that the client sends nothing but pongs.
 *
 * Trades are those of aggTrade, which the last price needs already: one for all fills of a taker at one price. Its `m`
 * says that the buyer is the maker, so the taker sold.
 */
import { RateLimitedLog } from "../../log/rate_limited_log.ts";
import { url } from "../../settings/option.ts";
import type { Adapter, FeedContext, OptionValues } from "../adapter.ts";
import { readNumber, readObject } from "../number.ts";
import { BinanceBook, readDepthEvent } from "./binance_book.ts";
import { BINANCE_CANDLES } from "./binance_candles.ts";
import { BinanceSnapshots } from "./binance_snapshots.ts";
import type { Outcome, Venue } from "./connection.ts";
import { ExchangeFeed, exchangeOptions, venueSymbols } from "./exchange.ts";
import { Freshness } from "./freshness.ts";
import { PacedRequests } from "./paced_requests.ts";
import { PastBars } from "./past_bars.ts";
import { type FieldKeys, readPatch } from "./venue_patch.ts";

// An inactive pair sends only pings: every 20 s today, every 3 minutes in older documentation.
const OPTIONS = {
  ...exchangeOptions("wss://stream.binance.com:9443", 60_000),
  rest: {
    kind: url(["http", "https"]),
    default: "https://api.binance.com",
    help: "The address for snapshots of order books, and for past bars",
  },
};
const SYMBOL = /^[A-Z0-9_]{1,40}$/;
const STREAMS = ["bookTicker", "aggTrade", "ticker"] as const;
const MESSAGES_PER_SECOND = 4;
/** The changes of a book, every 100 ms. */
const DEPTH = "depth@100ms";
/** The most streams on a connection; the venue's limit is 1,024. */
export const MOST_STREAMS = 1_000;
/** The longest list of streams in an address. Front ends commonly refuse request lines of more than 8 KiB. */
export const STREAMS_LENGTH = 6_000;

/** The keys of the fields in the messages of the three streams. */
const BOOK_TICKER: FieldKeys = { bid: "b", bidSize: "B", ask: "a", askSize: "A" };
const AGG_TRADE: FieldKeys = { last: "p", lastSize: "q" };
const DAY: FieldKeys = { open: "o", high: "h", low: "l", volume: "v" };
const DAY_AND_TRADE: FieldKeys = { ...DAY, last: "c", lastSize: "Q" };

export const binance: Adapter<typeof OPTIONS> = {
  name: "binance",
  target: "BTCUSDT,ETHBTC",
  help: "Binance spot, streams bookTicker, aggTrade, ticker and depth; BTCUSDT becomes BINANCE:BTCUSDT",
  options: OPTIONS,
  create(target: string, options: OptionValues<typeof OPTIONS>, context: FeedContext) {
    const pairs = venueSymbols(target, SYMBOL, "BTCUSDT");
    const requests = new PacedRequests(options.rest, options.maxBackoff);
    const snapshots = context.channels.has("book") ? new BinanceSnapshots(requests, context) : undefined;
    const pastBars = context.channels.has("bar")
      ? new PastBars(pairs, BINANCE_CANDLES, requests, context, options.silence)
      : undefined;
    const venues = connectionsOf(pairs, snapshots !== undefined).map(
      (some) => new BinanceVenue(options.url, some, context, snapshots, pastBars),
    );
    return new ExchangeFeed(venues, context, options, pastBars ? [pastBars, requests] : [requests]);
  },
};

/** Distributes pairs over as few connections as the venue's limits allow. */
export function connectionsOf(pairs: readonly string[], withBooks = false): string[][] {
  const connections: string[][] = [];
  let length = Number.POSITIVE_INFINITY;
  for (const pair of pairs) {
    const streams = streamsOf(pair, withBooks);
    const more = streams.join("/").length + 1;
    const current = connections.at(-1);
    if (!current || length + more > STREAMS_LENGTH || (current.length + 1) * streams.length > MOST_STREAMS) {
      connections.push([pair]);
      length = more;
    } else {
      current.push(pair);
      length += more;
    }
  }
  return connections;
}

function streamsOf(pair: string, withBooks: boolean): string[] {
  return [...STREAMS, ...(withBooks ? [DEPTH] : [])].map((stream) => `${pair.toLowerCase()}@${stream}`);
}

export class BinanceVenue implements Venue {
  readonly url: string;
  readonly symbols: readonly string[];
  readonly messagesPerSecond = MESSAGES_PER_SECOND;
  readonly #symbolOf: ReadonlyMap<string, string>;
  /** The identifier of the newest trade of each pair. */
  readonly #tradeOf = new Map<string, number>();
  readonly #context: FeedContext;
  readonly #events: RateLimitedLog;
  readonly #freshness: Freshness;

  /** By pair; empty where books are not published. */
  readonly #books = new Map<string, BinanceBook>();
  readonly #snapshots: BinanceSnapshots | undefined;
  readonly #pastBars: PastBars | undefined;

  /**
   * @param snapshots for the books of the pairs; without it there are none
   * @param pastBars fills the bars of the pairs, where they are published
   */
  constructor(
    url: string,
    pairs: readonly string[],
    context: FeedContext,
    snapshots?: BinanceSnapshots,
    pastBars?: PastBars,
  ) {
    const address = new URL(url);
    if (address.pathname === "/") address.pathname = "/stream";
    address.search += `${address.search === "" ? "?" : "&"}streams=${pairs.flatMap((pair) => streamsOf(pair, snapshots !== undefined)).join("/")}`;
    this.url = address.href;
    this.#symbolOf = new Map(pairs.map((pair) => [pair, `BINANCE:${pair}`]));
    this.symbols = [...this.#symbolOf.values()];
    this.#context = context;
    this.#events = new RateLimitedLog(context.log, context.clock);
    this.#freshness = new Freshness(context.clock);
    this.#snapshots = snapshots;
    this.#pastBars = pastBars;
    if (snapshots) for (const pair of pairs) this.#books.set(pair, this.#createBook(pair, snapshots));
  }

  subscribe(): readonly string[] {
    this.#freshness.connected();
    this.#tradeOf.clear();
    for (const book of this.#books.values()) book.start();
    this.#pastBars?.connected(this.#symbolOf.keys());
    return [];
  }

  lost(): void {
    for (const pair of this.#books.keys()) this.#snapshots?.cancel(pair);
    this.#pastBars?.lost(this.#symbolOf.keys());
  }

  message(value: unknown): Outcome {
    const message = readObject(value);
    if (!message) return "malformed";
    const data = readObject(message.data);
    if (typeof message.stream !== "string" || !data) return this.#handleControl(message);
    const kind = message.stream.endsWith("@bookTicker") ? "bookTicker" : data.e;
    if (kind === "depthUpdate") return this.#depth(data);
    if (kind !== "bookTicker" && kind !== "aggTrade" && kind !== "24hrTicker") return "unknown";
    if (typeof data.s !== "string") return "malformed";
    const pair = data.s.toUpperCase();
    const symbol = this.#symbolOf.get(pair);
    if (symbol === undefined) return "unknown";
    if (kind === "aggTrade" && this.#context.channels.has("trade")) this.#trade(symbol, data);
    const order = kind === "bookTicker" ? data.u : kind === "aggTrade" ? data.l : data.E;
    if (this.#freshness.isOld(`${pair} ${kind}`, readNumber(order))) return "control";
    let keys = BOOK_TICKER;
    // A bookTicker of the spot market has no time.
    let micros: number | undefined;
    if (kind === "aggTrade") {
      if (this.#isOlderTrade(pair, data.l)) return "control";
      keys = AGG_TRADE;
      micros = fromMillis(data.T ?? data.E);
    } else if (kind === "24hrTicker") {
      keys = this.#isOlderTrade(pair, data.L) ? DAY : DAY_AND_TRADE;
      micros = fromMillis(data.E);
    }
    const patch = readPatch(data, keys);
    if (!patch) return "malformed";
    this.#context.sink.tick(symbol, patch, micros);
    return "tick";
  }

  #createBook(pair: string, snapshots: BinanceSnapshots): BinanceBook {
    const symbol = `BINANCE:${pair}`;
    const { sink } = this.#context;
    const book = new BinanceBook({
      changed: (changed, eventTime) => sink.book(symbol, changed.top(), eventTime),
      lost: (reason) => sink.bookLost(symbol, reason),
      needsSnapshot: () => snapshots.request(pair, (snapshot) => book.load(snapshot)),
    });
    return book;
  }

  #depth(data: Readonly<Record<string, unknown>>): Outcome {
    const book = this.#books.get(String(data.s).toUpperCase());
    if (!book) return "unknown";
    const event = readDepthEvent(data);
    book.apply(event);
    return event ? "tick" : "malformed";
  }

  #trade(symbol: string, data: Readonly<Record<string, unknown>>): void {
    const { sink } = this.#context;
    const [price, size, id] = [readNumber(data.p), readNumber(data.q), readNumber(data.a)];
    if (price === undefined || size === undefined || id === undefined) return sink.skip("malformed");
    const side = data.m === true ? -1 : data.m === false ? 1 : 0;
    sink.trade(symbol, { price, size, side, id: String(data.a) }, fromMillis(data.T ?? data.E));
  }

  /**
   * Two streams have the last trade: aggTrade at once, and ticker once a second. The ticker may be behind aggTrade, but
   * is the only source for a pair without a new trade. The trade's identifier decides, so that `last` never goes back
   * to an older trade. A ticker without a trade in its 24 hours has the identifier -1 and still the last price: it is
   * older than any known trade, and new when no trade is known.
   */
  #isOlderTrade(pair: string, trade: unknown): boolean {
    const id = readNumber(trade);
    if (id === undefined) return false;
    if (id < (this.#tradeOf.get(pair) ?? Number.NEGATIVE_INFINITY)) return true;
    this.#tradeOf.set(pair, id);
    return false;
  }

  /** Answers to commands, and errors. */
  #handleControl(message: Readonly<Record<string, unknown>>): Outcome {
    if (message.error !== undefined || message.code !== undefined) {
      this.#events.write("warn", { says: JSON.stringify(message).slice(0, 500) }, "the venue complains");
      return "control";
    }
    return "result" in message ? "control" : "unknown";
  }
}

/** @returns NaN when the value is no time */
function fromMillis(value: unknown): number {
  const micros = Math.round((readNumber(value) ?? Number.NaN) * 1_000);
  return Number.isFinite(micros) ? micros : Number.NaN;
}

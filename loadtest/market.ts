/** A gateway's symbols and current ticks, over HTTP. */
import { setTimeout as sleep } from "node:timers/promises";
import { FIELDS } from "../src/base/tick.ts";
import { UsageError } from "../src/settings/option.ts";
import type { StreamChannel } from "./swarm/protocol.ts";

/** How long an answer may take, ms. */
const ANSWER_TIME = 30_000;
/** How long a starting gateway may take to have enough symbols, ms. */
const START_TIME = 10_000;
/** The pause between two requests for the symbols, ms. */
const RETRY_PAUSE = 100;

/** How many symbols are asked for at once, where each needs a request. */
const AT_ONCE = 8;

type RequestHeaders = Readonly<Record<string, string>>;

/** The current ticks, by the symbols' indexes in the market. */
export interface MarketState {
  /** 0 for a symbol without a tick. */
  readonly seqs: Float64Array;
  /** All fields of each symbol, adjacent; NaN where there is no value. */
  readonly values: Float64Array;
}

/** Trades, books or bars of some symbols, by their indexes in the market. */
export interface ChannelState {
  /** 0 where there is none. */
  readonly seqs: Float64Array;
  /** Of books, the prices and sizes of both sides, those of the bids first; of bars, the values of each. */
  readonly contents: ReadonlyMap<number, readonly number[]>;
}

export class Market {
  readonly symbols: readonly string[];
  readonly #url: URL;
  readonly #indexes: ReadonlyMap<string, number>;

  readonly #headers: RequestHeaders;

  private constructor(url: URL, symbols: readonly string[], headers: RequestHeaders) {
    this.#url = url;
    this.#headers = headers;
    this.symbols = symbols;
    this.#indexes = new Map(symbols.map((symbol, index) => [symbol, index]));
  }

  /**
   * Loads a gateway's symbols.
   * @param stream the WebSocket address; the HTTP resources are siblings of it
   * @param prefix of the symbols
   * @param least the required number of symbols; waits for a starting gateway
   * @param headers of every request, such as a token
   * @throws UsageError when there are fewer, or the gateway does not answer
   */
  static async open(stream: string, prefix: string, least: number, headers: RequestHeaders = {}): Promise<Market> {
    const url = new URL(stream.replace(/^ws/, "http"));
    const deadline = performance.now() + START_TIME;
    for (;;) {
      const { symbols } = await ask<{ symbols: string[] }>(
        new URL(`symbols?prefix=${encodeURIComponent(prefix)}`, url),
        headers,
      );
      if (symbols.length >= least) return new Market(url, symbols, headers);
      if (performance.now() > deadline) {
        const which = prefix === "" ? "" : ` that begin with ${prefix}`;
        throw new UsageError(`${url.host} has ${symbols.length} symbols${which}, fewer than the ${least} asked for`);
      }
      await sleep(RETRY_PAUSE);
    }
  }

  /** @throws UsageError when the gateway does not answer */
  async state(): Promise<MarketState> {
    const seqs = new Float64Array(this.symbols.length);
    const values = new Float64Array(this.symbols.length * FIELDS.length);
    const { ticks } = await ask<{ ticks: Tick[] }>(
      new URL(`ticks?symbols=${encodeURIComponent(this.#pattern)}`, this.#url),
      this.#headers,
    );
    for (const tick of ticks) {
      const index = this.#indexes.get(tick.symbol);
      if (index === undefined) continue;
      seqs[index] = tick.seq;
      FIELDS.forEach((field, offset) => {
        values[index * FIELDS.length + offset] = tick[field] ?? Number.NaN;
      });
    }
    return { seqs, values };
  }

  /**
   * The latest trades, the books, or the latest bars, of some symbols.
   * @param symbols indexes in the market
   * @param query what is asked for besides the symbol
   * @throws UsageError when the gateway does not answer
   */
  async channelState(channel: StreamChannel, symbols: readonly number[], query: string): Promise<ChannelState> {
    const seqs = new Float64Array(this.symbols.length);
    const contents = new Map<number, number[]>();
    const resource = { trade: "trades", book: "book", bar: "bars" }[channel];
    const one = async (symbol: number) => {
      const path = `${resource}?symbol=${encodeURIComponent(this.symbols[symbol])}&${query}`;
      const state = await ask<ChannelAnswer, undefined>(new URL(path, this.#url), this.#headers, undefined);
      seqs[symbol] = state?.seq ?? 0;
      if (state?.bids && state.asks) contents.set(symbol, [...state.bids, ...state.asks]);
      if (state?.bars) contents.set(symbol, state.bars.flatMap(barValues));
    };
    for (let first = 0; first < symbols.length; first += AT_ONCE)
      await Promise.all(symbols.slice(first, first + AT_ONCE).map(one));
    return { seqs, contents };
  }

  /** A pattern that matches every symbol: their common prefix. */
  get #pattern(): string {
    const [first, last] = [this.symbols[0], this.symbols[this.symbols.length - 1]];
    let length = 0;
    // The symbols are sorted, so the common prefix of the first and the last is that of all.
    while (length < first.length && first[length] === last[length]) length++;
    return first === last ? first : `${first.slice(0, length)}*`;
  }
}

type Tick = { symbol: string; seq: number } & Partial<Record<(typeof FIELDS)[number], number | null>>;

type ChannelAnswer = { seq: number; bids?: number[]; asks?: number[]; bars?: Bar[] };

type Bar = Record<"start" | "open" | "high" | "low" | "close" | "volume" | "trades" | "flags", number>;

/** As in a tick. */
function barValues({ start, open, high, low, close, volume, trades, flags }: Bar): number[] {
  return [start, open, high, low, close, volume, trades, flags];
}

/** @param unknown what 404 stands for; without it, that is an error */
async function ask<T, Unknown = never>(url: URL, headers: RequestHeaders, ...unknown: Unknown[]): Promise<T | Unknown> {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_TIME) });
    if (response.ok) return (await response.json()) as T;
    if (response.status === 404 && unknown.length > 0) return unknown[0];
    throw new Error(`HTTP ${response.status}`);
  } catch (error) {
    const { message, cause } = error as Error;
    const why = cause instanceof Error && cause.message !== "" ? cause.message : message;
    throw new UsageError(`${url.origin}${url.pathname} does not answer as a gateway does: ${why}`, { cause: error });
  }
}

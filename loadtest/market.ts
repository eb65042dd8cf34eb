/** The market that a gateway has, over HTTP: which symbols there are, and what holds now. */
import { setTimeout as sleep } from "node:timers/promises";
import { FIELDS } from "../src/base/tick.ts";
import { UsageError } from "../src/settings/option.ts";

/** How long an answer may take, ms. */
const ANSWER_TIME = 30_000;
/** How long a market that has just begun may take to have enough symbols, ms. */
const BEGIN_TIME = 10_000;
const LOOK = 100;

/** What holds, by the symbols' places in the market. */
export interface MarketState {
  /** 0 where there has been no tick. */
  readonly seqs: Float64Array;
  /** All fields of each symbol, one behind the other; NaN where there is no value. */
  readonly values: Float64Array;
}

export class Market {
  readonly symbols: readonly string[];
  readonly #url: URL;
  readonly #places: ReadonlyMap<string, number>;

  private constructor(url: URL, symbols: readonly string[]) {
    this.#url = url;
    this.symbols = symbols;
    this.#places = new Map(symbols.map((symbol, place) => [symbol, place]));
  }

  /**
   * Asks a gateway for its symbols.
   * @param stream where its clients connect: what is asked over HTTP stands beside it
   * @param prefix what the symbols begin with
   * @param least how many there must be; a market that has just begun is waited for
   * @throws UsageError when it has fewer, or does not answer
   */
  static async open(stream: string, prefix: string, least: number): Promise<Market> {
    const url = new URL(stream.replace(/^ws/, "http"));
    const deadline = performance.now() + BEGIN_TIME;
    for (;;) {
      const { symbols } = await ask<{ symbols: string[] }>(
        new URL(`symbols?prefix=${encodeURIComponent(prefix)}`, url),
      );
      if (symbols.length >= least) return new Market(url, symbols);
      if (performance.now() > deadline) {
        const which = prefix === "" ? "" : ` that begin with ${prefix}`;
        throw new UsageError(`${url.host} has ${symbols.length} symbols${which}, fewer than the ${least} asked for`);
      }
      await sleep(LOOK);
    }
  }

  /** @throws UsageError when it does not answer */
  async state(): Promise<MarketState> {
    const seqs = new Float64Array(this.symbols.length);
    const values = new Float64Array(this.symbols.length * FIELDS.length);
    const { ticks } = await ask<{ ticks: Tick[] }>(
      new URL(`ticks?symbols=${encodeURIComponent(this.#pattern)}`, this.#url),
    );
    for (const tick of ticks) {
      const place = this.#places.get(tick.symbol);
      if (place === undefined) continue;
      seqs[place] = tick.seq;
      FIELDS.forEach((field, index) => {
        values[place * FIELDS.length + index] = tick[field] ?? Number.NaN;
      });
    }
    return { seqs, values };
  }

  /** Begins like every symbol. */
  get #pattern(): string {
    const [first, last] = [this.symbols[0], this.symbols[this.symbols.length - 1]];
    let length = 0;
    // They come in order: what the first and the last have in common, all have.
    while (length < first.length && first[length] === last[length]) length++;
    return first === last ? first : `${first.slice(0, length)}*`;
  }
}

type Tick = { symbol: string; seq: number } & Partial<Record<(typeof FIELDS)[number], number | null>>;

async function ask<T>(url: URL): Promise<T> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIME) });
    if (response.ok) return (await response.json()) as T;
    throw new Error(`HTTP ${response.status}`);
  } catch (error) {
    const { message, cause } = error as Error;
    const why = cause instanceof Error && cause.message !== "" ? cause.message : message;
    throw new UsageError(`${url.origin}${url.pathname} does not answer as a gateway does: ${why}`, { cause: error });
  }
}

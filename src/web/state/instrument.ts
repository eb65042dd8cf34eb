/** One symbol on the page: its quote, the number of decimals, and the price history. */

import { changeOf, shareOf } from "../../base/price.ts";
import type { Quote, QuoteState } from "../../client/client.ts";
import { History } from "./history.ts";
import { Decimals } from "./number.ts";

/** Bars of a row's trend: one or two kilobytes per watched symbol. Length of the first bars, ms. */
const TREND_BARS = 64;
const TREND_STEP = 1_000;
/** The most silences that are kept. */
const MOST_SILENCES = 100;

/** A period in which the feed or the connection was silent, ms since the Unix epoch. */
export interface Silence {
  readonly from: number;
  /** Undefined while it continues. */
  to: number | undefined;
}

/** What the gateway says when it ends a symbol, in words. */
const ENDED: Readonly<Record<string, string>> = { not_entitled: "not entitled", expired: "token expired" };

export class Instrument {
  readonly symbol: string;
  readonly decimals = new Decimals();
  readonly trend = new History(TREND_BARS, TREND_STEP);
  /** Undefined until the symbol is granted. */
  quote: Quote | undefined;
  /** The direction of the last price change: 1 up, -1 down, 0 for none yet. */
  direction = 0;
  /** The latest silences, in order. */
  readonly silences: Silence[] = [];
  #price: number | null = null;
  #seq = 0;

  constructor(symbol: string) {
    this.symbol = symbol;
  }

  /** The last price; without a trade, the middle of bid and ask. */
  get price(): number | null {
    return this.#price;
  }

  /** The difference between the price and the open. */
  get change(): number | null {
    const open = this.quote?.open ?? null;
    return this.#price === null || open === null ? null : changeOf(this.#price, open);
  }

  /** The same as a share of the open; null where that is 0. */
  get share(): number | null {
    const open = this.quote?.open ?? null;
    return this.#price === null || open === null ? null : shareOf(this.#price, open);
  }

  /**
   * The state to show; undefined before the gateway has answered. Without any tick there is no price that could be
   * stale: the state is then `unknown`.
   */
  get state(): QuoteState | undefined {
    const { state, seq } = this.quote ?? {};
    return state === "stale" && seq === 0 ? "unknown" : state;
  }

  /** The state in words; a symbol that the gateway has ended says why. */
  get stateText(): string {
    return ENDED[this.quote?.reason ?? ""] ?? this.state ?? "unknown";
  }

  /** Whether the price may be old: the feed is silent or has ended, or the connection is lost. */
  get isOld(): boolean {
    return this.state === "stale" || this.state === "closed";
  }

  /**
   * Takes the present values of the quote.
   * @param now ms since the Unix epoch
   * @returns whether there was a new tick
   */
  update(quote: Quote, now: number): boolean {
    this.quote = quote;
    this.#noteSilence(now);
    if (quote.seq === this.#seq) return false;
    this.#seq = quote.seq;
    const { last, bid, ask } = quote;
    this.decimals.add(last);
    this.decimals.add(bid);
    this.decimals.add(ask);
    const price = last ?? (bid !== null && ask !== null ? (bid + ask) / 2 : null);
    if (price !== null) {
      if (this.#price !== null && price !== this.#price) this.direction = price > this.#price ? 1 : -1;
      // By this machine's clock, because the source's clock may differ.
      this.trend.add(quote.receivedAt / 1_000, price);
    }
    this.#price = price;
    return true;
  }

  #noteSilence(now: number): void {
    const last = this.silences.at(-1);
    const isSilent = last !== undefined && last.to === undefined;
    if (this.isOld === isSilent) return;
    if (isSilent) last.to = now;
    else this.silences.push({ from: now, to: undefined });
    if (this.silences.length > MOST_SILENCES) this.silences.shift();
  }
}

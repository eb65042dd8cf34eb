/** What the page knows of one symbol: its quote, how its prices are written, and where they have been. */

import { changeOf, shareOf } from "../../base/price.ts";
import type { Quote, QuoteState } from "../../client/client.ts";
import { History } from "./history.ts";
import { Decimals } from "./number.ts";

/** Bars of a row's trend; a kilobyte or two for every symbol that is watched. */
const TREND_BARS = 64;
const TREND_STEP = 1_000;
/** Times of staleness that are remembered. */
const MOST_SILENCES = 100;

/** A time in which the price stood still because nothing was heard, ms since the Unix epoch. */
export interface Silence {
  readonly from: number;
  /** Undefined while it lasts. */
  to: number | undefined;
}

export class Instrument {
  readonly symbol: string;
  readonly decimals = new Decimals();
  readonly trend = new History(TREND_BARS, TREND_STEP);
  /** Undefined until the symbol is granted. */
  quote: Quote | undefined;
  /** Which way the price went when it last changed: 1 up, -1 down, 0 not yet. */
  direction = 0;
  /** The latest of them, in order. */
  readonly silences: Silence[] = [];
  #price: number | null = null;
  #seq = 0;

  constructor(symbol: string) {
    this.symbol = symbol;
  }

  /** The last price; where there has been no trade, the middle of bid and ask. */
  get price(): number | null {
    return this.#price;
  }

  /** How far the price is from where it opened. */
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
   * How the symbol is shown to stand; undefined before the gateway has answered. Where there has never been a tick there
   * is no price that could be stale: that is `unknown`.
   */
  get state(): QuoteState | undefined {
    const { state, seq } = this.quote ?? {};
    return state === "stale" && seq === 0 ? "unknown" : state;
  }

  /** Whether the price may be old: the feed is silent or has ended, or the connection is gone. */
  get isOld(): boolean {
    return this.state === "stale" || this.state === "closed";
  }

  /**
   * Takes over what the quote says now.
   * @param now ms since the Unix epoch
   * @returns whether there was a new tick
   */
  see(quote: Quote, now: number): boolean {
    this.quote = quote;
    this.#listen(now);
    if (quote.seq === this.#seq) return false;
    this.#seq = quote.seq;
    const { last, bid, ask } = quote;
    this.decimals.see(last);
    this.decimals.see(bid);
    this.decimals.see(ask);
    const price = last ?? (bid !== null && ask !== null ? (bid + ask) / 2 : null);
    if (price !== null) {
      if (this.#price !== null && price !== this.#price) this.direction = price > this.#price ? 1 : -1;
      // By this machine's clock: it is told since when the page has seen it, whatever the source's clock says.
      this.trend.add(quote.receivedAt / 1_000, price);
    }
    this.#price = price;
    return true;
  }

  #listen(now: number): void {
    const last = this.silences.at(-1);
    const isSilent = last !== undefined && last.to === undefined;
    if (this.isOld === isSilent) return;
    if (isSilent) last.to = now;
    else this.silences.push({ from: now, to: undefined });
    if (this.silences.length > MOST_SILENCES) this.silences.shift();
  }
}

/**
 * The simulated market: realistic random walks that depend on a seed alone. It keeps prices in whole ticks and sizes in
 * whole lots, so that the values are decimals with few digits (`123.45`, never `123.45000000000002`).
 */
import type { TickPatch } from "../../base/tick.ts";
import { BOOK_LEVELS, type BookSides } from "../../market/book/book_payload.ts";
import { AliasTable, Random } from "./random.ts";

/** The default concentration of activity: see {@link SimMarket}. */
export const SKEW = 0.9;
/** The share of changes that are trades; the others change only the quote. */
const TRADE_SHARE = 0.35;
/** Volatility clusters as in a GARCH(1,1) process: the part that stays, and the part that the last move adds. */
const PERSISTENCE = 0.9;
const REACTION = 0.08;
/**
 * The part of the way back to its anchor that a price moves at each change: it may drift for days, but not without
 * limit.
 */
const REVERSION = 0.000_02;
/** The widest spread in ticks beyond one. */
const SPREAD_TICKS = 6;

export class SimMarket {
  readonly symbols: readonly string[];
  /** The symbol of the last {@link next}. */
  symbol = 0;

  readonly #random: Random;
  readonly #activity: AliasTable;
  /** Per symbol: how many ticks make 1, how many lots make 1. */
  readonly #tickScale: Float64Array;
  readonly #lotScale: Float64Array;
  /** In ticks. The middle of the quote has a fraction; all others are whole. */
  readonly #anchor: Float64Array;
  readonly #mid: Float64Array;
  readonly #last: Float64Array;
  readonly #open: Float64Array;
  readonly #high: Float64Array;
  readonly #low: Float64Array;
  /** In lots. */
  readonly #volume: Float64Array;
  /** The variance of one change and its long-run level, in ticks². */
  readonly #variance: Float64Array;
  readonly #level: Float64Array;

  // Reused for every change: one shape each, and doubles only, so that V8 writes in place and allocates nothing.
  readonly #quote = { bid: 0.5, bidSize: 0.5, ask: 0.5, askSize: 0.5 };
  readonly #trade = { ...this.#quote, last: 0.5, lastSize: 0.5, high: 0.5, low: 0.5, volume: 0.5 };
  readonly #whole = { ...this.#trade, open: 0.5 };
  readonly #bids = new Float64Array(BOOK_LEVELS * 2);
  readonly #asks = new Float64Array(BOOK_LEVELS * 2);

  /**
   * @param count how many symbols, 1 or more
   * @param prefix the venue part of the symbols
   * @param skew how strongly activity is concentrated: the activity of the k-th most active symbol is
   * proportional to 1/k^skew; with 0 all are equal
   */
  constructor(count: number, seed: number, prefix: string, skew = SKEW) {
    const digits = Math.max(4, String(count - 1).length);
    this.symbols = Array.from({ length: count }, (_, i) => `${prefix}:S${String(i).padStart(digits, "0")}`);
    this.#random = new Random(seed);
    const array = () => new Float64Array(count);
    [this.#tickScale, this.#lotScale, this.#anchor, this.#mid, this.#last] = [
      array(),
      array(),
      array(),
      array(),
      array(),
    ];
    [this.#open, this.#high, this.#low, this.#volume] = [array(), array(), array(), array()];
    [this.#variance, this.#level] = [array(), array()];
    const weights = array();
    for (let i = 0; i < count; i++) {
      weights[i] = (i + 1) ** -skew;
      this.#list(i);
    }
    this.#shuffle(weights);
    this.#activity = new AliasTable(weights);
  }

  /** A symbol's whole state, which is sent once at the start. The patch is reused. */
  firstState(symbol: number): TickPatch {
    const whole = this.#whole;
    this.#fillQuote(symbol, whole);
    this.#fillTrade(symbol, whole, this.#lots(symbol));
    whole.open = this.#open[symbol] / this.#tickScale[symbol];
    return whole;
  }

  /** The next change, of {@link symbol}. The patch is reused. */
  next(): TickPatch {
    const symbol = this.#activity.pick(this.#random);
    this.symbol = symbol;
    this.#move(symbol);
    if (this.#random.unit() >= TRADE_SHARE) {
      this.#fillQuote(symbol, this.#quote);
      return this.#quote;
    }
    const trade = this.#trade;
    const bid = this.#fillQuote(symbol, trade);
    const spread = Math.round((trade.ask - trade.bid) * this.#tickScale[symbol]);
    const price = this.#random.unit() < 0.5 ? bid : bid + spread;
    const lots = this.#lots(symbol);
    this.#last[symbol] = price;
    if (price > this.#high[symbol]) this.#high[symbol] = price;
    if (price < this.#low[symbol]) this.#low[symbol] = price;
    this.#volume[symbol] += lots;
    this.#fillTrade(symbol, trade, lots);
    return trade;
  }

  /**
   * A symbol's book around its quote: a level at each tick, whose size depends on the price alone, so that a level
   * stays as it is until it is the best. The arrays are reused.
   */
  book(symbol: number, quote: TickPatch): BookSides {
    const [tickScale, lotScale] = [this.#tickScale[symbol], this.#lotScale[symbol]];
    const bid = Math.round((quote.bid ?? 0) * tickScale);
    const ask = Math.round((quote.ask ?? 0) * tickScale);
    const levels = Math.min(BOOK_LEVELS, bid);
    for (let level = 0; level < BOOK_LEVELS; level++) {
      this.#bids[level * 2] = (bid - level) / tickScale;
      this.#bids[level * 2 + 1] = levelLots(symbol, bid - level) / lotScale;
      this.#asks[level * 2] = (ask + level) / tickScale;
      this.#asks[level * 2 + 1] = levelLots(symbol, ask + level) / lotScale;
    }
    this.#bids[1] = quote.bidSize ?? 0;
    this.#asks[1] = quote.askSize ?? 0;
    return { bids: this.#bids.subarray(0, levels * 2), asks: this.#asks };
  }

  /** Sets a symbol's price, its tick and lot size, and its day so far. */
  #list(symbol: number): void {
    const random = this.#random;
    // From 0.01 to 10,000, most in the middle; cheaper symbols have more decimals.
    const price = 10 ** (-2 + 6 * ((random.unit() + random.unit()) / 2));
    const decimals = price >= 1 ? 2 : price >= 0.1 ? 4 : 6;
    this.#tickScale[symbol] = 10 ** decimals;
    this.#lotScale[symbol] = random.unit() < 0.5 ? 1 : 1_000;
    const anchor = Math.round(price * 10 ** decimals);
    this.#anchor[symbol] = this.#mid[symbol] = this.#last[symbol] = this.#open[symbol] = anchor;
    // 0.3 to 3 basis points a change, and at least a third of a tick, or the price would never move.
    const deviation = Math.max(0.33, anchor * 10 ** (-4.5 + random.unit()));
    this.#level[symbol] = this.#variance[symbol] = deviation * deviation;
    this.#high[symbol] = Math.round(anchor * (1 + 0.02 * random.unit()));
    this.#low[symbol] = Math.round(anchor * (1 - 0.02 * random.unit()));
    this.#volume[symbol] = Math.round(1_000 * 10 ** (3 * random.unit())) * this.#lotScale[symbol];
  }

  /** Assigns activity at random, so that names do not show which symbols are busy. */
  #shuffle(weights: Float64Array): void {
    for (let i = weights.length - 1; i > 0; i--) {
      const j = Math.floor(this.#random.unit() * (i + 1));
      [weights[i], weights[j]] = [weights[j], weights[i]];
    }
  }

  #move(symbol: number): void {
    const anchor = this.#anchor[symbol];
    const mid = this.#mid[symbol];
    const shock = this.#random.normal() * Math.sqrt(this.#variance[symbol]);
    this.#variance[symbol] =
      (1 - PERSISTENCE - REACTION) * this.#level[symbol] +
      PERSISTENCE * this.#variance[symbol] +
      REACTION * shock * shock;
    const moved = mid + shock + (anchor - mid) * REVERSION;
    this.#mid[symbol] = Math.min(Math.max(moved, anchor * 0.2), anchor * 5);
  }

  /** @returns the bid in ticks */
  #fillQuote(symbol: number, patch: { bid: number; bidSize: number; ask: number; askSize: number }): number {
    const random = this.#random;
    const scale = this.#tickScale[symbol];
    const wide = random.unit();
    const spread = 1 + Math.floor(wide * wide * wide * SPREAD_TICKS);
    const bid = Math.max(1, Math.floor(this.#mid[symbol] - (spread - 1) / 2));
    patch.bid = bid / scale;
    patch.ask = (bid + spread) / scale;
    patch.bidSize = this.#lots(symbol) / this.#lotScale[symbol];
    patch.askSize = this.#lots(symbol) / this.#lotScale[symbol];
    return bid;
  }

  #fillTrade(
    symbol: number,
    patch: { last: number; lastSize: number; high: number; low: number; volume: number },
    lots: number,
  ): void {
    const scale = this.#tickScale[symbol];
    patch.last = this.#last[symbol] / scale;
    patch.lastSize = lots / this.#lotScale[symbol];
    patch.high = this.#high[symbol] / scale;
    patch.low = this.#low[symbol] / scale;
    patch.volume = this.#volume[symbol] / this.#lotScale[symbol];
  }

  /** A size in lots: most are small, a few a thousand times that. */
  #lots(symbol: number): number {
    const size = Math.floor(1 / (this.#random.unit() + 0.000_5));
    return Math.max(1, Math.floor((size * this.#lotScale[symbol]) / 10));
  }
}

/** How many lots a level has: 1 to some 300, and the more often the fewer. */
function levelLots(symbol: number, price: number): number {
  // A multiplicative hash: Knuth, The Art of Computer Programming, volume 3, 6.4.
  const hash = Math.imul(price ^ Math.imul(symbol + 1, 0x9e3779b1), 0x85ebca6b) >>> 0;
  return 1 + Math.floor(3 / ((hash % 1_000) / 1_000 + 0.01));
}

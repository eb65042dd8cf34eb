/** The simulator feed: a market without a network that repeats itself for the same seed. */
import type { TickPatch } from "../../base/tick.ts";
import { decimal, integer, text, UsageError } from "../../settings/option.ts";
import type { Adapter, Feed, FeedContext } from "../adapter.ts";
import { SimMarket, SKEW } from "./sim_market.ts";

/** After a stall, a process produces at most the ticks of this time, in milliseconds. */
const CATCH_UP_MILLIS = 100;
/** The symbols whose whole state is sent in one period at the start: a few milliseconds of work. */
const FIRST_PER_PERIOD = 5_000;

const OPTIONS = {
  symbols: { kind: integer(1, 100_000), default: 1_000, help: "How many symbols" },
  rate: {
    kind: integer(0, 1_000_000, "ticks a second"),
    default: 20_000,
    help: "Ticks of all symbols together; with 0 every symbol ticks once and rests",
  },
  period: {
    kind: integer(1, 1_000, "milliseconds"),
    default: 2,
    help: "How often ticks are made, milliseconds: all that are due at once",
  },
  skew: {
    kind: decimal(0, 3),
    default: SKEW,
    help: "How much more active some symbols are: the k-th has 1/k^skew of the first; with 0 all are alike",
  },
  seed: { kind: integer(0, 999_999_999_999_999), default: 1, help: "The same seed makes the same ticks" },
  prefix: {
    kind: text("VENUE", "1 to 32 of A-Z 0-9 . _ -", /^[A-Z0-9._-]{1,32}$/),
    default: "SIM",
    help: "The venue part of the symbols: SIM makes SIM:S0000",
  },
};

export const sim: Adapter<typeof OPTIONS> = {
  name: "sim",
  target: "",
  help: "A simulated market",
  options: OPTIONS,
  create(target, { symbols, rate, period, skew, seed, prefix }, context) {
    if (target !== "") throw new UsageError(`sim takes nothing behind the colon, not ${JSON.stringify(target)}`);
    return new SimFeed(new SimMarket(symbols, seed, prefix, skew), rate, context, period);
  },
};

/** Plays a {@link SimMarket} in time. Time decides how many ticks there are, and never which ones. */
export class SimFeed implements Feed {
  readonly #market: SimMarket;
  readonly #ticksPerMilli: number;
  readonly #context: FeedContext;
  readonly #period: number;
  readonly #hasBooks: boolean;
  readonly #hasTrades: boolean;
  /** What the ids of trades begin with: other ones after a restart. */
  readonly #run: string;
  #trades = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The number of symbols whose first state was sent. */
  #announced = 0;
  #producedUntil = 0;
  /** The fraction of a tick that the previous period left over. */
  #carry = 0;

  /**
   * @param rate ticks a second
   * @param period how often ticks are made, ms
   */
  constructor(market: SimMarket, rate: number, context: FeedContext, period: number = OPTIONS.period.default) {
    this.#market = market;
    this.#ticksPerMilli = rate / 1_000;
    this.#context = context;
    this.#period = period;
    this.#hasBooks = context.channels.has("book");
    this.#hasTrades = context.channels.has("trade");
    this.#run = Math.round(context.clock.micros()).toString(36);
  }

  start(): void {
    this.#context.log.info({ symbols: this.#market.symbols.length, rate: this.#ticksPerMilli * 1_000 }, "simulating");
    this.#timer = setInterval(() => this.#produce(), this.#period);
    this.#context.sink.connected();
  }

  get connected(): boolean {
    return this.#timer !== undefined;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #produce(): void {
    const { clock, sink } = this.#context;
    const market = this.#market;
    const millis = clock.millis();
    const micros = clock.micros();
    if (this.#announced < market.symbols.length) {
      const until = Math.min(market.symbols.length, this.#announced + FIRST_PER_PERIOD);
      for (; this.#announced < until; this.#announced++) {
        const state = market.firstState(this.#announced);
        sink.tick(market.symbols[this.#announced], state, micros, micros);
        if (this.#hasBooks) this.#reportBook(this.#announced, state, micros);
      }
      this.#producedUntil = millis;
      return;
    }
    this.#carry += Math.min(millis - this.#producedUntil, CATCH_UP_MILLIS) * this.#ticksPerMilli;
    this.#producedUntil = millis;
    for (; this.#carry >= 1; this.#carry--) {
      const patch = market.next();
      sink.tick(market.symbols[market.symbol], patch, micros, micros);
      if (this.#hasBooks) this.#reportBook(market.symbol, patch, micros);
      if (this.#hasTrades && patch.last !== undefined) this.#reportTrade(market.symbols[market.symbol], patch, micros);
    }
  }

  #reportBook(symbol: number, quote: TickPatch, micros: number): void {
    this.#context.sink.book(this.#market.symbols[symbol], this.#market.book(symbol, quote), micros, micros);
  }

  #reportTrade(symbol: string, { last, lastSize, bid }: TickPatch, micros: number): void {
    const [price, size] = [last ?? Number.NaN, lastSize ?? Number.NaN];
    const side = price === bid ? -1 : 1;
    this.#context.sink.trade(symbol, { price, size, side, id: `${this.#run}-${++this.#trades}` }, micros, micros);
  }
}

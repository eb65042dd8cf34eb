/**
 * Fills what a feed's bars lack of before it was connected, from the venue's candles: at the start, after each loss of
 * a connection, and the bars that were forming then, once they are closed. One request after the other, the newest
 * bars of all symbols first. Nothing is requested while another publisher leads the feed.
 */
import { RateLimitedLog } from "../../log/rate_limited_log.ts";
import type { Bar } from "../../market/bar/bar_record.ts";
import type { BarRange } from "../../market/bar/missing_bars.ts";
import { type BarMarketName, barLength, barStart } from "../../market/market_name.ts";
import type { FeedContext } from "../adapter.ts";
import type { FailureKind, PacedRequests } from "./paced_requests.ts";
import { TimeSpans } from "./time_spans.ts";

/** The candles of a venue. */
export interface Candles {
  readonly markets: readonly BarMarketName[];
  /** The most of one answer. */
  readonly most: number;
  /** How long the next request waits after one, ms. */
  readonly spacing: number;
  symbolOf(name: string): string;
  path(name: string, market: BarMarketName, range: BarRange): string;
  /** @returns undefined where it is no candle of the market; its volume is 0 where there was no trade */
  read(candle: readonly unknown[], market: BarMarketName): Bar | undefined;
}

/** One symbol's bars of one length. */
interface Series {
  readonly name: string;
  readonly market: BarMarketName;
  /** What was not followed here, and not asked for yet. */
  readonly unknown: TimeSpans;
  /** The start of a bar that the venue did not have yet, how often, and when it is asked for again. */
  missed: number;
  misses: number;
  missedUntil: number;
  /** Answers of no use. */
  failures: number;
}

/** So long after a connection opens its subscriptions may take to begin, microseconds. */
const SUBSCRIBE_TIME = 5_000_000;
/** So long after its end a bar is asked for, microseconds: the venue's may come from a database that lags. */
const SETTLE_TIME = 10_000_000;
/** How often bars are looked for that have closed since, or whether the feed is led now, ms. */
const CHECK_MILLIS = 1_000;
/** The venue may not have a bar yet that ended within this time, microseconds: so often it is asked for. */
const RECENT_TIME = 60_000_000;
const MOST_MISSES = 3;
/** With so many answers of no use, a symbol's past bars are given up until the source has been lost again. */
const MOST_FAILURES = 3;
/** A thousand candles of Binance take about 200 kB. */
const MOST_BYTES = 524_288;

export class PastBars {
  readonly #candles: Candles;
  readonly #requests: PacedRequests;
  readonly #context: FeedContext;
  readonly #silence: number;
  readonly #events: RateLimitedLog;
  readonly #series: Series[] = [];
  /** When each name was lost, microseconds; undefined while it is connected. */
  readonly #lostAt = new Map<string, number | undefined>();
  /** Where to look first for the next request. */
  #turn = 0;
  #isAsking = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /**
   * @param names the venue's names of all symbols
   * @param silence how long a connection may have been dead before it is lost, ms
   */
  constructor(
    names: readonly string[],
    candles: Candles,
    requests: PacedRequests,
    context: FeedContext,
    silence: number,
  ) {
    this.#candles = candles;
    this.#requests = requests;
    this.#context = context;
    this.#silence = silence * 1_000;
    this.#events = new RateLimitedLog(context.log, context.clock);
    for (const name of names) this.#lostAt.set(name, Number.NEGATIVE_INFINITY);
    for (const market of candles.markets)
      for (const name of names)
        this.#series.push({
          name,
          market,
          unknown: new TimeSpans(),
          missed: 0,
          misses: 0,
          missedUntil: 0,
          failures: 0,
        });
  }

  /** These are received from now on: what was before is to be filled. */
  connected(names: Iterable<string>): void {
    const now = this.#context.clock.micros();
    const since = new Map<string, number>();
    for (const name of names) {
      const lostAt = this.#lostAt.get(name);
      if (lostAt !== undefined) since.set(name, lostAt);
      this.#lostAt.set(name, undefined);
    }
    for (const series of this.#series) {
      const from = since.get(series.name);
      if (from === undefined) continue;
      const length = barLength(series.market);
      // The bar of that moment is partial.
      series.unknown.add(barStart(from, length), barStart(now + SUBSCRIBE_TIME, length) + length);
      series.failures = 0;
    }
    this.#startTimer();
  }

  /** These are not received any more, maybe since the silence began. */
  lost(names: Iterable<string>): void {
    const at = this.#context.clock.micros() - this.#silence;
    for (const name of names) if (this.#lostAt.get(name) === undefined) this.#lostAt.set(name, at);
  }

  /** The venue does not have this one. */
  drop(name: string): void {
    for (const series of this.#series) if (series.name === name) series.unknown.clear();
  }

  /** Looks for bars that have closed since. */
  check(): void {
    if (this.#isAsking || this.#isClosed || !this.#context.sink.takesPastBars) return;
    const { length } = this.#series;
    for (let count = 0; count < length; count++) {
      const series = this.#series[this.#turn];
      this.#turn = (this.#turn + 1) % length;
      const range = this.#missing(series);
      if (!range) continue;
      this.#isAsking = this.#ask(series, range);
      return;
    }
    if (this.#series.every(({ unknown }) => unknown.all.length === 0)) this.#stopTimer();
  }

  close(): void {
    this.#isClosed = true;
    this.#stopTimer();
  }

  /** Forgets what is not missing. */
  #missing({ name, market, unknown, missed, missedUntil }: Series): BarRange | undefined {
    const { clock, sink } = this.#context;
    if (unknown.all.length === 0) return undefined;
    const now = clock.micros();
    const settled = now < missedUntil ? missed : barStart(now - SETTLE_TIME, barLength(market));
    const symbol = this.#candles.symbolOf(name);
    for (const { from, end } of [...unknown.all].reverse()) {
      const until = Math.min(end, settled);
      if (until <= from) continue;
      const range = sink.missingBars(symbol, market, from, until, this.#candles.most);
      if (range) return range;
      unknown.remove(from, until);
    }
    return undefined;
  }

  #ask(series: Series, range: BarRange): boolean {
    return this.#requests.add({
      path: this.#candles.path(series.name, series.market, range),
      spacing: this.#candles.spacing,
      mostBytes: MOST_BYTES,
      isUrgent: false,
      answered: (answer) => {
        const bars = this.#read(answer, series.market, range);
        this.#isAsking = false;
        this.#take(series, range, bars);
        this.check();
      },
      failed: (reason, kind, wait) => {
        this.#isAsking = false;
        this.#failed(series, reason, kind, wait);
        this.check();
        return false;
      },
    });
  }

  #take(series: Series, { start, count }: BarRange, bars: readonly Bar[]): void {
    const { clock, sink } = this.#context;
    const { market, unknown } = series;
    if (!sink.takesPastBars) return;
    const symbol = this.#candles.symbolOf(series.name);
    sink.pastBars(symbol, market, bars);
    const length = barLength(market);
    const now = clock.micros();
    const end = start + count * length;
    unknown.remove(start, end);
    // The venue's database may lag, or there was no trade: a few more tries tell.
    const last = end - length;
    if (now - end > RECENT_TIME || !sink.missingBars(symbol, market, last, end, 1)) return;
    series.misses = series.missed === last ? series.misses + 1 : 1;
    series.missed = last;
    if (series.misses >= MOST_MISSES) return;
    series.missedUntil = now + SETTLE_TIME;
    unknown.add(last, end);
  }

  #failed(series: Series, reason: string, kind: FailureKind, wait: number): void {
    const { name, market } = series;
    this.#events.write(
      "warn",
      { symbol: this.#candles.symbolOf(name), market, reason, wait },
      "no past bars of a symbol",
    );
    if (kind === "unavailable") return;
    if (kind === "refused" || ++series.failures >= MOST_FAILURES) series.unknown.clear();
  }

  /** Throws where the answer is not one of candles. */
  #read(answer: unknown, market: BarMarketName, { start, count }: BarRange): Bar[] {
    if (!Array.isArray(answer)) throw new Error("the answer is no list of candles");
    const length = barLength(market);
    const end = start + count * length;
    const bars = new Map<number, Bar>();
    let unreadable = 0;
    for (const candle of answer) {
      const bar = Array.isArray(candle) ? this.#candles.read(candle, market) : undefined;
      if (!bar || !isBar(bar, length)) unreadable++;
      // Coinbase's answers may have some of before.
      else if (bar.volume > 0 && bar.start >= start && bar.start < end) bars.set(bar.start, bar);
    }
    if (unreadable > 0 && unreadable === answer.length) throw new Error("the answer has no candle that can be read");
    for (let count = 0; count < unreadable; count++) this.#context.sink.skip("malformed");
    return [...bars.values()].sort((a, b) => a.start - b.start);
  }

  #startTimer(): void {
    if (!this.#isClosed) this.#timer ??= setInterval(() => this.check(), CHECK_MILLIS).unref();
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function isBar({ start, open, high, low, close, volume, trades }: Bar, length: number): boolean {
  if (!(start > 0 && start % length === 0) || !(volume >= 0) || !(Number.isInteger(trades) && trades >= 0))
    return false;
  return low <= Math.min(open, close) && high >= Math.max(open, close);
}

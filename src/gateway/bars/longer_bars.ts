/**
 * Bars of more than a minute, made of those of one minute: a bus for their own table. Their numbers are counted here,
 * by one for each change.
 */
import { LIVE } from "../../base/tick.ts";
import type { BusListener, BusReader, HeardStream } from "../../bus/bus.ts";
import { type BarPayload, sum } from "../../market/bar/bar_payload.ts";
import { BarRecord } from "../../market/bar/bar_record.ts";
import { type BarSeries, CLOSED_BAR, CORRECTED_BAR, PARTIAL_BAR } from "../../market/bar/bar_series.ts";
import type { GatewayTable } from "../../market/gateway_table.ts";
import type { HeardFeed } from "../../market/heard_feed.ts";
import { barLength, barStart, type MarketName } from "../../market/market_name.ts";
import type { MinuteBarObserver } from "./minute_bars.ts";

const MINUTE = barLength("bar:1m");
/** How long after its end a bar is closed if no trade has come since, microseconds: after its last minute. */
const GRACE = 2_000_000;

type BarTable = GatewayTable<BarPayload>;

export interface LongerBarsParts {
  /** The bars of one minute, and how many of them are kept of a symbol. */
  readonly minutes: { readonly table: BarTable; readonly bus: BusReader };
  readonly minuteBars: number;
  /** The table that {@link LongerBars.start}'s listener fills. */
  readonly table: BarTable;
  /** Microseconds. */
  readonly length: number;
}

export class LongerBars implements BusReader, MinuteBarObserver {
  readonly #parts: LongerBarsParts;
  readonly #record = new BarRecord();
  /** The starts of the bars to be made again, by row of the minutes. */
  readonly #due = new Map<number, Set<number>>();
  #listener: BusListener | undefined;

  constructor(parts: LongerBarsParts) {
    this.#parts = parts;
  }

  ofMarket(name: MarketName): BusReader {
    return this.#parts.minutes.bus.ofMarket(name);
  }

  async start(listener: BusListener): Promise<void> {
    this.#listener = listener;
    const { minutes, length } = this.#parts;
    const { table } = minutes;
    this.#record.epoch = 1;
    for (let index = 0; index < table.knownCount; index++) {
      const row = table.known[index];
      const series = table.payload.seriesOf(row);
      for (let at = series.from; at < series.end; at++) this.#add(row, barStart(series.start[at], length));
    }
    this.batchEnd();
  }

  changed(row: number, record: BarRecord, isKnown: boolean): void {
    this.#record.sentAt = record.sentAt;
    this.#record.receivedAt = record.receivedAt;
    this.#record.feed = record.feed;
    // Its state may have changed.
    if (isKnown) this.#dueOf(row);
    else this.#add(row, barStart(record.start, this.#parts.length));
  }

  batchEnd(): void {
    if (!this.#listener || this.#due.size === 0) return;
    for (const [row, starts] of this.#due) {
      for (const start of [...starts].sort((a, b) => a - b)) this.#make(row, start, Number.NEGATIVE_INFINITY);
      this.#passState(row);
    }
    this.#due.clear();
    this.#listener.batchEnd();
  }

  silent(stream: number, sinceMicros: number): void {
    this.#listener?.silent(stream, sinceMicros);
    this.#passStates(stream);
  }

  speaking(stream: number): void {
    this.#listener?.speaking(stream);
    this.#passStates(stream);
  }

  /**
   * Closes the bars that are over; to be called several times a second.
   * @param now microseconds since the Unix epoch
   */
  closeDue(now: number): void {
    const { minutes, table, length } = this.#parts;
    if (!this.#listener) return;
    let hasClosed = false;
    for (let index = 0; index < table.knownCount; index++) {
      const { formingFrom } = table.payload.seriesOf(table.known[index]);
      if (formingFrom === Number.POSITIVE_INFINITY) continue;
      const row = minutes.table.rowOf(table.symbols[table.known[index]]);
      if (row < 0 || minutes.table.state[row] !== LIVE) continue;
      const sourceTime = this.#lastHeard(row) + now - minutes.table.appliedAt[row];
      if (formingFrom + length + GRACE > sourceTime) continue;
      this.#record.sentAt = this.#record.receivedAt = Number.NaN;
      this.#make(row, formingFrom, sourceTime);
      hasClosed = true;
    }
    if (hasClosed) this.#listener.batchEnd();
  }

  follow(symbol?: string): void {
    this.#parts.minutes.bus.follow(symbol);
  }

  unfollow(symbol?: string): void {
    this.#parts.minutes.bus.unfollow(symbol);
  }

  isKnown(symbol?: string): boolean {
    return this.#listener !== undefined && this.#parts.minutes.bus.isKnown(symbol);
  }

  feeds(): Iterable<HeardFeed> {
    return this.#parts.minutes.bus.feeds();
  }

  heard(): HeardStream[] {
    return this.#parts.minutes.bus.heard();
  }

  unready(): string | undefined {
    return this.#parts.minutes.bus.unready();
  }

  async close(): Promise<void> {
    this.#listener = undefined;
  }

  #add(row: number, start: number): void {
    this.#dueOf(row).add(start);
  }

  #dueOf(row: number): Set<number> {
    const starts = this.#due.get(row) ?? new Set();
    this.#due.set(row, starts);
    return starts;
  }

  /** The source's time when a row of the minutes last changed: that of a trade, or the end of a minute. */
  #lastHeard(row: number): number {
    const { eventTime, payload } = this.#parts.minutes.table;
    const { newest, flags, start } = payload.seriesOf(row);
    const isEnd = (flags[newest] & (CLOSED_BAR | CORRECTED_BAR)) === CLOSED_BAR;
    return isEnd ? Math.max(eventTime[row], start[newest] + MINUTE) : eventTime[row];
  }

  /** Makes one bar of its minutes, and reports it where it is another than before. */
  #make(row: number, start: number, sourceTime: number): void {
    const { minutes, minuteBars, table, length } = this.#parts;
    const series = minutes.table.payload.seriesOf(row);
    const end = start + length;
    const isCut = series.droppedTo >= start || (series.count >= minuteBars && series.start[series.from] > start);
    const symbol = minutes.table.symbols[row];
    const own = table.rowOf(symbol);
    const before = own < 0 ? undefined : table.payload.seriesOf(own);
    const found = before ? before.find(start) : -1;
    if (isCut && found < 0 && series.start[series.end - 1] >= end) return;
    const record = this.#record;
    const isClosing = sourceTime > Number.NEGATIVE_INFINITY;
    if (before && found >= 0 && isCut && isClosing) copy(before, found, record);
    else if (!aggregate(series, start, end, record)) return;
    else if (isCut) {
      record.flags |= PARTIAL_BAR;
      if (before && found >= 0) extend(record, before, found);
    }
    const isOver = series.start[series.end - 1] >= end || sourceTime >= end + GRACE;
    if (isOver) record.flags |= CLOSED_BAR;
    if (before && found >= 0) {
      const wasClosed = (before.flags[found] & CLOSED_BAR) > 0;
      if (wasClosed) record.flags |= CLOSED_BAR | (before.flags[found] & CORRECTED_BAR);
      if (before.equals(found, record)) return;
      if (wasClosed) record.flags |= CORRECTED_BAR;
    }
    this.#fill(row);
    record.seq = own < 0 ? minutes.table.seq[row] : table.seq[own] + 1;
    this.#listener?.record(record);
  }

  /** The listener knows of a silence only where the minutes were live before. */
  #passStates(stream: number): void {
    const { table } = this.#parts.minutes;
    if (!this.#listener) return;
    for (let index = 0; index < table.knownCount; index++)
      if (table.stream[table.known[index]] === stream) this.#passState(table.known[index]);
    this.#listener.batchEnd();
  }

  /** The state of the minutes is that of the bars made of them. */
  #passState(row: number): void {
    const { minutes, table } = this.#parts;
    const own = table.rowOf(minutes.table.symbols[row]);
    if (own < 0 || !table.hasTicked(own)) return;
    const isSame = minutes.table.state[row] === table.state[own] && minutes.table.reasons[row] === table.reasons[own];
    if (isSame) return;
    const record = this.#record;
    this.#fill(row);
    record.seq = table.seq[own];
    table.payload.read(own, record, 0);
    this.#listener?.record(record);
  }

  #fill(row: number): void {
    const { table } = this.#parts.minutes;
    const record = this.#record;
    record.symbol = table.symbols[row];
    record.row = -1;
    record.stream = table.stream[row];
    record.eventTime = table.eventTime[row];
    record.state = table.state[row];
    record.since = table.since[row];
    record.reason = table.reasons[row];
  }
}

/** Makes a bar of those that begin from a start to an end. @returns false where there is none */
function aggregate(series: BarSeries, start: number, end: number, record: BarRecord): boolean {
  const found = series.find(start);
  let index = found < 0 ? -1 - found : found;
  if (index === series.end || series.start[index] >= end) return false;
  record.start = start;
  record.open = series.open[index];
  record.high = record.low = record.open;
  record.volume = record.trades = record.flags = 0;
  let isCounted = true;
  for (; index < series.end && series.start[index] < end; index++) {
    record.high = Math.max(record.high, series.high[index]);
    record.low = Math.min(record.low, series.low[index]);
    record.close = series.close[index];
    record.volume = sum(record.volume, series.volume[index]);
    record.trades += series.trades[index];
    isCounted &&= series.trades[index] > 0;
    record.flags |= series.flags[index] & PARTIAL_BAR;
    const isLast = series.start[index] + MINUTE === end;
    if (isLast && (series.flags[index] & CLOSED_BAR) > 0) record.flags |= CLOSED_BAR;
  }
  if (!isCounted) record.trades = 0;
  return true;
}

/** The bar as it is. */
function copy(series: BarSeries, index: number, record: BarRecord): void {
  const { start, open, high, low, close, volume, trades, flags } = series;
  record.start = start[index];
  record.open = open[index];
  record.high = high[index];
  record.low = low[index];
  record.close = close[index];
  record.volume = volume[index];
  record.trades = trades[index];
  record.flags = flags[index];
}

/** Some minutes of the bar are not kept any more, and one has changed: it is as far as is known. */
function extend(record: BarRecord, before: BarSeries, index: number): void {
  record.open = before.open[index];
  record.high = Math.max(record.high, before.high[index]);
  record.low = Math.min(record.low, before.low[index]);
  record.volume = Math.max(record.volume, before.volume[index]);
  record.trades = Math.max(record.trades, before.trades[index]);
}

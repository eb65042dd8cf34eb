/** Bars: of each row a series, the newest of which is still forming. */
import type { Payload, SeriesTakeover } from "../payload.ts";
import { BAR_MARKS } from "./bar_marks.ts";
import { type Bar, BarRecord } from "./bar_record.ts";
import { BarSeries, CLOSED_BAR, CORRECTED_BAR, PARTIAL_BAR } from "./bar_series.ts";

/** What is to happen to a bar: a trade is added where the size is not 0, and flags are set. */
export interface BarChange {
  start: number;
  price: number;
  size: number;
  flags: number;
}

/** How many bars are kept. */
export interface BarLimits {
  /** Of one symbol. */
  readonly barsPerSymbol: number;
  /** Of all: a series whose growth would exceed it gives up its oldest bars instead. One takes about 100 bytes. */
  readonly maxBars: number;
}

/** How a bar of the store compares with the one that is built here. */
interface Adopted {
  /** Their numbers, by start, where both are the same. */
  readonly same: Map<number, number>;
  /** The largest number of the store, and the state with it. */
  seq: number;
  state: number;
  reason: string;
}

const NO_BARS = new BarSeries();
/** Of a bar of the venue's own: it has all trades, also those that come late here. */
const FINAL = Number.POSITIVE_INFINITY;
/** What sums of volumes may differ by, as a ratio. */
const ROUNDING = 1e-9;

export class BarPayload implements Payload<BarChange, BarRecord> {
  readonly keepsEach = false;
  readonly isSeries = true;
  readonly marks = BAR_MARKS;
  readonly takeover: SeriesTakeover<BarRecord> = {
    begin: () => this.#begin(),
    adopt: (row, record) => this.#adopt(row, record),
    finish: (row, seq, state, reason) => this.#finish(row, seq, state, reason),
  };
  readonly #limits: BarLimits;
  /** Whether the starts of dropped bars are noted: the store must drop them as well. */
  readonly #isNoting: boolean;
  readonly #series: (BarSeries | undefined)[] = [];
  /** Bars that all series have room for. */
  #room = 0;
  /** The indices of the last {@link countSince}. */
  readonly #changed: number[] = [];
  readonly #adopted = new Map<number, Adopted>();

  constructor(limits: BarLimits, isNoting = false) {
    this.#limits = limits;
    this.#isNoting = isNoting;
  }

  grow(): void {}

  clear(row: number): void {
    while (this.#series.length < row) this.#series.push(undefined);
    this.#room -= this.#series[row]?.capacity ?? 0;
    this.#series[row] = undefined;
  }

  createRecord(): BarRecord {
    return new BarRecord();
  }

  /** The bars of a row. They must not be changed. */
  seriesOf(row: number): BarSeries {
    return this.#series[row] ?? NO_BARS;
  }

  has(row: number, start: number): boolean {
    return this.seriesOf(row).find(start) >= 0;
  }

  /** How many bars are kept of a symbol. */
  get barsPerSymbol(): number {
    return this.#limits.barsPerSymbol;
  }

  /** Whether a trade belongs into a bar: not where it is older than all of as many as are kept, or final. */
  accepts(row: number, start: number): boolean {
    const series = this.seriesOf(row);
    const found = series.find(start);
    if (found >= 0) return series.closeAt[found] !== FINAL;
    return series.count < this.#limits.barsPerSymbol || start >= series.start[series.from];
  }

  write(row: number, record: BarRecord): void {
    const series = this.#own(row);
    // Numbers that go back belong to another count.
    if (series.newest >= 0 && record.seq <= series.seq[series.newest]) series.restart();
    this.#put(series, record);
  }

  /** @returns whether it is new here */
  writeOlder(row: number, record: BarRecord): boolean {
    const series = this.#own(row);
    const { newest } = series;
    const newestStart = series.start[newest];
    const found = series.find(record.start);
    if (found >= 0 && series.seq[found] >= record.seq) return false;
    if (this.#put(series, record) < 0) return false;
    // Its place may be another one, or it was dropped.
    const kept = newest < 0 ? -1 : series.find(newestStart);
    if (kept < 0) series.findNewest();
    else if (series.seq[kept] > record.seq) series.newest = kept;
    series.mix();
    return true;
  }

  read(row: number, record: BarRecord, back: number): void {
    const series = this.seriesOf(row);
    const index = back === 0 ? series.newest : this.#changed[this.#changed.length - 1 - back];
    if (index === undefined || index < 0) return;
    record.seq = back === 0 ? record.seq : series.seq[index];
    // Of its last trade: another publisher that has later ones only has no trade twice.
    if (series.closeAt[index] !== FINAL) record.eventTime = series.closeAt[index];
    record.start = series.start[index];
    record.open = series.open[index];
    record.high = series.high[index];
    record.low = series.low[index];
    record.close = series.close[index];
    record.volume = series.volume[index];
    record.trades = series.trades[index];
    record.flags = series.flags[index];
  }

  follow(): number {
    return 0;
  }

  countSince(row: number, seq: number): number {
    this.seriesOf(row).changedSince(seq, this.#changed);
    return Math.max(1, this.#changed.length);
  }

  equals(row: number, record: BarRecord): boolean {
    const series = this.seriesOf(row);
    const index = series.find(record.start);
    return index >= 0 && series.equals(index, record);
  }

  merge(row: number, change: BarChange, seq: number, eventTime: number): void {
    const series = this.#own(row);
    const { start, price, size, flags } = change;
    let index = series.find(start);
    if (index < 0) {
      if (size === 0) return;
      index = this.#insert(series, -1 - index);
      if (index < 0) return;
      series.start[index] = start;
      series.open[index] = series.high[index] = series.low[index] = series.close[index] = price;
      series.openAt[index] = series.closeAt[index] = eventTime;
    }
    if (size > 0) {
      if ((series.flags[index] & CLOSED_BAR) > 0) series.flags[index] |= CORRECTED_BAR;
      addTrade(series, index, price, size, eventTime);
      this.#adopted.get(row)?.same.delete(start);
    }
    series.flags[index] |= flags;
    series.touch(index, seq);
  }

  /**
   * Takes closed bars of the venue's own where there is none, or a partial one that has no trade that they lack.
   * @param bars ascending, each start once
   * @param seq the number before theirs
   * @returns the number of the last one that was taken
   */
  fill(row: number, bars: readonly Bar[], seq: number): number {
    const series = this.#own(row);
    let last = seq;
    for (let at = 0; at < bars.length; ) {
      const found = series.find(bars[at].start);
      if (found >= 0) {
        const bar = bars[at++];
        const flags = series.flags[found];
        if ((flags & PARTIAL_BAR) === 0 || bar.volume < series.volume[found] * (1 - ROUNDING)) continue;
        this.#setFinal(series, found, bar, flags & CLOSED_BAR ? CLOSED_BAR | CORRECTED_BAR : CLOSED_BAR, ++last);
        this.#adopted.get(row)?.same.delete(bar.start);
        continue;
      }
      const index = -1 - found;
      const next = index < series.end ? series.start[index] : Number.POSITIVE_INFINITY;
      let end = at + 1;
      while (end < bars.length && bars[end].start < next) end++;
      const first = this.#insertRun(series, index, end - at);
      // Where there is no room for all, the newest have it.
      const count = (next === Number.POSITIVE_INFINITY ? series.end : series.find(next)) - first;
      for (let offset = 0; offset < count; offset++) {
        series.firstSeq[first + offset] = last + 1;
        this.#setFinal(series, first + offset, bars[end - count + offset], CLOSED_BAR, ++last);
      }
      at = end;
    }
    return last;
  }

  #setFinal(series: BarSeries, index: number, bar: Bar, flags: number, seq: number): void {
    series.set(index, bar, flags);
    series.openAt[index] = Number.NEGATIVE_INFINITY;
    series.closeAt[index] = FINAL;
    series.touch(index, seq);
  }

  /** The starts of the bars that were dropped since the last call. */
  takeDropped(row: number): number[] {
    const series = this.#series[row];
    if (!series || series.dropped.length === 0) return [];
    const { dropped } = series;
    series.dropped = [];
    return dropped;
  }

  #begin(): void {
    this.#adopted.clear();
    // While another one led, the store was its own.
    for (const series of this.#series) if (series) series.dropped.length = 0;
  }

  /**
   * The store has this bar. One that was built here and is not partial stays; where both are partial, they are joined.
   * Nothing is known of what comes after it: where it is not closed and was not followed here, it is partial.
   */
  #adopt(row: number, record: BarRecord): void {
    const series = this.#own(row);
    let adopted = this.#adopted.get(row);
    if (!adopted) {
      adopted = { same: new Map(), seq: Number.NEGATIVE_INFINITY, state: record.state, reason: record.reason };
      this.#adopted.set(row, adopted);
    }
    if (record.seq > adopted.seq) {
      adopted.seq = record.seq;
      adopted.state = record.state;
      adopted.reason = record.reason;
    }
    let index = series.find(record.start);
    if (index < 0) {
      index = this.#put(series, record);
      if (index < 0) {
        // It is older than all that are kept here.
        if (this.#isNoting) series.dropped.push(record.start);
        return;
      }
      series.openAt[index] = Number.NEGATIVE_INFINITY;
      if ((record.flags & CLOSED_BAR) === 0) series.flags[index] |= PARTIAL_BAR;
    } else if ((series.flags[index] & PARTIAL_BAR) > 0) {
      if ((record.flags & PARTIAL_BAR) === 0 && (record.flags & CLOSED_BAR) > 0) {
        series.set(index, record, record.flags);
        series.openAt[index] = Number.NEGATIVE_INFINITY;
        series.closeAt[index] = record.eventTime;
      } else join(series, index, record);
    }
    if (series.equals(index, record)) adopted.same.set(record.start, record.seq);
  }

  /** The bars that the store has not, or not so, are numbered after its. */
  #finish(row: number, seq: number, state: number, reason: string): { seq: number; differs: boolean } {
    const series = this.seriesOf(row);
    const adopted = this.#adopted.get(row);
    if (!adopted) return { seq, differs: series.count > 0 };
    this.#adopted.delete(row);
    let next = adopted.seq;
    series.restart();
    for (let index = series.from; index < series.end; index++) {
      const known = adopted.same.get(series.start[index]);
      if (known !== undefined) series.seq[index] = known;
      else series.touch(index, ++next);
    }
    series.findNewest();
    return { seq: next, differs: next > adopted.seq || adopted.state !== state || adopted.reason !== reason };
  }

  #dropOldest(series: BarSeries): void {
    series.dropOldest(this.#isNoting ? this.#limits.barsPerSymbol : 0);
  }

  #own(row: number): BarSeries {
    let series = this.#series[row];
    if (!series) {
      while (this.#series.length < row) this.#series.push(undefined);
      series = new BarSeries();
      this.#series[row] = series;
      this.#room += series.capacity;
    }
    return series;
  }

  /** @returns its index, or -1 where it is older than all that are kept */
  #put(series: BarSeries, record: BarRecord): number {
    let index = series.find(record.start);
    if (index < 0) {
      index = this.#insert(series, -1 - index);
      if (index < 0) return -1;
      series.firstSeq[index] = record.seq;
    }
    series.set(index, record, record.flags);
    series.closeAt[index] = record.eventTime;
    series.touch(index, record.seq);
    return index;
  }

  /** @returns the index of a new bar, or -1 where it is older than all that are kept */
  #insert(series: BarSeries, index: number): number {
    const { barsPerSymbol, maxBars } = this.#limits;
    const isFull = series.count >= barsPerSymbol;
    if (isFull && index === series.from) return -1;
    let at = index;
    if (isFull) this.#dropOldest(series);
    if (series.end === series.capacity) {
      const before = series.capacity;
      if (series.from * 4 < before && this.#room + before > maxBars) {
        if (index < series.from + before / 4) return -1;
        while (series.from * 4 < before) this.#dropOldest(series);
      }
      at -= series.makeRoom();
      this.#room += series.capacity - before;
    }
    return series.insert(at);
  }

  /**
   * Makes room for bars before the one at an index: for as many as are kept besides newer ones.
   * @returns the index of the first
   */
  #insertRun(series: BarSeries, index: number, wanted: number): number {
    const { barsPerSymbol, maxBars } = this.#limits;
    let [at, count] = [index, wanted];
    while (count > 0 && series.count + count > barsPerSymbol)
      if (at > series.from) this.#dropOldest(series);
      else count--;
    while (series.end + count > series.capacity) {
      const { capacity } = series;
      if (series.from * 4 < capacity && this.#room + capacity > maxBars) {
        count = capacity - series.end;
        break;
      }
      at -= series.makeRoom();
      this.#room += series.capacity - capacity;
    }
    return series.insert(at, count);
  }
}

function addTrade(series: BarSeries, index: number, price: number, size: number, time: number): void {
  series.high[index] = Math.max(series.high[index], price);
  series.low[index] = Math.min(series.low[index], price);
  if (time < series.openAt[index]) {
    series.open[index] = price;
    series.openAt[index] = time;
  }
  if (time >= series.closeAt[index]) {
    series.close[index] = price;
    series.closeAt[index] = time;
  }
  // Of a bar of the store the number may not be known.
  if (series.trades[index] > 0 || series.volume[index] === 0) series.trades[index]++;
  series.volume[index] = sum(series.volume[index], size);
}

/** Decimals of up to 15 digits are added without the remainders of binary fractions: 0.1 and 0.2 are 0.3. */
export function sum(a: number, b: number): number {
  const exact = a + b;
  return Number.isInteger(exact) ? exact : Number(exact.toPrecision(15));
}

/** Both have a part of the trades, maybe some in common: it is partial in any case. */
function join(series: BarSeries, index: number, record: BarRecord): void {
  const isDisjoint = series.openAt[index] > record.eventTime;
  series.open[index] = record.open;
  series.openAt[index] = Number.NEGATIVE_INFINITY;
  if (record.eventTime > series.closeAt[index]) {
    series.close[index] = record.close;
    series.closeAt[index] = record.eventTime;
  }
  series.high[index] = Math.max(series.high[index], record.high);
  series.low[index] = Math.min(series.low[index], record.low);
  const [volume, trades] = [series.volume[index], series.trades[index]];
  series.volume[index] = isDisjoint ? sum(volume, record.volume) : Math.max(volume, record.volume);
  series.trades[index] = isDisjoint ? trades + record.trades : Math.max(trades, record.trades);
  series.flags[index] |= record.flags | PARTIAL_BAR;
}

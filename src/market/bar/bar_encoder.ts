/**
 * Copies bars into frames: of each changed row, those that have changed since the client's mark. A new entry begins
 * with past bars, the oldest first.
 */
import { entryMark, entryRow, markAt, setEntryMark } from "../heap_layout.ts";
import { type Entries, type Filling, NO_GAPS, type RowEncoder, type RowGap } from "../row_encoder.ts";
import type { MarketTable } from "../table.ts";
import type { BarFormat } from "./bar_format.ts";
import { ALL_PAST, BAR_MARKS, PAST, pastCount, pastDistance, pastMark } from "./bar_marks.ts";
import type { BarPayload } from "./bar_payload.ts";
import { type BarSeries, CLOSED_BAR } from "./bar_series.ts";

export class BarEncoder implements RowEncoder {
  readonly format: BarFormat;
  readonly isShared = true;
  /** Of such channels there is nothing to miss. */
  readonly hasGaps = false;
  readonly #table: MarketTable<BarPayload>;
  readonly #changed: number[] = [];
  /** How many past bars are left where a frame is full. */
  #left = 0;

  constructor(table: MarketTable<BarPayload>, format: BarFormat) {
    this.#table = table;
    this.format = format;
  }

  takeGaps(): readonly RowGap[] {
    return NO_GAPS;
  }

  firstMark(row: number, _sent: number, last: number): number {
    const series = this.#table.payload.seriesOf(row);
    if (series.count === 0) return 0;
    const count = Math.max(1, Math.min(last, series.count, ALL_PAST - 1));
    return pastMark(series.base + series.end - count, count);
  }

  countBehind(row: number, mark: number): number {
    return mark === 0 ? 0 : Math.min(pastCount(mark), this.#table.payload.seriesOf(row).count);
  }

  copyNewest(row: number, frame: Filling): void {
    const series = this.#table.payload.seriesOf(row);
    this.#write(row, series, series.newest, this.#table.seq[row], series.flags[series.newest], frame);
  }

  copyChanged({ entries }: Entries, from: number, end: number, frame: Filling): number {
    const { heap, markAt: marks } = this.#table;
    for (let index = from; index < end; index++) {
      const { i32, u32 } = heap;
      const row = entryRow(i32, entries, index);
      const before = entryMark(u32, entries, index);
      const now = markAt(u32, marks, row);
      if (now === before) continue;
      const mark = this.#copyRow(row, before, now, frame);
      setEntryMark(u32, entries, index, mark);
      if (mark !== now) return index;
    }
    return end;
  }

  close(): void {}

  /** @returns the mark of what was copied */
  #copyRow(row: number, before: number, now: number, frame: Filling): number {
    const { payload, seq } = this.#table;
    const series = payload.seriesOf(row);
    let sent = 0;
    if (before >= PAST) {
      sent = this.#copyPast(row, before, frame);
      if (sent < 0) return pastMark(series.base + series.end + sent, this.#left);
    } else if (before > 0) sent = seq[row] - ((now - before + BAR_MARKS) % BAR_MARKS);
    else if (series.seq.subarray(series.from, series.end).includes(0)) {
      // Another count of numbers has begun: those of before have none.
      sent = this.#copyPast(row, pastMark(series.base + series.from, series.count), frame);
      if (sent < 0) return pastMark(series.base + series.end + sent, this.#left);
    }
    if (sent === seq[row]) return now;
    series.changedSince(sent, this.#changed);
    for (const index of this.#changed) {
      if (!this.#hasRoom(1, frame)) return this.#table.markOf(sent);
      frame.conflated += Math.max(0, series.seq[index] - sent - 1);
      sent = series.seq[index];
      this.#write(row, series, index, sent, series.flags[index], frame);
    }
    return now;
  }

  /**
   * Copies past bars, of which the newest has a number.
   * @returns that number; where the frame is full, how far the next one is from the end, as a negative number
   */
  #copyPast(row: number, mark: number, frame: Filling): number {
    const { payload, seq } = this.#table;
    const series = payload.seriesOf(row);
    let index = Math.max(series.from, series.end - pastDistance(mark, series.base + series.end));
    // Of bars that have been dropped since, there are fewer.
    const count = pastCount(mark);
    let left = count === ALL_PAST ? series.end - index : Math.min(count, series.end - index);
    for (; left > 1; left--, index++) {
      // A bar that forms is sent with all that follow: it may be closed before the next frame.
      const isForming = (series.flags[index] & CLOSED_BAR) === 0;
      if (!this.#hasRoom(isForming ? left : 1, frame)) return this.#stopAt(series, index, left);
      this.#write(row, series, index, 0, series.flags[index], frame);
    }
    if (!this.#hasRoom(1, frame)) return this.#stopAt(series, index, left);
    let number = seq[row];
    // Those that have begun since the grant come behind it, by their numbers.
    for (let later = index + 1; later < series.end; later++) number = Math.min(number, series.seq[later] - 1);
    if (number < 1) number = seq[row];
    // What changed after that comes again, such as its closing.
    const flags = series.seq[index] > number ? series.flags[index] & ~CLOSED_BAR : series.flags[index];
    this.#write(row, series, index, number, flags, frame);
    return number;
  }

  #stopAt(series: BarSeries, index: number, left: number): number {
    this.#left = left;
    return index - series.end;
  }

  #hasRoom(bars: number, frame: Filling): boolean {
    return frame.count === 0 || frame.at + this.format.maxBarBytes * bars <= frame.limit;
  }

  #write(row: number, series: BarSeries, index: number, seq: number, flags: number, frame: Filling): void {
    const { heap, firstHandle, handle } = this.#table;
    frame.at = this.format.writeBar(heap, frame.at, firstHandle + handle[row], seq, series, index, flags);
    heap.i32[(frame.noted >>> 2) + frame.count++] = row;
  }
}

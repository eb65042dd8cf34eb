/**
 * Copies bars into frames: of each changed row, those that have changed since the client's mark. A new entry begins
 * with past bars, the oldest first.
 */
import { entryMark, entryRow, markAt, setEntryMark } from "../heap_layout.ts";
import { type Entries, type Filling, NO_GAPS, type RowEncoder, type RowGap } from "../row_encoder.ts";
import type { MarketTable } from "../table.ts";
import type { BarFormat } from "./bar_format.ts";
import { BAR_MARKS, PAST } from "./bar_marks.ts";
import type { BarPayload } from "./bar_payload.ts";
import type { BarSeries } from "./bar_series.ts";

export class BarEncoder implements RowEncoder {
  readonly format: BarFormat;
  readonly isShared = true;
  /** Of such channels there is nothing to miss. */
  readonly hasGaps = false;
  readonly #table: MarketTable<BarPayload>;
  readonly #changed: number[] = [];

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
    return pastMark(series, Math.max(series.from, series.end - Math.max(1, Math.min(last, series.count))));
  }

  countBehind(row: number, mark: number): number {
    if (mark === 0) return 0;
    const series = this.#table.payload.seriesOf(row);
    return series.end - indexOf(series, mark);
  }

  copyNewest(row: number, frame: Filling): void {
    const series = this.#table.payload.seriesOf(row);
    this.#write(row, series, series.newest, this.#table.seq[row], frame);
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
    if (before === 0 || before >= PAST) {
      // Without a mark nothing was sent, or another count of numbers has begun.
      for (let index = before === 0 ? series.from : indexOf(series, before); index < series.end; index++) {
        if (this.#isFull(frame)) return pastMark(series, index);
        this.#write(row, series, index, index === series.end - 1 ? seq[row] : 0, frame);
      }
      return now;
    }
    let sent = seq[row] - ((now - before + BAR_MARKS) % BAR_MARKS);
    series.changedSince(sent, this.#changed);
    for (const index of this.#changed) {
      if (this.#isFull(frame)) return this.#table.markOf(sent);
      frame.conflated += Math.max(0, series.seq[index] - sent - 1);
      sent = series.seq[index];
      this.#write(row, series, index, sent, frame);
    }
    return now;
  }

  #isFull(frame: Filling): boolean {
    return frame.at + this.format.maxBarBytes > frame.limit && frame.count > 0;
  }

  #write(row: number, series: BarSeries, index: number, seq: number, frame: Filling): void {
    const { heap, firstHandle, handle } = this.#table;
    frame.at = this.format.writeBar(heap, frame.at, firstHandle + handle[row], seq, series, index);
    heap.i32[(frame.noted >>> 2) + frame.count++] = row;
  }
}

function pastMark(series: BarSeries, index: number): number {
  return PAST + ((series.base + index) % PAST);
}

/** The index of such a mark; of bars that have been dropped since, the first one that is left. */
function indexOf(series: BarSeries, mark: number): number {
  return Math.max(series.from, Math.min(series.end, mark - PAST - (series.base % PAST)));
}

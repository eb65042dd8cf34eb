/**
 * Copies bars into frames: of each changed row, those that have changed since the client's mark. A new entry begins
 * with past bars, the oldest first.
 */
import { entryMark, entryRow, markAt, setEntryMark } from "../heap_layout.ts";
import { type Entries, type Filling, NO_GAPS, type RowEncoder, type RowGap } from "../row_encoder.ts";
import type { MarketTable } from "../table.ts";
import type { BarFormat } from "./bar_format.ts";
import { BAR_MARKS, PAST, PastMarks } from "./bar_marks.ts";
import type { BarPayload } from "./bar_payload.ts";
import { type BarSeries, CLOSED_BAR } from "./bar_series.ts";

export class BarEncoder implements RowEncoder {
  readonly format: BarFormat;
  readonly isShared = true;
  /** Of such channels there is nothing to miss. */
  readonly hasGaps = false;
  readonly #table: MarketTable<BarPayload>;
  readonly #past: PastMarks;
  readonly #changed: number[] = [];

  constructor(table: MarketTable<BarPayload>, format: BarFormat) {
    this.#table = table;
    this.#past = new PastMarks(table.payload.barsPerSymbol);
    this.format = format;
  }

  takeGaps(): readonly RowGap[] {
    return NO_GAPS;
  }

  /** What was sent before, and has changed since, comes again: the past begins with the oldest of it. */
  firstMark(row: number, sent: number, last: number): number {
    const { payload, seq } = this.#table;
    const series = payload.seriesOf(row);
    if (series.count === 0) return 0;
    let first = Math.max(series.from, series.end - Math.max(1, Math.min(last, series.count)));
    if (sent !== 0) {
      const since = this.#sentSeq(row, sent);
      if (sent >= PAST) first = Math.min(first, indexOf(series, this.#past.countOf(sent), since));
      series.changedSince(since, this.#changed);
      for (const index of this.#changed) first = Math.min(first, index);
    }
    return this.#past.markOf(series.end - first, seq[row]);
  }

  countBehind(_row: number, mark: number): number {
    return mark === 0 ? 0 : this.#past.countOf(mark);
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
    if (before >= PAST) return this.#copyPast(row, before, now, frame);
    // Nothing was sent, or another count of numbers has begun: then the bars of before have the number 0.
    return this.#copySince(row, before === 0 ? -1 : this.#sentSeq(row, before), now, frame);
  }

  #copyPast(row: number, before: number, now: number, frame: Filling): number {
    const { payload, seq } = this.#table;
    const series = payload.seriesOf(row);
    const { firstSeq } = series;
    const since = this.#sentSeq(row, before);
    const from = indexOf(series, this.#past.countOf(before), since);
    series.changedSince(since, this.#changed);
    const isFollowed = this.#changed.length > 0;
    let left = countFrom(series, from, since);
    for (let index = from; index < series.end; index++) {
      if (firstSeq[index] > since) continue;
      if (this.#isFull(frame)) return this.#past.markOf(left, since);
      // A change since then follows with its number, such as the closing.
      const flags = series.seq[index] > since ? series.flags[index] & ~CLOSED_BAR : series.flags[index];
      this.#write(row, series, index, --left > 0 ? 0 : isFollowed ? since : seq[row], flags, frame);
    }
    return isFollowed ? this.#copySince(row, since, now, frame) : now;
  }

  #copySince(row: number, since: number, now: number, frame: Filling): number {
    const series = this.#table.payload.seriesOf(row);
    series.changedSince(since, this.#changed);
    let sent = since;
    for (const index of this.#changed) {
      const seq = series.seq[index];
      if (this.#isFull(frame)) return seq > 0 ? this.#table.markOf(seq - 1) : this.#anewMark(series, index);
      if (sent > 0) frame.conflated += Math.max(0, seq - sent - 1);
      sent = seq;
      this.#write(row, series, index, seq, series.flags[index], frame);
    }
    return now;
  }

  /** The mark where the bars from an index on have no number yet, and all with a number are still to come. */
  #anewMark(series: BarSeries, index: number): number {
    const first = this.#changed.find((each) => series.seq[each] > 0);
    const since = first === undefined ? 0 : series.seq[first] - 1;
    return this.#past.markOf(countFrom(series, index, since), since);
  }

  /** What has changed after this number was not sent to an entry with this mark. */
  #sentSeq(row: number, mark: number): number {
    const { heap, markAt: marks, seq } = this.#table;
    if (mark >= PAST) return this.#past.seqOf(mark, seq[row]);
    return seq[row] - ((markAt(heap.u32, marks, row) - mark + BAR_MARKS) % BAR_MARKS);
  }

  #isFull(frame: Filling): boolean {
    return frame.at + this.format.maxBarBytes > frame.limit && frame.count > 0;
  }

  #write(row: number, series: BarSeries, index: number, seq: number, flags: number, frame: Filling): void {
    const { heap, firstHandle, handle } = this.#table;
    frame.at = this.format.writeBar(heap, frame.at, firstHandle + handle[row], seq, series, index, flags);
    heap.i32[(frame.noted >>> 2) + frame.count++] = row;
  }
}

/** How many bars from an index on had begun with a number. */
function countFrom({ firstSeq, end }: BarSeries, index: number, seq: number): number {
  let count = 0;
  for (let at = index; at < end; at++) if (firstSeq[at] <= seq) count++;
  return count;
}

/** From which index on there are so many; all that are left where it is fewer. */
function indexOf({ firstSeq, from, end }: BarSeries, count: number, seq: number): number {
  let index = end;
  for (let left = count; left > 0 && index > from; ) if (firstSeq[--index] <= seq) left--;
  return index;
}

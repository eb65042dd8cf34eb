/**
 * Shared encoded ticks: the bytes of a tick are the same for all clients with the same fields, so they are encoded once
 * per change, for the first client that needs them, and copied for the others.
 */
import type { TickFormat } from "./frame_format.ts";
import { HeapFull } from "./heap.ts";
import {
  COPIED_AT_LEAST,
  entryMark,
  entryRow,
  markAt,
  SLOT_DATA,
  SLOT_LENGTH,
  setEntry,
  setEntryMark,
  slotBytes,
} from "./heap_layout.ts";
import type { Payload } from "./payload.ts";
import type { QuotePayload } from "./quote/quote_payload.ts";
import { type Entries, type Filling, NO_GAPS, type RowEncoder, type RowGap } from "./row_encoder.ts";
import { ticksBetween } from "./seq_mark.ts";
import type { MarketTable } from "./table.ts";

/** Of channels whose newest tick replaces the one before. */
export class TickEncoder<P extends Payload = QuotePayload> implements RowEncoder {
  readonly format: TickFormat<P>;
  /** What is encoded of a row: see {@link TickFormat.writeTick}. */
  readonly fields: Uint8Array;
  /** The largest tick, in bytes. */
  readonly maxTickBytes: number;
  /** Whether it keeps encoded ticks for several clients, as long as there is memory. */
  readonly isShared: boolean;
  readonly #table: MarketTable<P>;
  readonly #slotBytes: number;
  /** The address of the first row's slot. */
  #slots = 0;
  #capacity = 0;
  #isKeeping: boolean;

  /** @param isShared whether to keep encoded ticks, which takes little more than `maxTickBytes` per row */
  constructor(table: MarketTable<P>, format: TickFormat<P>, fields: Uint8Array, isShared: boolean) {
    this.#table = table;
    this.format = format;
    this.fields = fields;
    this.maxTickBytes = format.maxTickBytes(fields);
    this.isShared = isShared;
    this.#isKeeping = isShared;
    this.#slotBytes = slotBytes(this.maxTickBytes);
  }

  /** Of such channels there is nothing to miss. */
  get hasGaps(): boolean {
    return false;
  }

  takeGaps(): readonly RowGap[] {
    return NO_GAPS;
  }

  firstMark(): number {
    return 0;
  }

  countBehind(): number {
    return 1;
  }

  copyNewest(row: number, frame: Filling): void {
    setEntry(this.#table.heap.i32, frame.spare.entries, 0, row);
    this.copyChanged(frame.spare, 0, 1, frame);
  }

  /**
   * Copies the ticks of changed entries into a frame, until the frame is full or the last entry is reached.
   * @returns the entry where it stopped
   */
  copyChanged(entries: Entries, from: number, end: number, frame: Filling): number {
    const table = this.#table;
    const { heap } = table;
    if (this.#isKeeping && this.#capacity < table.version.length) this.#grow();
    if (!this.#isKeeping) return this.#writeChanged(entries, from, end, frame);
    let index = from;
    for (;;) {
      const { i32, f64 } = heap;
      const { result } = frame;
      i32[(result >>> 2) + 1] = frame.count;
      f64[(result >>> 3) + 1] = frame.conflated;
      frame.at = heap.copyChanged(
        index,
        end,
        entries.entries,
        table.markAt,
        table.versionAt,
        this.#slots,
        this.#slotBytes,
        this.maxTickBytes,
        frame.at,
        frame.limit,
        frame.noted,
        result,
      );
      index = i32[result >>> 2];
      frame.count = i32[(result >>> 2) + 1];
      frame.conflated = f64[(result >>> 3) + 1];
      if (index === end) return index;
      const row = entryRow(i32, entries.entries, index);
      if (f64[this.#slotOf(row) >>> 3] === table.version[row]) return index;
      this.#encode(row);
    }
  }

  #writeChanged({ entries }: Entries, from: number, end: number, frame: Filling): number {
    const { heap, markAt: marks } = this.#table;
    const { i32, u32 } = heap;
    for (let index = from; index < end; index++) {
      const row = entryRow(i32, entries, index);
      const before = entryMark(u32, entries, index);
      const now = markAt(u32, marks, row);
      if (now === before) continue;
      if (frame.at + this.maxTickBytes > frame.limit && frame.count > 0) return index;
      frame.at = this.format.writeTick(heap, frame.at, this.#table, row, this.fields);
      i32[(frame.noted >>> 2) + frame.count++] = row;
      if (before > 0) frame.conflated += ticksBetween(before, now);
      setEntryMark(u32, entries, index, now);
    }
    return end;
  }

  #slotOf(row: number): number {
    return this.#slots + row * this.#slotBytes;
  }

  #encode(row: number): void {
    const { heap, version } = this.#table;
    const slot = this.#slotOf(row);
    const start = slot + SLOT_DATA;
    const end = this.format.writeTick(heap, start, this.#table, row, this.fields);
    heap.u16[(slot + SLOT_LENGTH) >>> 1] = end - start;
    heap.f64[slot >>> 3] = version[row];
  }

  /** Without memory for all rows, ticks are encoded each time from now on. */
  #grow(): void {
    const { length } = this.#table.version;
    try {
      this.#slots = this.#table.heap.resize(this.#slots, this.#bytesOf(this.#capacity), this.#bytesOf(length));
      this.#capacity = length;
    } catch (error) {
      if (!(error instanceof HeapFull)) throw error;
      this.#isKeeping = false;
      this.close();
    }
  }

  /** The bytes of slots for so many rows. */
  #bytesOf(rows: number): number {
    return rows * this.#slotBytes + COPIED_AT_LEAST;
  }

  /** Frees its memory. */
  close(): void {
    if (this.#capacity === 0) return;
    this.#table.heap.free(this.#slots, this.#bytesOf(this.#capacity));
    this.#capacity = 0;
  }
}

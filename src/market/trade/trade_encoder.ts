/**
 * Copies trades into frames: of each changed row, all that the client has not been sent. A trade is encoded once, and
 * copied for everyone. What the ring no longer holds, or never had, is a gap, which the client is told of first.
 */
import { HeapFull } from "../heap.ts";
import { entryMark, entryRow, markAt, setEntryMark } from "../heap_layout.ts";
import { type Entries, type Filling, NO_GAPS, type RowEncoder, type RowGap } from "../row_encoder.ts";
import { markOf, ticksBetween } from "../seq_mark.ts";
import type { MarketTable } from "../table.ts";
import type { TradeFormat } from "./trade_format.ts";
import type { TradePayload } from "./trade_payload.ts";
import type { TradeRing } from "./trade_ring.ts";

/** A slot of an encoded trade: its stamp (a Float64), its length (a Uint16), and the bytes. */
const SLOT_LENGTH = 8;
const SLOT_DATA = 10;

/**
 * The most gaps of one copy: each is a message to the client, which the limits of a frame do not hold back. 64 take
 * about 10 KB.
 */
const MOST_GAPS = 64;

/** The encoded trades of one row. */
interface Block {
  at: number;
  slots: number;
}

export class TradeEncoder implements RowEncoder {
  readonly format: TradeFormat;
  readonly isShared: boolean;
  readonly #table: MarketTable<TradePayload>;
  readonly #slotBytes: number;
  readonly #blocks: (Block | undefined)[] = [];
  #gaps: RowGap[] = [];

  /** @param isShared whether encoded trades are kept for others */
  constructor(table: MarketTable<TradePayload>, format: TradeFormat, isShared: boolean) {
    this.#table = table;
    this.format = format;
    this.isShared = isShared;
    this.#slotBytes = Math.ceil((SLOT_DATA + format.maxTradeBytes) / 8) * 8;
  }

  get hasGaps(): boolean {
    return this.#gaps.length > 0;
  }

  takeGaps(): readonly RowGap[] {
    const gaps = this.#gaps;
    if (gaps.length === 0) return NO_GAPS;
    this.#gaps = [];
    return gaps;
  }

  firstMark(row: number, sent: number, last: number): number {
    const { heap, markAt: marks, payload, seq } = this.#table;
    const now = markAt(heap.u32, marks, row);
    if (now === 0) return 0;
    const unsent = sent === 0 ? 0 : behind(sent, now);
    const { run } = payload.ringOf(row);
    // What it has missed already is reported before what follows.
    return markOf(seq[row] - Math.max(unsent, Math.min(last, run)));
  }

  countBehind(row: number, mark: number): number {
    const { heap, markAt: marks, payload } = this.#table;
    const { run } = payload.ringOf(row);
    return mark === 0 ? 0 : Math.min(run, behind(mark, markAt(heap.u32, marks, row)));
  }

  copyNewest(row: number, frame: Filling): void {
    const ring = this.#table.payload.ringOf(row);
    this.#copy(row, ring, ring.slotOf(ring.end - 1), this.#blockOf(row, ring), frame);
  }

  copyChanged({ entries }: Entries, from: number, end: number, frame: Filling): number {
    const { heap, markAt: marks } = this.#table;
    for (let index = from; index < end; index++) {
      const row = entryRow(heap.i32, entries, index);
      const before = entryMark(heap.u32, entries, index);
      const now = markAt(heap.u32, marks, row);
      if (now === before) continue;
      if (this.#gaps.length >= MOST_GAPS) return index;
      const mark = this.#copyRow(row, before, now, frame);
      // Encoding may have replaced the heap's arrays.
      setEntryMark(heap.u32, entries, index, mark);
      if (mark !== now) return index;
    }
    return end;
  }

  close(): void {
    const { heap } = this.#table;
    for (const block of this.#blocks) if (block) heap.free(block.at, block.slots * this.#slotBytes);
    this.#blocks.length = 0;
  }

  /** @returns the mark of the last trade that was copied or reported as missed */
  #copyRow(row: number, before: number, now: number, frame: Filling): number {
    const { payload, seq: newest } = this.#table;
    const ring = payload.ringOf(row);
    // An entry without a mark is older than the row's first trade.
    let sent = before === 0 ? ring.first - 1 : newest[row] - behind(before, now);
    let position = ring.after(sent);
    while (position < ring.end && ring.appliedAt[ring.slotOf(position)] < frame.oldest) position++;
    const next = position < ring.end ? ring.seq[ring.slotOf(position)] : newest[row] + 1;
    if (next > sent + 1) {
      this.#gaps.push({ row, missed: next - sent - 1 });
      sent = next - 1;
    }
    const block = this.#blockOf(row, ring);
    for (; position < ring.end; position++) {
      const slot = ring.slotOf(position);
      // A gap between trades of one frame could not be told of at its place.
      const isGap = ring.seq[slot] > sent + 1;
      const isFull = frame.at + this.format.maxTradeBytes > frame.limit && frame.count > 0;
      if (isGap || isFull) return markOf(sent);
      this.#copy(row, ring, slot, block, frame);
      sent = ring.seq[slot];
    }
    return now;
  }

  #copy(row: number, ring: TradeRing, slot: number, block: Block | undefined, frame: Filling): void {
    const table = this.#table;
    const { heap } = table;
    if (block) {
      const at = block.at + slot * this.#slotBytes;
      if (heap.f64[at >>> 3] !== ring.stamp[slot]) {
        const end = this.#write(at + SLOT_DATA, row, ring, slot);
        heap.u16[(at + SLOT_LENGTH) >>> 1] = end - at - SLOT_DATA;
        heap.f64[at >>> 3] = ring.stamp[slot];
      }
      const length = heap.u16[(at + SLOT_LENGTH) >>> 1];
      heap.bytes.copyWithin(frame.at, at + SLOT_DATA, at + SLOT_DATA + length);
      frame.at += length;
    } else {
      frame.at = this.#write(frame.at, row, ring, slot);
    }
    heap.i32[(frame.noted >>> 2) + frame.count++] = row;
  }

  #write(at: number, row: number, ring: TradeRing, slot: number): number {
    const { heap, firstHandle, handle } = this.#table;
    return this.format.writeTrade(heap, at, firstHandle + handle[row], ring, slot);
  }

  /** The encoded trades of a row; undefined where there is no memory for them, or no use. */
  #blockOf(row: number, { capacity }: TradeRing): Block | undefined {
    if (!this.isShared) return undefined;
    const found = this.#blocks[row];
    if (found?.slots === capacity) return found;
    const { heap } = this.#table;
    if (found) heap.free(found.at, found.slots * this.#slotBytes);
    while (this.#blocks.length < row) this.#blocks.push(undefined);
    this.#blocks[row] = undefined;
    try {
      const at = heap.alloc(capacity * this.#slotBytes);
      this.#blocks[row] = { at, slots: capacity };
    } catch (error) {
      if (!(error instanceof HeapFull)) throw error;
    }
    return this.#blocks[row];
  }
}

/** How many ticks lie between a mark and the newest, that one included. */
function behind(mark: number, now: number): number {
  return mark === now ? 0 : ticksBetween(mark, now) + 1;
}

/**
 * One frame under construction: encoded rows, one behind the other. One frame serves all connections, one after the
 * other.
 */
import type { FrameFormat } from "../../market/frame_format.ts";
import type { Heap } from "../../market/heap.ts";
import { COPIED_AT_LEAST, ENTRY_BYTES, NOTED_ROW_BYTES, RESULT_BYTES } from "../../market/heap_layout.ts";
import type { Entries, Filling } from "../../market/row_encoder.ts";
import { MAX_FRAME_BYTES } from "../../protocol/messages.ts";

/** The shortest that an encoded row can be: an array's head and four numbers of one byte each. */
const MIN_ROW_BYTES = 5;

/** Views of up to so many bytes are kept: to make one takes a tenth of the time that a small frame takes to send. */
const KEPT_VIEWS = 8_192;

export class Frame implements Filling {
  /** Rows in the frame. */
  count = 0;
  /** Updates left out since newer ones in the frame replaced them. */
  conflated = 0;
  at = 0;
  limit = 0;
  readonly noted: number;
  readonly result: number;
  readonly spare: Entries;
  oldest = Number.NEGATIVE_INFINITY;
  /** When the frame is written, microseconds since the Unix epoch. */
  sentAt = 0;
  readonly heap: Heap;
  readonly #start: number;
  #format!: FrameFormat;
  /** By length; of frames that begin where frames begin, and of those with a shorter head. */
  #views: Uint8Array[][] = [[], []];

  constructor(heap: Heap) {
    this.heap = heap;
    this.result = heap.alloc(RESULT_BYTES);
    this.spare = { entries: heap.alloc(ENTRY_BYTES) };
    this.noted = heap.alloc(Math.ceil(MAX_FRAME_BYTES / MIN_ROW_BYTES) * NOTED_ROW_BYTES);
    this.#start = heap.alloc(MAX_FRAME_BYTES + COPIED_AT_LEAST);
    heap.onGrow(() => {
      this.#views = [[], []];
    });
  }

  /** Begins a frame of at most `limit` bytes, and of no more than any frame may have. */
  begin(format: FrameFormat, limit: number, sentAt: number): void {
    this.oldest = Number.NEGATIVE_INFINITY;
    this.sentAt = sentAt;
    this.#format = format;
    this.at = this.#start + format.headBytes;
    this.limit = this.#start + Math.min(limit, MAX_FRAME_BYTES) - format.tailBytes;
    this.count = 0;
    this.conflated = 0;
  }

  /** A row in the frame. */
  rowAt(index: number): number {
    return this.heap.i32[(this.noted >>> 2) + index];
  }

  /** @returns the frame's bytes, valid until the next `begin` */
  finish(): Uint8Array {
    const { tailBytes } = this.#format;
    const first = this.#format.finish(this.heap, this.#start, this.at, this.count, this.sentAt);
    return this.#view(first, this.at + tailBytes - first);
  }

  #view(first: number, length: number): Uint8Array {
    const views = this.#views[first === this.#start ? 0 : 1];
    const kept = views[length];
    if (kept) return kept;
    const view = new Uint8Array(this.heap.bytes.buffer, first, length);
    if (length < KEPT_VIEWS) views[length] = view;
    return view;
  }
}

/**
 * What lies where in the {@link Heap}: the market table's columns, encoded slots, entries of subscriptions, the results
 * of copying, and the blocks of topic subscribers. changed.wat has the same numbers: it is compiled, and changes with
 * this file.
 *
 * All accessors take the heap's arrays, so that a loop reads them once; they are small enough to be inlined.
 */

/** Columns of the market table: a row's mark (mark.ts, a Uint32), and its version (a Float64). */
export const MARK_BYTES = 4;
export const VERSION_BYTES = 8;

/** A row's mark. @param marks the address of the column */
export function markAt(u32: Uint32Array, marks: number, row: number): number {
  return u32[(marks >>> 2) + row];
}

export function setMarkAt(u32: Uint32Array, marks: number, row: number, mark: number): void {
  u32[(marks >>> 2) + row] = mark;
}

/** An entry of a subscription: a row (an Int32) and the mark of what was last sent of it (a Uint32), 0 for nothing. */
export const ENTRY_BYTES = 8;

/** The row of an entry. @param entries the address of the first */
export function entryRow(i32: Int32Array, entries: number, index: number): number {
  return i32[(entries >>> 2) + index * 2];
}

/** What was last sent of an entry's row. */
export function entryMark(u32: Uint32Array, entries: number, index: number): number {
  return u32[(entries >>> 2) + index * 2 + 1];
}

export function setEntryMark(u32: Uint32Array, entries: number, index: number, mark: number): void {
  u32[(entries >>> 2) + index * 2 + 1] = mark;
}

/** Sets an entry to a row of which nothing was sent. */
export function setEntry(i32: Int32Array, entries: number, index: number, row: number): void {
  const at = (entries >>> 2) + index * 2;
  i32[at] = row;
  i32[at + 1] = 0;
}

/** Copies an entry to another index of the same subscription. */
export function moveEntry(i32: Int32Array, entries: number, from: number, to: number): void {
  const first = entries >>> 2;
  i32[first + to * 2] = i32[first + from * 2];
  i32[first + to * 2 + 1] = i32[first + from * 2 + 1];
}

/** A row's slot in an encoder: the version that is encoded (a Float64), the length (a Uint16), and the bytes. */
export const SLOT_LENGTH = 8;
export const SLOT_DATA = SLOT_LENGTH + 2;
/** Slots begin where lines of the processor's cache do. */
export const SLOT_STEP = 64;
/**
 * What is copied of the shortest encoded row, and of any other a multiple of 16 bytes: what is read beyond the last
 * slot, and what is written behind the last row of a frame, is less than this.
 */
export const COPIED_AT_LEAST = 112;

/** What a slot for so many encoded bytes takes. */
export function slotBytes(maxBytes: number): number {
  return Math.ceil((SLOT_DATA + maxBytes) / SLOT_STEP) * SLOT_STEP;
}

/**
 * The result of a copy: the entry where it stopped (an Int32), rows in the frame (an Int32), and updates left out since
 * newer ones replaced them (a Float64).
 */
export const RESULT_BYTES = 16;

/** The list of the rows in a frame: an Int32 each. */
export const NOTED_ROW_BYTES = 4;

/**
 * The block of a topic subscriber begins with Float64s: the sums of its topics' numbers as far as they are accounted
 * for, in the order of topic.ts; then the bytes accounted for, and the bytes broadcast to anyone, at the last audit;
 * then the subscriber's share of these.
 */
export const AUDITED_BYTES = 3;
export const PUBLISHED_BYTES = 4;
export const SHARE = 5;
const BLOCK_NUMBERS = 6;
/** Then two Uint32s for each entry: where its topic's numbers are, and the topic's updates at the last sample. */
const BLOCK_ENTRY_BYTES = 8;

/** What the block for so many entries takes. */
export function topicBlockBytes(entries: number): number {
  return BLOCK_NUMBERS * 8 + entries * BLOCK_ENTRY_BYTES;
}

/** Where the two numbers of an entry are in the 32-bit arrays. */
export function topicBlockEntry(block: number, index: number): number {
  return ((block + BLOCK_NUMBERS * 8) >>> 2) + index * 2;
}

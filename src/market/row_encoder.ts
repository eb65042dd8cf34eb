/** What the fan-out needs of an encoder: it copies changed rows into a frame, whatever a row consists of. */
import type { FrameFormat } from "./frame_format.ts";

/** Some rows, each with the mark of what was last sent of it. */
export interface Entries {
  /** The address of the first; see heap_layout.ts. */
  readonly entries: number;
}

/** A frame being filled. */
export interface Filling {
  /** The address of the next tick; {@link limit} is the end of the last one at most. */
  at: number;
  readonly limit: number;
  /** Ticks in it. */
  count: number;
  /** Ticks that were superseded by one in it. */
  conflated: number;
  /** The rows of the ticks in it, as many as {@link count}: the address of an Int32Array. */
  readonly noted: number;
  /** The address of the result of a copy. */
  readonly result: number;
  /** One entry, for {@link RowEncoder.copyNewest}. */
  readonly spare: Entries;
  /** Of channels that keep each tick: those that came here before are skipped, microseconds since the Unix epoch. */
  oldest: number;
}

/** Ticks of a row that a client will never receive. */
export interface RowGap {
  readonly row: number;
  readonly missed: number;
}

export const NO_GAPS: readonly RowGap[] = [];

export interface RowEncoder {
  readonly format: FrameFormat;
  /** Whether others have the same bytes: only those can be broadcast. */
  readonly isShared: boolean;
  /**
   * Copies entries whose row has changed into a frame, until it is full, and sets their marks. It also stops where a
   * client must be told of a gap before it gets what follows.
   * @returns the entry where it stopped
   */
  copyChanged(entries: Entries, from: number, end: number, frame: Filling): number;
  /** Copies the newest tick of a row into an empty frame. */
  copyNewest(row: number, frame: Filling): void;
  /** Whether copying has found gaps: the client must be told before the frame is sent. */
  readonly hasGaps: boolean;
  /** The gaps since the last call. */
  takeGaps(): readonly RowGap[];
  /**
   * The mark with which an entry begins: what lies behind it comes first.
   * @param sent the mark of what was sent of the row before, 0 for nothing
   * @param last how many of the latest ticks come first
   */
  firstMark(row: number, sent: number, last: number): number;
  /** How many ticks that are there lie behind such a mark. */
  countBehind(row: number, mark: number): number;
  /** Frees its memory. */
  close(): void;
}

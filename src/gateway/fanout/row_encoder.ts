/** What the fan-out needs of an encoder: it copies changed rows into a frame, whatever a row consists of. */
import type { Entries, Filling } from "../../market/encoder.ts";
import type { TickFormat } from "../../market/format.ts";

/** How a frame begins and ends. */
export type FrameFormat = Pick<TickFormat, "binary" | "headBytes" | "tailBytes" | "finish">;

export interface RowEncoder {
  readonly format: FrameFormat;
  /** Whether others have the same bytes: only those can be broadcast. */
  readonly isShared: boolean;
  /**
   * Copies entries whose row has changed into a frame, until it is full, and sets their marks.
   * @returns the entry where it stopped
   */
  copyChanged(entries: Entries, from: number, end: number, frame: Filling): number;
}

/**
 * Counts what one feed has passed to the bus: how long its ticks waited, and how many were replaced by newer ones
 * meanwhile. A row that is written again without a new tick (its state changed, or Redis lost it) is not counted.
 */
import { copied } from "../base/enlarged_array.ts";
import { Histogram } from "../base/histogram.ts";
import type { PublisherTable } from "../market/publisher_table.ts";

const FIRST_CAPACITY = 1_024;

export class Handover {
  /** The time of each tick from the receipt by the feed adapter to the batch. */
  readonly wait: Histogram;
  /** Ticks that were replaced before they were written. */
  conflated = 0;
  /** The last written `seq`, by row; 0 for none. */
  #seq = new Float64Array(FIRST_CAPACITY);

  constructor(wait: Histogram = new Histogram()) {
    this.wait = wait;
  }

  /** This publisher leads the feed from now on. Its present rows are not changes: they may be hours old. */
  begin(table: Pick<PublisherTable, "rows" | "seq">): void {
    this.#reserve(table.rows);
    this.#seq.set(table.seq.subarray(0, table.rows));
  }

  /**
   * A row has been written to the bus.
   * @param receivedAt when its tick was received, microseconds; NaN if unknown
   * @param sentAt when the batch was made, by the same clock
   */
  taken(row: number, seq: number, receivedAt: number, sentAt: number): void {
    if (row >= this.#seq.length) this.#reserve(row + 1);
    const before = this.#seq[row];
    if (seq === before) return;
    this.#seq[row] = seq;
    if (before > 0 && seq > before) this.conflated += seq - before - 1;
    this.wait.sample(sentAt - receivedAt);
  }

  #reserve(rows: number): void {
    if (rows <= this.#seq.length) return;
    this.#seq = copied(new Float64Array(Math.max(rows, this.#seq.length * 2)), this.#seq);
  }
}

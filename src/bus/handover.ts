/**
 * What one feed has handed to the bus: how long its ticks waited for that, and how many were replaced by newer ones
 * while they did. A row that is written again though it has had no tick since (its state changed, or Redis lost it) is
 * no news.
 */
import { copied } from "../base/copied.ts";
import { Histogram } from "../base/histogram.ts";
import type { PublisherTable } from "../market/publisher_table.ts";

const FIRST_CAPACITY = 1_024;

export class Handover {
  /** From the feed adapter's receipt to the making of the batch, a tick that was handed over. */
  readonly wait: Histogram;
  /** Ticks that were replaced before the bus took them. */
  conflated = 0;
  /** The `seq` that was handed over last, by row; 0 where there was none. */
  #seq = new Float64Array(FIRST_CAPACITY);

  constructor(wait: Histogram = new Histogram()) {
    this.wait = wait;
  }

  /** The feed is ours from now on: the state of its rows is not a change: they may have been unchanged for hours. */
  begin(table: Pick<PublisherTable, "rows" | "seq">): void {
    this.#reserve(table.rows);
    this.#seq.set(table.seq.subarray(0, table.rows));
  }

  /**
   * The bus has taken a row.
   * @param receivedAt when its tick was received, microseconds; NaN where that is not known
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

/** Rows of a market table that have changed and are not written yet, each once: what a busy bus takes less often. */
import { copied } from "../base/enlarged_array.ts";

export class ChangedRows {
  #rows: number[] = [];
  #isIn: Uint8Array = new Uint8Array(0);

  get size(): number {
    return this.#rows.length;
  }

  /** Adds a row. Returns whether it was not in yet. */
  add(row: number): boolean {
    if (row >= this.#isIn.length) this.#isIn = copied(new Uint8Array(Math.max(1_024, row * 2)), this.#isIn);
    if (this.#isIn[row] === 1) return false;
    this.#isIn[row] = 1;
    this.#rows.push(row);
    return true;
  }

  /** Takes out up to so many rows, those first that came first. */
  take(most = Number.POSITIVE_INFINITY): number[] {
    const taken = this.#rows.length <= most ? this.#rows : this.#rows.splice(0, most);
    if (taken === this.#rows) this.#rows = [];
    for (const row of taken) this.#isIn[row] = 0;
    return taken;
  }
}

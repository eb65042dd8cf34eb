/**
 * One connection's share of the rows for symbols without a tick: as many as there is still room for. So others always
 * find some room, however many connections name symbols that never tick.
 */
import type { RowTable } from "../../market/gateway_table.ts";

export class AwaitedShare {
  readonly #table: RowTable;
  /** Rows without a tick that the connection holds; undefined until the current command needs the number. */
  #held: number | undefined;

  constructor(table: RowTable) {
    this.#table = table;
  }

  /** A command begins. */
  reset(): void {
    this.#held = undefined;
  }

  /** The command holds one more. */
  add(): void {
    if (this.#held !== undefined) this.#held++;
  }

  /** @param rows the connection's @param limit the most in all */
  isUsedUp(rows: Iterable<number>, limit: number): boolean {
    // Counted once for each command, which may name thousands of symbols.
    if (this.#held === undefined) {
      this.#held = 0;
      for (const row of rows) if (!this.#table.hasTicked(row)) this.#held++;
    }
    return this.#held >= limit - this.#table.awaitedRows;
  }
}

/** Rows that show symbols late, as sessions use them; and those of a channel that shows nothing late. */
import type { RowTable } from "../../market/gateway_table.ts";

export interface DelayedRows {
  /**
   * Holds the row that shows a symbol late, until {@link release}; and its live row, as {@link GatewayTable.hold}.
   * @param delay ms
   * @param now microseconds
   * @returns the row, or -1 where there is no room for it
   */
  hold(symbol: string, delay: number, mostAwaited: number, now: number): number;
  release(row: number): void;
  /** How late a row is, ms; 0 for a live one. */
  delayOf(row: number): number;
  /** The row that has the symbol live. */
  liveRowOf(row: number): number;
  /** The row that shows a live row late, or -1. */
  rowOf(live: number, delay: number): number;
  /** The rows that show a live row late. */
  rowsOf(live: number): readonly number[];
  /** A live row has changed. @param changed the bits of what has changed */
  note(live: number, changed: number): void;
}

/** Whoever may see a symbol of such a channel only late does not see it. */
export class NoDelayedRows implements DelayedRows {
  readonly #table: RowTable;

  constructor(table: RowTable) {
    this.#table = table;
  }

  hold(): number {
    return -1;
  }

  release(): void {}

  delayOf(): number {
    return 0;
  }

  liveRowOf(row: number): number {
    return this.#table.handle[row];
  }

  rowOf(): number {
    return -1;
  }

  rowsOf(): readonly number[] {
    return [];
  }

  note(): void {}
}

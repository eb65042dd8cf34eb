/** Rows of the market table that show what live rows showed some time ago. */
import type { GatewayTable } from "../../market/gateway_table.ts";

const NONE: readonly number[] = [];

export class DelayedMarket {
  readonly #table: GatewayTable;

  constructor(table: GatewayTable) {
    this.#table = table;
  }

  hold(_symbol: string, _delay: number, _mostAwaited: number, _now: number): number {
    return this.#table.limit > 0 ? -1 : -1;
  }

  release(_row: number): void {}

  delayOf(_row: number): number {
    return 0;
  }

  liveRowOf(row: number): number {
    return row;
  }

  rowOf(_live: number, _delay: number): number {
    return -1;
  }

  rowsOf(_live: number): readonly number[] {
    return NONE;
  }
}

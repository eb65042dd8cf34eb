/**
 * The publisher of one feed: merges partial ticks into whole ones, numbers them, and tells the bus which rows have
 * changed. It keeps no queue: what a busy bus has not taken yet is replaced by what is newer.
 */
import type { BusWriter } from "../bus/bus.ts";
import type { Clock } from "../clock.ts";
import type { MarketTable } from "../market/table.ts";
import { CLOSED, isSymbol, LIVE, STALE, type TickPatch } from "../tick.ts";
import type { FeedSink, SkipReason } from "./adapter.ts";

/** What a feed has done since it started, for the metrics. */
export class FeedCounts {
  ticks = 0;
  readonly skipped: Record<SkipReason, number> = { unknown: 0, malformed: 0, invalid_symbol: 0, table_full: 0 };
}

export class Publisher implements FeedSink {
  readonly counts = new FeedCounts();
  readonly #table: MarketTable;
  readonly #bus: BusWriter;
  readonly #clock: Clock;

  constructor(table: MarketTable, bus: BusWriter, clock: Clock) {
    this.#table = table;
    this.#bus = bus;
    this.#clock = clock;
  }

  tick(symbol: string, patch: TickPatch, eventTime: number): void {
    const table = this.#table;
    let row = table.rowOf(symbol);
    if (row < 0) {
      if (!isSymbol(symbol)) return this.skip("invalid_symbol");
      row = table.add(symbol);
      if (row < 0) return this.skip("table_full");
    }
    table.merge(row, patch, eventTime);
    if (table.state[row] !== LIVE) table.restate(row, LIVE, this.#clock.micros(), "");
    this.counts.ticks++;
    this.#bus.changed(row);
  }

  stale(reason: string, symbols?: readonly string[]): void {
    this.#restate(STALE, reason, symbols);
  }

  closed(reason: string): void {
    this.#restate(CLOSED, reason);
  }

  skip(reason: SkipReason): void {
    this.counts.skipped[reason]++;
  }

  #restate(state: number, reason: string, symbols?: readonly string[]): void {
    const table = this.#table;
    const since = this.#clock.micros();
    const count = symbols?.length ?? table.rows;
    for (let i = 0; i < count; i++) {
      const row = symbols ? table.rowOf(symbols[i]) : i;
      if (row < 0 || table.state[row] === state || table.state[row] === CLOSED) continue;
      table.restate(row, state, since, reason);
      this.#bus.changed(row);
    }
  }
}

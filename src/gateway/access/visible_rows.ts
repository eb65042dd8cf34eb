/**
 * The rows of the market table that show symbols to one client: it may see some symbols live, others late, and others
 * not at all. A symbol has one live row, and one row for each delay.
 */
import type { Clock } from "../../base/clock.ts";
import type { Access, Identity } from "../../identity/identity.ts";
import type { RowTable } from "../../market/gateway_table.ts";
import { channelOf, type MarketName } from "../../market/market_name.ts";
import { Prefixes } from "../../market/prefixes.ts";
import type { DelayedRows } from "../delay/delayed_rows.ts";

const LIVE_ACCESS: Access = { interval: 0, delay: 0 };

export interface VisibleRowsParts {
  readonly name: MarketName;
  readonly table: RowTable;
  readonly delays: DelayedRows;
  readonly clock: Clock;
}

export class VisibleRows {
  /** Undefined: nothing is visible. */
  identity: Identity | undefined;
  readonly #parts: VisibleRowsParts;

  constructor(parts: VisibleRowsParts) {
    this.#parts = parts;
  }

  /** The most symbols that the client may hold, by its identity. */
  get maxSymbols(): number {
    return this.identity?.maxSymbols ?? 0;
  }

  /** How the client may see a symbol, whether that exists or not; undefined where it may not. */
  accessTo(symbol: string): Access | undefined {
    const entitlements = this.identity?.entitlements;
    if (entitlements?.allowsAll) return LIVE_ACCESS;
    const { name } = this.#parts;
    const access = entitlements?.decide(channelOf(name), symbol);
    // Only quotes are shown late.
    return access && access.delay > 0 && name !== "quote" ? undefined : access;
  }

  /**
   * Holds the row of a symbol, as {@link GatewayTable.hold}.
   * @returns the row, or -1 where there is no room for it
   */
  hold(symbol: string, delay: number, mostAwaited = Number.POSITIVE_INFINITY): number {
    const { table, delays, clock } = this.#parts;
    if (delay > 0) return delays.hold(symbol, delay, mostAwaited, clock.micros());
    return table.hold(symbol, mostAwaited, clock.micros());
  }

  release(row: number): void {
    const { table, delays } = this.#parts;
    if (delays.delayOf(row) > 0) delays.release(row);
    else table.release(row);
  }

  /** All rows of a symbol: a client holds one of them at most. */
  *rowsOf(symbol: string): Generator<number, void, void> {
    const { table, delays } = this.#parts;
    const live = table.rowOf(symbol);
    if (live < 0) return;
    yield live;
    yield* delays.rowsOf(live);
  }

  /** The row that shows a live row's symbol, or -1 where none does. */
  rowOf(live: number): number {
    const { table, delays } = this.#parts;
    const access = this.accessTo(table.symbols[live]);
    if (!access) return -1;
    return access.delay > 0 ? delays.rowOf(live, access.delay) : live;
  }

  /**
   * Prefixes that cover what is visible of the symbols with a prefix, in order, none within another. A search that
   * keeps to them takes the same time whatever else there is.
   */
  prefixesWithin(prefix: string): readonly string[] {
    const entitlements = this.identity?.entitlements;
    if (entitlements?.allowsAll) return [prefix];
    const within = new Set<string>();
    for (const allowed of entitlements?.prefixes(channelOf(this.#parts.name)) ?? []) {
      if (allowed.startsWith(prefix)) within.add(allowed);
      else if (prefix.startsWith(allowed)) within.add(prefix);
    }
    return new Prefixes(within).list;
  }

  delayOf(row: number): number {
    return this.#parts.delays.delayOf(row);
  }
}

/**
 * The rows of the market table that show symbols to one client: it may see some symbols live, others late, and others
 * not at all. A symbol has one live row, and one row for each delay.
 */
import type { Clock } from "../../base/clock.ts";
import { isPattern } from "../../base/tick.ts";
import type { Access, Identity } from "../../identity/identity.ts";
import type { RowTable } from "../../market/gateway_table.ts";
import { channelOf, type MarketName } from "../../market/market_name.ts";
import { Prefixes, prefixOf } from "../../market/prefixes.ts";
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

  /** Whether the channel has rows that show symbols late. */
  get #isShownLate(): boolean {
    return this.#parts.name === "quote";
  }

  /** The most symbols that the client may hold, by its identity. */
  get maxSymbols(): number {
    return this.identity?.maxSymbols ?? 0;
  }

  /** How the client may see a symbol, whether that exists or not; undefined where it may not. */
  accessTo(symbol: string): Access | undefined {
    const entitlements = this.identity?.entitlements;
    if (entitlements?.allowsAll) return LIVE_ACCESS;
    const access = entitlements?.decide(channelOf(this.#parts.name), symbol);
    return access && access.delay > 0 && !this.#isShownLate ? undefined : access;
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
   * Symbols, and prefixes that end with `*`, that cover what is visible of the symbols with a prefix and nothing else,
   * in order, none within another. So neither a search nor its answer depends on what else there is.
   */
  textsWithin(prefix: string): readonly string[] {
    const entitlements = this.identity?.entitlements;
    if (entitlements?.allowsAll) return [`${prefix}*`];
    const allowed = entitlements?.covering(channelOf(this.#parts.name), !this.#isShownLate) ?? [];
    const within = new Set<string>();
    for (const text of allowed) {
      if (!isPattern(text)) continue;
      const wider = prefixOf(text);
      if (wider.startsWith(prefix)) within.add(wider);
      else if (prefix.startsWith(wider)) within.add(prefix);
    }
    const prefixes = new Prefixes(within);
    const names = allowed.filter(
      (text) => !isPattern(text) && text.startsWith(prefix) && prefixes.of(text) === undefined,
    );
    // By code unit: since none is within another, they differ before a `*`.
    return [...prefixes.list.map((each) => `${each}*`), ...names].sort();
  }

  delayOf(row: number): number {
    return this.#parts.delays.delayOf(row);
  }
}

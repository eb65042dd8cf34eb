/**
 * Builds bars from trades, by the times of their events. A bar is closed when the source's time has passed its end; a
 * trade that comes later corrects it. What was before, or is partial, is filled with bars of the source's own.
 */
import { LIVE } from "../base/tick.ts";
import type { BarChange, BarPayload } from "../market/bar/bar_payload.ts";
import type { Bar } from "../market/bar/bar_record.ts";
import { CLOSED_BAR, CORRECTED_BAR, PARTIAL_BAR } from "../market/bar/bar_series.ts";
import { type BarRange, missingBars } from "../market/bar/missing_bars.ts";
import { type BarMarketName, barLength, barStart } from "../market/market_name.ts";
import type { PublisherTable } from "../market/publisher_table.ts";

/** How long after its end a bar is closed, microseconds: few trades come so late. */
const GRACE = 500_000;
/** A source whose clock is ahead of ours by more than this is not followed, microseconds. */
const MOST_AHEAD = 1_000_000;
/** The source's time is that of its newest trades in this time, microseconds: clocks drift, and one may be wrong. */
const LEAD_TIME = 60_000_000;
/** A subscription takes up to this to begin, microseconds. past_bars.ts fills a little more. */
const SUBSCRIBE_TIME = 3_000_000;
/** How long after a connection its subscriptions have an effect, microseconds, if no trade has come by then. */
const SETTLING = 10_000_000;
const NEVER = Number.NEGATIVE_INFINITY;

/** The bars of one resolution. */
interface Resolution {
  readonly name: BarMarketName;
  readonly length: number;
  readonly table: PublisherTable<BarPayload>;
}

/** How far the source's time is ahead of ours, microseconds: it is behind by at least the trades' latency. */
class SourceLead {
  #before = NEVER;
  #now = NEVER;
  #since = 0;

  note(time: number, receivedAt: number): void {
    if (receivedAt - this.#since > LEAD_TIME) {
      this.#before = this.#now;
      this.#now = NEVER;
      this.#since = receivedAt;
    }
    this.#now = Math.max(this.#now, Math.min(time - receivedAt, MOST_AHEAD));
  }

  get value(): number {
    return Math.max(this.#before, this.#now);
  }
}

export class BarBuilder {
  readonly #resolutions: readonly Resolution[];
  readonly #changed: (row: number, name: BarMarketName) => void;
  readonly #change: BarChange = { start: 0, price: 0, size: 0, flags: 0 };
  readonly #lead = new SourceLead();
  /** The bars before are closed, microseconds of the source's time. */
  #closedUntil = NEVER;
  /** When the source was connected, by our clock, until a trade shows its time. */
  #connectedAt = Number.NaN;
  /** From when on trades are complete, by the source's time: of all symbols, and of those that were lost since. */
  #completeFrom = NEVER;
  readonly #completeFromOf = new Map<string, number>();
  /** Of what is lost: since when, by our clock. All may have symbols that are not known yet. */
  #lostAt = Number.NaN;
  readonly #lostAtOf = new Map<string, number>();

  /** @param changed is called when a row of a table has changed */
  constructor(
    tables: ReadonlyMap<BarMarketName, PublisherTable<BarPayload>>,
    changed: (row: number, name: BarMarketName) => void,
  ) {
    this.#changed = changed;
    this.#resolutions = Array.from(tables, ([name, table]) => ({ name, length: barLength(name), table }));
  }

  /**
   * The source was connected: what comes from now on is complete.
   * @param now microseconds since the Unix epoch
   * @param symbols that are received from now on, if that is known
   */
  connected(now: number, symbols: readonly string[] = []): void {
    const from = now + this.#lead.value + SUBSCRIBE_TIME;
    if (from === NEVER || symbols.length === 0 || !symbols.every((symbol) => this.#lostAtOf.has(symbol))) {
      this.#connectedAt = now;
      this.#lostAt = Number.NaN;
      this.#lostAtOf.clear();
      return;
    }
    for (const symbol of symbols) {
      this.#completeFromOf.set(symbol, from);
      this.#lostAtOf.delete(symbol);
    }
    if (Number.isNaN(this.#lostAt)) return;
    this.#lostAt = Number.NaN;
    this.#completeFrom = Math.max(this.#completeFrom, from);
  }

  /**
   * These symbols, or all, may miss trades from now on, each until its next one.
   * @param now microseconds since the Unix epoch
   */
  lost(symbols: Iterable<string> | undefined, now: number): void {
    if (!symbols) this.#lostAt = now;
    const all = symbols ?? new Set(this.#resolutions.flatMap(({ table }) => table.symbols));
    for (const symbol of all) {
      this.#lostAtOf.set(symbol, now);
      for (const { name, table } of this.#resolutions) {
        const row = table.rowOf(symbol);
        if (row >= 0 && this.#flagForming(table, row, Number.POSITIVE_INFINITY, PARTIAL_BAR)) this.#changed(row, name);
      }
    }
  }

  /**
   * @param time of the event, microseconds since the Unix epoch
   * @returns whether there was room for the symbol
   */
  trade(symbol: string, price: number, size: number, time: number, receivedAt: number): boolean {
    const completeFrom = this.#follow(symbol, time, receivedAt);
    const change = this.#change;
    for (const { name, length, table } of this.#resolutions) {
      const row = table.add(symbol);
      if (row < 0) return false;
      const { payload } = table;
      change.start = barStart(time, length);
      // One of before all that are kept changes nothing, nor one of a bar that the source has told.
      if (!payload.accepts(row, change.start)) continue;
      change.price = price;
      change.size = size;
      change.flags = 0;
      if (!payload.has(row, change.start)) {
        if (change.start < completeFrom) change.flags |= PARTIAL_BAR;
        if (change.start + length + GRACE <= this.#closedUntil) change.flags |= CLOSED_BAR | CORRECTED_BAR;
      }
      table.merge(row, change, time, receivedAt);
      if (table.state[row] !== LIVE) table.restate(row, LIVE, receivedAt, "");
      this.#changed(row, name);
    }
    return true;
  }

  /**
   * Closes the bars that are over; to be called several times a second.
   * @param now microseconds since the Unix epoch
   */
  closeDue(now: number): void {
    const sourceTime = now + this.#lead.value;
    if (sourceTime === NEVER) return;
    this.#closedUntil = Math.max(this.#closedUntil, sourceTime);
    for (const { name, length, table } of this.#resolutions) {
      const before = sourceTime - length - GRACE;
      for (let row = 0; row < table.rows; row++)
        if (table.payload.seriesOf(row).formingFrom <= before && this.#flagForming(table, row, before, CLOSED_BAR))
          this.#changed(row, name);
    }
  }

  /** See {@link FeedSink.missingBars}. @param now microseconds since the Unix epoch */
  missing(
    symbol: string,
    name: BarMarketName,
    { from, end, most, now }: { from: number; end: number; most: number; now: number },
  ): BarRange | undefined {
    const resolution = this.#resolutions.find((each) => each.name === name);
    if (!resolution) return undefined;
    const { length, table } = resolution;
    // One of those that are kept is the one that is forming.
    const oldest = barStart(now, length) - (table.payload.barsPerSymbol - 1) * length;
    const first = Math.max(oldest, barStart(from, length));
    return missingBars(table.payload.seriesOf(table.rowOf(symbol)), { from: first, end, length, most });
  }

  /**
   * Bars as the source has them.
   * @param now microseconds since the Unix epoch
   * @returns whether there was room for the symbol
   */
  fill(symbol: string, name: BarMarketName, bars: readonly Bar[], now: number): boolean {
    const table = this.#resolutions.find((each) => each.name === name)?.table;
    if (!table || bars.length === 0) return true;
    const row = table.add(symbol);
    if (row < 0) return false;
    if (table.mergePast(row, (seq) => table.payload.fill(row, bars, seq), now)) this.#changed(row, name);
    return true;
  }

  /** @returns from when on the symbol's trades are complete, by the source's time */
  #follow(symbol: string, time: number, receivedAt: number): number {
    const lead = this.#lead;
    lead.note(time, receivedAt);
    if (!Number.isNaN(this.#connectedAt)) {
      // A trade may have taken longer than others; a source may be farther ahead than we follow it.
      const sinceThen = Math.max(0, receivedAt - this.#connectedAt);
      const connectedAt = Math.max(time - sinceThen, this.#connectedAt + lead.value);
      this.#completeFrom = Math.max(connectedAt, Math.min(time, connectedAt + SETTLING));
      this.#connectedAt = Number.NaN;
    } else if (this.#completeFrom === NEVER) this.#completeFrom = time;
    if (!Number.isNaN(this.#lostAt)) {
      this.#completeFrom = Math.max(this.#completeFrom, time, this.#lostAt + lead.value);
      this.#lostAt = Number.NaN;
    }
    const lostAt = this.#lostAtOf.get(symbol);
    // This one may be of before the loss.
    if (lostAt !== undefined) this.#completeFromOf.set(symbol, Math.max(time, lostAt + lead.value));
    this.#lostAtOf.delete(symbol);
    return Math.max(this.#completeFromOf.get(symbol) ?? NEVER, this.#completeFrom);
  }

  /** Sets a flag of the bars that are not closed and begin up to a time. @returns whether there were any */
  #flagForming(table: PublisherTable<BarPayload>, row: number, until: number, flag: number): boolean {
    const series = table.payload.seriesOf(row);
    const change = this.#change;
    change.size = 0;
    change.flags = flag;
    let hasChanged = false;
    const found = series.find(series.formingFrom);
    for (let index = found < 0 ? -1 - found : found; index < series.end; index++) {
      if (series.start[index] > until) break;
      if ((series.flags[index] & CLOSED_BAR) > 0 || (series.flags[index] & flag) > 0) continue;
      change.start = series.start[index];
      table.merge(row, change, table.eventTime[row], Number.NaN);
      hasChanged = true;
    }
    return hasChanged;
  }
}

/**
 * Rows of the market table that show what live rows showed some time ago: one row for each symbol and delay. Flushes,
 * broadcasts and states work on them as on live rows.
 */
import type { Clock } from "../../base/clock.ts";
import { GAP, type GatewayTable, RESET, TICKED } from "../../market/gateway_table.ts";
import type { Settings } from "../../settings/settings.ts";
import { DelayLine, MISSED, RESTARTED, SAMPLE_BYTES } from "./delay_line.ts";
import type { DelayedRows } from "./delayed_rows.ts";

/** How often samples are taken and shown, ms. */
const STEP_INTERVAL = 100;
/** Known symbols that are compared with the policy in one step. */
const COMPARED_SYMBOLS = 2_000;
const NO_ROWS: readonly number[] = [];

/** A row that is late. */
interface DelayedRow {
  readonly row: number;
  readonly line: DelayLine;
  /** Microseconds. */
  readonly delay: number;
  holds: number;
  /** Whether it is kept without holds: the policy names its symbol and delay. */
  isRecorded: boolean;
  /** When the last hold was released, microseconds. */
  releasedAt: number;
  /** The next sample to be shown. */
  next: number;
}

export interface DelayedMarketParts {
  readonly table: GatewayTable;
  readonly clock: Clock;
  readonly settings: Pick<Settings, "delaySampleInterval" | "maxDelayBytes" | "maxDelayedRows">;
  /** A row has had a tick. @param seq the one before */
  readonly deliver: (row: number, seq: number) => void;
}

export class DelayedMarket implements DelayedRows {
  readonly #parts: DelayedMarketParts;
  /** By live row. */
  readonly #lines = new Map<number, { line: DelayLine; rows: DelayedRow[] }>();
  /** By row. */
  readonly #delayed = new Map<number, DelayedRow>();
  #longestDelay: (symbol: string) => number = () => 0;
  /** How many of the table's known rows have been compared with the policy. */
  #compared = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Memory of all lines, bytes. */
  bytes = 0;
  /** Rows that were asked for and found no room. */
  refused = 0;

  constructor(parts: DelayedMarketParts) {
    this.#parts = parts;
  }

  /** How many rows are late. */
  get rows(): number {
    return this.#delayed.size;
  }

  /** What one symbol takes at a delay, bytes. @param delay ms */
  bytesOf(delay: number): number {
    return this.#capacityOf(delay) * SAMPLE_BYTES;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.step(), STEP_INTERVAL);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Keeps lines of all symbols that the policy shows late, from their first tick on: so a client that comes later has
   * its snapshot at once.
   * @param longestDelay of a symbol, ms; 0 for none
   */
  record(longestDelay: (symbol: string) => number): void {
    this.#longestDelay = longestDelay;
    this.#compared = 0;
    for (const delayed of this.#delayed.values()) delayed.isRecorded = false;
  }

  hold(symbol: string, delay: number, mostAwaited: number, now: number): number {
    const { table } = this.#parts;
    const live = table.hold(symbol, mostAwaited, now);
    if (live < 0) return -1;
    const delayed = this.#find(live, delay) ?? this.#create(live, delay, now);
    if (!delayed) {
      table.release(live);
      return -1;
    }
    delayed.holds++;
    return delayed.row;
  }

  release(row: number): void {
    const delayed = this.#delayed.get(row);
    if (!delayed) return;
    const { table, clock } = this.#parts;
    const { live } = delayed.line;
    delayed.holds--;
    delayed.releasedAt = clock.micros();
    // The row of a symbol without a tick may be another symbol's afterwards.
    if (delayed.holds === 0 && !table.hasTicked(live)) this.#end(delayed);
    table.release(live);
  }

  delayOf(row: number): number {
    const { handle } = this.#parts.table;
    return handle[row] === row ? 0 : (this.#delayed.get(row)?.delay ?? 0) / 1_000;
  }

  liveRowOf(row: number): number {
    return this.#parts.table.handle[row];
  }

  rowOf(live: number, delay: number): number {
    return this.#find(live, delay)?.row ?? -1;
  }

  rowsOf(live: number): readonly number[] {
    return this.#lines.get(live)?.rows.map(({ row }) => row) ?? NO_ROWS;
  }

  note(live: number, changed: number): void {
    if (this.#lines.size === 0) return;
    const marks = ((changed & GAP) > 0 ? MISSED : 0) | ((changed & RESET) > 0 ? RESTARTED : 0);
    this.#lines.get(live)?.line.note(marks);
  }

  /** Takes samples, and shows those that are old enough. */
  step(): void {
    const now = this.#parts.clock.micros();
    this.#compareWithPolicy(now);
    const interval = this.#parts.settings.delaySampleInterval * 1_000;
    for (const { line, rows } of this.#lines.values())
      if (line.isChanged && now - line.sampledAt >= interval) this.#sample(line, rows, now);
    for (const delayed of this.#delayed.values()) {
      this.#show(delayed, now);
      const isUnused = delayed.holds === 0 && !delayed.isRecorded;
      if (isUnused && now - delayed.releasedAt > delayed.delay) this.#end(delayed);
    }
  }

  #sample(line: DelayLine, rows: readonly DelayedRow[], now: number): void {
    line.sample(
      this.#parts.table,
      now,
      rows.reduce((first, { next }) => Math.min(first, next), line.end),
    );
  }

  #compareWithPolicy(now: number): void {
    const { table } = this.#parts;
    const end = Math.min(table.knownCount, this.#compared + COMPARED_SYMBOLS);
    for (; this.#compared < end; this.#compared++) {
      const live = table.known[this.#compared];
      const delay = this.#longestDelay(table.symbols[live]);
      if (delay === 0) continue;
      const delayed = this.#find(live, delay) ?? this.#create(live, delay, now);
      if (delayed) delayed.isRecorded = true;
    }
  }

  /** Shows the newest of the samples that are old enough. */
  #show(delayed: DelayedRow, now: number): void {
    const { row, line, delay, next } = delayed;
    const until = now - delay;
    let last = Math.max(next, line.start);
    if (line.fromOf(last) > until) return;
    while (line.fromOf(last + 1) <= until) last++;
    delayed.next = last + 1;
    const { table, deliver } = this.#parts;
    const seq = table.seq[row];
    const changed = line.show(table, row, last, line.marksOf(next, last), now);
    if ((changed & TICKED) > 0) deliver(row, seq);
  }

  #find(live: number, delay: number): DelayedRow | undefined {
    return this.#lines.get(live)?.rows.find((delayed) => delayed.delay === delay * 1_000);
  }

  #create(live: number, delay: number, now: number): DelayedRow | undefined {
    const { table, settings } = this.#parts;
    const found = this.#lines.get(live);
    const capacity = Math.max(this.#capacityOf(delay), found?.line.capacity ?? 0);
    const bytes = capacity * SAMPLE_BYTES - (found?.line.bytes ?? 0);
    const hasRoom = this.#delayed.size < settings.maxDelayedRows && this.bytes + bytes <= settings.maxDelayBytes;
    const row = hasRoom ? table.addDelayed(live, now) : -1;
    if (row < 0) {
      this.refused++;
      return undefined;
    }
    this.bytes += bytes;
    const line = this.#lineOf(live, capacity, now);
    const rows = this.#lines.get(live)?.rows ?? [];
    const delayed = { row, line, delay: delay * 1_000, holds: 0, isRecorded: false, releasedAt: now, next: line.start };
    rows.push(delayed);
    this.#lines.set(live, { line, rows });
    this.#delayed.set(row, delayed);
    this.#show(delayed, now);
    return delayed;
  }

  /** The line of a live row, at least so long. */
  #lineOf(live: number, capacity: number, now: number): DelayLine {
    const found = this.#lines.get(live);
    if (found && found.line.capacity >= capacity) return found.line;
    const line = new DelayLine(live, capacity);
    if (!found) {
      line.sample(this.#parts.table, now, 0);
      return line;
    }
    line.copyFrom(found.line);
    found.rows = found.rows.map((delayed) => ({ ...delayed, line }));
    for (const delayed of found.rows) this.#delayed.set(delayed.row, delayed);
    return line;
  }

  #end({ row, line }: DelayedRow): void {
    this.#delayed.delete(row);
    const entry = this.#lines.get(line.live);
    if (entry) entry.rows = entry.rows.filter((each) => each.row !== row);
    if (entry?.rows.length === 0) {
      this.#lines.delete(line.live);
      this.bytes -= line.bytes;
    }
    this.#parts.table.freeDelayed(row);
  }

  /** Samples that a line must keep for a delay, ms. */
  #capacityOf(delay: number): number {
    return Math.ceil(delay / this.#parts.settings.delaySampleInterval) + 2;
  }
}

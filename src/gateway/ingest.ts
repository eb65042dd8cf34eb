/** Applies the records of the bus to the market table, counts them, and delivers ticks to topics. */

import type { Clock } from "../base/clock.ts";
import { LIVE, STALE } from "../base/tick.ts";
import type { BusListener } from "../bus/bus.ts";
import type { BusRecord } from "../market/bus_record.ts";
import { GAP, IGNORED, OUTDATED, RESET, RESTATED, type RowTable, TICKED } from "../market/gateway_table.ts";
import type { GatewayCounts } from "./counts.ts";
import type { DelayedRows } from "./delay/delayed_rows.ts";
import type { TopicIndex } from "./fanout/topic_index.ts";
import type { Tracer } from "./latency/tracer.ts";

/** Why symbols are stale whose stream is silent: the gateway says so, not their feed. */
const SILENCE = "nothing heard from the feed";

export class Ingest implements BusListener {
  readonly #table: RowTable;
  readonly #topics: TopicIndex;
  readonly #counts: GatewayCounts;
  readonly #clock: Clock;
  readonly #tracer: Tracer | undefined;
  readonly #delays: DelayedRows | undefined;
  /** Since when streams are silent, by stream; undefined for those that are not. */
  readonly #silentSince: (number | undefined)[] = [];
  /** By row, 1 where the symbol is stale only because its stream is silent: it is live again when the stream is. */
  readonly #isSilenced: Uint8Array;
  /** The time of the current batch, microseconds; 0 between batches. The clock is read once per batch. */
  #now = 0;

  constructor(
    table: RowTable,
    topics: TopicIndex,
    counts: GatewayCounts,
    clock: Clock,
    tracer?: Tracer,
    delays?: DelayedRows,
  ) {
    this.#table = table;
    this.#isSilenced = new Uint8Array(table.limit);
    this.#topics = topics;
    this.#counts = counts;
    this.#clock = clock;
    this.#tracer = tracer;
    this.#delays = delays;
  }

  record(record: BusRecord): number {
    const counts = this.#counts;
    const table = this.#table;
    counts.recordsIn++;
    if (this.#now === 0) this.#now = this.#clock.micros();
    const silentSince = this.#silentSince[record.stream];
    const isSilenced = silentSince !== undefined && record.state === LIVE;
    if (isSilenced) {
      // The record is from the store: its feed is not heard any more, or has not been heard yet.
      record.state = STALE;
      record.since = silentSince;
      record.reason = SILENCE;
    }
    const row = this.#rowOf(record);
    if (row < 0) {
      counts.recordsRefused++;
      return row;
    }
    const seqBefore = table.seq[row];
    const changed = table.applyAt(row, record, this.#now);
    if (changed !== IGNORED && changed !== OUTDATED) this.#delays?.note(row, changed);
    if (changed === IGNORED || changed === OUTDATED) counts.recordsIgnored++;
    if (changed !== OUTDATED) this.#isSilenced[row] = isSilenced ? 1 : 0;
    if ((changed & TICKED) === 0) return row;
    counts.ticksIn += seqBefore > 0 && record.seq > seqBefore ? record.seq - seqBefore : 1;
    if ((changed & GAP) > 0) counts.gaps++;
    if ((changed & RESET) > 0) counts.resets++;
    const age = table.sourceTime[row] + table.feedTime[row] + table.busTime[row];
    // A tick that was read from the store has no age of its own.
    if (!Number.isNaN(record.sentAt) && !Number.isNaN(age)) record.feed.inboundAge.sample(age);
    if (this.#tracer?.isActive) this.#tracer.traceApplied(row);
    this.#topics.deliver(row, seqBefore);
    return row;
  }

  batchEnd(): void {
    this.#now = 0;
  }

  silent(stream: number, sinceMicros: number): void {
    if (this.#silentSince[stream] === sinceMicros) return;
    this.#silentSince[stream] = sinceMicros;
    const table = this.#table;
    for (let row = 0; row < table.rows; row++) {
      if (table.stream[row] !== stream) continue;
      if (table.state[row] !== LIVE && this.#isSilenced[row] === 0) continue;
      this.#isSilenced[row] = 1;
      table.restate(row, STALE, sinceMicros, SILENCE);
      this.#delays?.note(row, RESTATED);
    }
  }

  speaking(stream: number): void {
    if (this.#silentSince[stream] === undefined) return;
    this.#silentSince[stream] = undefined;
    const table = this.#table;
    const now = this.#clock.micros();
    for (let row = 0; row < table.rows; row++) {
      if (table.stream[row] !== stream || this.#isSilenced[row] === 0) continue;
      this.#isSilenced[row] = 0;
      table.restate(row, LIVE, now, "");
      this.#delays?.note(row, RESTATED);
    }
  }

  #rowOf({ row, symbol }: BusRecord): number {
    return row >= 0 && this.#table.symbols[row] === symbol ? row : this.#table.add(symbol);
  }
}

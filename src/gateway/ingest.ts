/** Applies the records of the bus to the market table, counts them, and delivers ticks to the topic index. */

import type { Clock } from "../base/clock.ts";
import { LIVE, STALE } from "../base/tick.ts";
import type { BusListener, BusRecord } from "../bus/bus.ts";
import { IGNORED, type MarketTable, TICKED } from "../market/table.ts";
import type { GatewayCounts } from "./counts.ts";
import type { TopicIndex } from "./fanout/topic_index.ts";
import { Tracer } from "./latency/tracer.ts";

/** Why symbols are stale whose stream is silent: the gateway says so, not the feed. */
const SILENCE = "nothing heard from the feed";

export class Ingest implements BusListener {
  readonly #table: MarketTable;
  readonly #topics: TopicIndex;
  readonly #counts: GatewayCounts;
  readonly #clock: Clock;
  readonly #tracer: Tracer;
  /** Since when streams are silent, by stream; undefined where they are not. */
  readonly #silentSince: (number | undefined)[] = [];
  /** By row, 1 where the gateway made the symbol stale and not its feed: it is live again when its stream is heard. */
  readonly #isSilenced: Uint8Array;
  /** The time of the current batch, microseconds; 0 between batches: the clock is read once for each batch. */
  #now = 0;

  constructor(table: MarketTable, topics: TopicIndex, counts: GatewayCounts, clock: Clock, tracer = new Tracer(table)) {
    this.#table = table;
    this.#isSilenced = new Uint8Array(table.limit);
    this.#topics = topics;
    this.#counts = counts;
    this.#clock = clock;
    this.#tracer = tracer;
  }

  record(record: BusRecord): void {
    const counts = this.#counts;
    const table = this.#table;
    counts.recordsIn++;
    if (this.#now === 0) this.#now = this.#clock.micros();
    const silentSince = this.#silentSince[record.stream];
    const isSilenced = silentSince !== undefined && record.state === LIVE;
    if (isSilenced) {
      // Read from the store: the last record of a feed that is not heard any more, or has not been heard yet.
      record.state = STALE;
      record.since = silentSince;
      record.reason = SILENCE;
    }
    const row = this.#rowOf(record);
    record.row = row;
    if (row < 0) {
      counts.recordsRefused++;
      return;
    }
    const seqBefore = table.seq[row];
    const statusBefore = table.statusClock;
    const news = table.applyAt(row, record, this.#now);
    if (news === IGNORED) counts.recordsIgnored++;
    // Unless the record is older than the row, and was ignored.
    if (table.seq[row] === record.seq && table.epoch[row] === record.epoch) this.#isSilenced[row] = isSilenced ? 1 : 0;
    if (news !== TICKED) return;
    counts.ticksIn += seqBefore > 0 && record.seq > seqBefore ? record.seq - seqBefore : 1;
    if (table.statusClock !== statusBefore) this.#countStatus(row);
    const age = table.sourceTime[row] + table.feedTime[row] + table.busTime[row];
    // What was read from the store has no time of its own.
    if (!Number.isNaN(record.sentAt) && !Number.isNaN(age)) record.feed.inboundAge.sample(age);
    if (this.#tracer.isActive) this.#tracer.traceApplied(row);
    this.#topics.deliver(row, seqBefore);
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
    }
  }

  #rowOf({ row, symbol }: BusRecord): number {
    return row >= 0 && this.#table.symbols[row] === symbol ? row : this.#table.add(symbol);
  }

  #countStatus(row: number): void {
    const table = this.#table;
    if (table.gapVersion[row] === table.version[row]) this.#counts.gaps++;
    else if (table.resetVersion[row] === table.version[row]) this.#counts.resets++;
  }
}

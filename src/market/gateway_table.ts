/** A market table of a gateway: applies the records of the bus, and holds rows for symbols that clients wait for. */
import { copied } from "../base/enlarged_array.ts";
import { STALE } from "../base/tick.ts";
import type { BusRecord } from "./bus_record.ts";
import type { Heap } from "./heap.ts";
import type { Payload } from "./payload.ts";
import { QuotePayload } from "./quote/quote_payload.ts";
import { MarketTable } from "./table.ts";

/** What {@link GatewayTable.apply} changed: none, or several of these bits. */
export const IGNORED = 0;
/** The values, or at least `seq`. */
export const TICKED = 1;
/** The state or its reason. */
export const RESTATED = 2;
/** With `TICKED`: ticks before this one were missed. */
export const GAP = 4;
/** With `TICKED`: `seq` did not increase. */
export const RESET = 8;
/** Nothing: the row has a later epoch, or in this epoch a later `seq`. */
export const OUTDATED = 16;
/** Nothing: there is no row left for the symbol. */
export const FULL = 32;
/** The row has got something of before its newest tick. */
export const PAST_ADDED = 64;

/** Why a row that shows a symbol late is stale: nothing that it may show is known yet. */
export const DELAYED = "delayed";

/** What a row shows that is late: see {@link GatewayTable.show}. */
export interface Shown {
  /** Whether there was a tick. */
  readonly hasTick: boolean;
  /** The tick and the state. */
  readonly record: BusRecord;
  /** Whether ticks before it were missed, and whether `seq` does not continue. */
  readonly isMissed: boolean;
  readonly isRestarted: boolean;
}

/** Why a symbol is stale that has not been published yet. */
export const UNKNOWN = "unknown";

/** A table of any channel: most of the gateway works on rows, and does not know what they hold. */
export type RowTable = GatewayTable<Payload>;

/** Without another payload: of quotes. */
export class GatewayTable<P extends Payload = QuotePayload> extends MarketTable<P> {
  epoch: Float64Array = new Float64Array(0);
  /**
   * How long the tick took before it was applied here, by stage, in microseconds and never negative. Each is a
   * difference of two times of one clock, or of two clocks after correction, so that readers need not know about
   * clocks. This one is from the event to the feed adapter's receipt.
   */
  sourceTime: Float32Array = new Float32Array(0);
  /** From the receipt to the making of the batch. */
  feedTime: Float32Array = new Float32Array(0);
  /**
   * From the making of the batch to this table. NaN for a tick that may have been in the last-value store for hours:
   * the first one of a symbol here, and one that was read from the store without having been missed.
   */
  busTime: Float32Array = new Float32Array(0);
  /** 1 where the tick is the first one here and came from the last-value store: it may have been there for hours. */
  isFromStore: Uint8Array = new Uint8Array(0);
  /** The clock when ticks of the symbol were last missed and healed; 0 for never. */
  gapVersion: Float64Array = new Float64Array(0);
  /** The clock when `seq` last did not increase; 0 for never. */
  resetVersion: Float64Array = new Float64Array(0);
  /** The stream of the bus that carries the symbol; -1 before its first record. */
  stream: Int32Array = new Int32Array(0);
  /** How many {@link hold}s a symbol without a tick has. */
  #awaited: Int32Array = new Int32Array(0);
  /** Rows that are held for symbols that have had no tick. */
  awaitedRows = 0;

  /** @param heap of all tables whose ticks may be in one frame */
  constructor(limit: number, payload = new QuotePayload() as Payload as P, heap?: Heap, firstHandle = 0) {
    super(limit, payload, heap, firstHandle);
    this.growOwn(this.capacity);
  }

  /**
   * Holds a row for a symbol that may have had no tick yet, until as many calls of {@link release}. Until its first
   * tick such a symbol is stale, with the reason {@link UNKNOWN}.
   * @param now when that state begins, microseconds since the Unix epoch
   * @returns the row, or -1 when the table is full or `mostAwaited` rows are held already.
   */
  hold(symbol: string, mostAwaited: number, now: number): number {
    let row = this.rowOf(symbol);
    if (row >= 0 && this.hasTicked(row)) return row;
    if (row < 0) {
      if (this.awaitedRows >= mostAwaited) return -1;
      row = this.add(symbol);
      if (row < 0) return -1;
      this.#startStale(row, now, UNKNOWN);
    }
    if (this.#awaited[row]++ === 0) this.awaitedRows++;
    return row;
  }

  /** Takes back one {@link hold}. A row without holds that never had a tick becomes free for another symbol. */
  release(row: number): void {
    if (this.hasTicked(row) || this.#awaited[row] === 0) return;
    if (--this.#awaited[row] > 0) return;
    this.awaitedRows--;
    this.free(row);
  }

  /**
   * Adds a row that shows a live row late. Until it shows something it is stale, with the reason {@link DELAYED}.
   * @param now when that state begins, microseconds since the Unix epoch
   * @returns the row, or -1 when the table is full
   */
  addDelayed(live: number, now: number): number {
    const row = this.addTwin(live);
    if (row < 0) return -1;
    this.#startStale(row, now, DELAYED);
    this.stream[row] = -1;
    return row;
  }

  /** Makes a row of {@link addDelayed} available again. Nobody holds it any more. */
  freeDelayed(row: number): void {
    this.gapVersion[row] = this.resetVersion[row] = 0;
    this.freeTwin(row);
  }

  /**
   * Shows in a row of {@link addDelayed} what its live row showed some time ago. Its times count in no measurement.
   * @param now microseconds since the Unix epoch
   * @returns the bits of what changed
   */
  show(row: number, { record, hasTick, isMissed, isRestarted }: Shown, now: number): number {
    const isFirst = !this.hasTicked(row);
    let changed = IGNORED;
    if (hasTick && (isFirst || record.seq !== this.seq[row] || !this.equals(row, record))) {
      this.payload.write(row, record, now);
      this.setTick(row, record.seq, record.eventTime);
      this.appliedAt[row] = now;
      this.sourceTime[row] = this.feedTime[row] = this.busTime[row] = Number.NaN;
      changed = TICKED;
    }
    if (!isFirst && isRestarted) this.resetVersion[row] = this.statusClock = ++this.clock;
    else if (!isFirst && isMissed) this.gapVersion[row] = this.statusClock = ++this.clock;
    if (record.state !== this.state[row] || record.reason !== this.reasons[row]) {
      this.restate(row, record.state, record.since, record.reason);
      changed |= RESTATED;
    }
    return changed;
  }

  /**
   * Applies a record of the bus. A larger epoch wins over a smaller one, within an epoch a larger `seq`.
   * @param now microseconds since the Unix epoch, for `appliedAt`
   * @returns the bits of what changed
   */
  apply(record: BusRecord, now = 0): number {
    const row = this.add(record.symbol);
    return row < 0 ? FULL : this.applyAt(row, record, now);
  }

  /** As {@link apply}, where the row is known already: to search for it costs more than the rest. */
  applyAt(row: number, record: BusRecord, now: number): number {
    const isFirst = !this.hasTicked(row);
    const seq = this.seq[row];
    const epoch = this.epoch[row];
    if (record.epoch < epoch || (record.epoch === epoch && record.seq < seq))
      return this.payload.writeOlder?.(row, record) ? PAST_ADDED : OUTDATED;
    this.epoch[row] = record.epoch;
    this.stream[row] = record.stream;
    let changed = IGNORED;
    // A leader that took over from a store that had lost writes uses a number a second time, for other values.
    if (isFirst || record.seq !== seq || (record.epoch > epoch && !this.equals(row, record))) {
      const stateVersion = this.stateVersion[row];
      this.payload.write(row, record, now);
      this.setTick(row, record.seq, record.eventTime);
      this.appliedAt[row] = now;
      this.#setTimes(row, record, now, isFirst);
      changed = TICKED;
      if (isFirst) {
        this.#stopAwaiting(row);
        if (this.stateVersion[row] !== stateVersion) changed |= RESTATED;
      } else if (record.seq <= seq) {
        this.resetVersion[row] = this.statusClock = this.clock;
        changed |= RESET;
      } else if (this.payload.keepsEach) {
        // Each client is told of its own gap, before what follows it.
        if (record.seq > seq + 1) {
          this.statusClock = this.clock;
          changed |= GAP;
        }
      } else if (record.healed) {
        this.gapVersion[row] = this.statusClock = this.clock;
        changed |= GAP;
      }
    }
    if (record.state !== this.state[row] || record.reason !== this.reasons[row]) {
      // 0 says "always": for a client that has seen another state, the state begins now.
      this.restate(row, record.state, record.since > 0 ? record.since : now, record.reason);
      changed |= RESTATED;
    }
    return changed;
  }

  /** The first state of a new row. No client can have been sent another one: no version changes. */
  #startStale(row: number, now: number, reason: string): void {
    this.state[row] = STALE;
    this.since[row] = now;
    this.reasons[row] = reason;
  }

  /** Notes how long the stages of a tick's way took, until `now`. */
  #setTimes(row: number, record: BusRecord, now: number, isFirst: boolean): void {
    const { receivedAt, sentAt } = record;
    const isStored = Number.isNaN(sentAt);
    // A tick that was lost on the way and had to be read from the store has taken so long for its clients too.
    const leftAt = isStored ? receivedAt : sentAt;
    const isKnown = !isFirst && (!isStored || record.healed);
    this.isFromStore[row] = isFirst && isStored ? 1 : 0;
    this.sourceTime[row] = Math.max(0, receivedAt - record.eventTime);
    this.feedTime[row] = Math.max(0, leftAt - receivedAt);
    this.busTime[row] = isKnown ? Math.max(0, now - leftAt + record.feed.correction) : Number.NaN;
  }

  #stopAwaiting(row: number): void {
    if (this.#awaited[row] === 0) return;
    this.#awaited[row] = 0;
    this.awaitedRows--;
  }

  protected override growOwn(capacity: number): void {
    const before = this.stream.length;
    this.epoch = copied(new Float64Array(capacity), this.epoch);
    this.sourceTime = copied(new Float32Array(capacity), this.sourceTime);
    this.feedTime = copied(new Float32Array(capacity), this.feedTime);
    this.busTime = copied(new Float32Array(capacity), this.busTime);
    this.isFromStore = copied(new Uint8Array(capacity), this.isFromStore);
    this.gapVersion = copied(new Float64Array(capacity), this.gapVersion);
    this.resetVersion = copied(new Float64Array(capacity), this.resetVersion);
    this.stream = copied(new Int32Array(capacity), this.stream).fill(-1, before);
    this.#awaited = copied(new Int32Array(capacity), this.#awaited);
  }
}

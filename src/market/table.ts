/**
 * The market table: every symbol's latest tick in typed arrays, a row a symbol. A publisher merges its feed's partial
 * ticks into one; a gateway applies the bus's records to one. Arrays are public because the hot paths read them;
 * only this file writes them. They are replaced when the table grows: read them from the table at each use.
 */

import { copied } from "../base/copied.ts";
import { FIELD_COUNT, LIVE, STALE, type TickPatch } from "../base/tick.ts";
import type { BusRecord } from "./bus_record.ts";
import { Heap, HeapFull } from "./heap.ts";
import { markOf } from "./mark.ts";
import { SymbolIndex } from "./symbol_index.ts";

/** What {@link MarketTable.apply} made of a record. */
export const IGNORED = 0;
/** The values are news. */
export const TICKED = 1;
/** Only the state is news. */
export const RESTATED = 2;
/** There is no row left for the symbol. */
export const FULL = 3;

const FIRST_CAPACITY = 1_024;

/** Why a symbol is stale that nobody has published yet. */
export const UNKNOWN = "unknown";

/** Why a symbol is stale that a publisher knows from the store alone: its source may be cut, or not have it any more. */
export const NOT_HEARD = "nothing heard of it since the feed started";

export class MarketTable {
  /** Where marks and {@link version} are, with what else a pass works on. */
  readonly heap = new Heap();
  /** The addresses of a Uint32Array of marks (mark.ts), and of {@link version}. */
  markAt = 0;
  versionAt = 0;
  #capacity = 0;
  /** The most rows. A row costs about 200 bytes here. */
  readonly limit: number;
  /** Counts every change of any row: a value of it is a moment in the life of the market. */
  clock = 0;
  /** The clock at the last change of any row's state or gap. */
  statusClock = 0;
  /** Rows in use or used before: every row is below. */
  rows = 0;
  /** The symbol of each row. */
  readonly symbols: string[] = [];
  /** The rows that have had a tick, in the order in which they had their first; see {@link knownCount}. */
  known: Int32Array = new Int32Array(0);
  /** How many of {@link known} count. */
  knownCount = 0;

  /** The number of the latest tick at the publisher. Whether there has been one, {@link hasTicked} says. */
  seq: Float64Array = new Float64Array(0);
  epoch: Float64Array = new Float64Array(0);
  /** Microseconds since the Unix epoch. */
  eventTime: Float64Array = new Float64Array(0);
  /** When the tick came into this table, microseconds since the Unix epoch: at a publisher its receipt, NaN where that is not known. */
  appliedAt: Float64Array = new Float64Array(0);
  /**
   * Gateway: where the tick's time went before it was applied here, by stage, in microseconds and never negative. Each is a
   * difference of two times of one clock, or of two clocks less what they are known to differ by, so that nobody after
   * this has to know of clocks. From the event to the feed adapter's receipt.
   */
  sourceTime: Float32Array = new Float32Array(0);
  /** From the receipt to the making of the batch; with {@link sourceTime} the publisher's. */
  feedTime: Float32Array = new Float32Array(0);
  /**
   * From the making of the batch to this table. NaN where it says nothing of how fast anything is: the first that was
   * heard of the symbol, or what was read from the last-value store without having been missed, may have rested there for
   * hours.
   */
  busTime: Float32Array = new Float32Array(0);
  /** `FIELD_COUNT` values a row; NaN where not known. */
  values: Float64Array = new Float64Array(0);
  /** The clock when the values last changed; what encoded bytes are compared with. */
  version: Float64Array = new Float64Array(0);
  /** `LIVE`, `STALE` or `CLOSED`. */
  state: Uint8Array = new Uint8Array(0);
  /** Since when it stands so, microseconds since the Unix epoch. */
  since: Float64Array = new Float64Array(0);
  /** Why it stands so. */
  readonly reasons: string[] = [];
  /** The clock when the state last changed. */
  stateVersion: Float64Array = new Float64Array(0);
  /** The clock when ticks of the symbol were last missed and healed; 0 for never. */
  gapVersion: Float64Array = new Float64Array(0);
  /** The clock when `seq` last went back; 0 for never. */
  resetVersion: Float64Array = new Float64Array(0);
  /** The bus's stream that the symbol comes on; -1 where there has been none. */
  stream: Int32Array = new Int32Array(0);

  readonly #rowOf = new Map<string, number>();
  readonly #index = new SymbolIndex(this);
  /** 1 where the symbol has had a tick. Not derived from `seq`, which is what a publisher says. */
  #ticked: Uint8Array = new Uint8Array(0);
  /** How many wait for a symbol that has had no tick. */
  #awaited: Int32Array = new Int32Array(0);
  readonly #free: number[] = [];
  /** Rows that are held for symbols that have had no tick. */
  awaitedRows = 0;

  constructor(limit: number) {
    this.limit = limit;
    this.heap.onGrow(() => this.#look());
    this.#grow(Math.min(FIRST_CAPACITY, limit));
  }

  /** The symbol's row, or -1. */
  rowOf(symbol: string): number {
    return this.#rowOf.get(symbol) ?? -1;
  }

  /** Whether the row's symbol has had a tick; such a row keeps its symbol for as long as the table exists. */
  hasTicked(row: number): boolean {
    return this.#ticked[row] === 1;
  }

  /** The rows of {@link known}, ordered by symbol; see {@link SymbolIndex.sorted}. */
  sortedKnown(): Int32Array {
    return this.#index.sorted();
  }

  /** The symbol's row, a new one where there was none, or -1 when the table is full. */
  add(symbol: string): number {
    const found = this.#rowOf.get(symbol);
    if (found !== undefined) return found;
    let row = this.#free.pop();
    if (row === undefined) {
      if (this.rows === this.limit) return -1;
      if (this.rows === this.seq.length && !this.#tryGrow()) return -1;
      row = this.rows++;
    }
    this.symbols[row] = symbol;
    this.reasons[row] = "";
    this.state[row] = LIVE;
    this.since[row] = 0;
    this.epoch[row] = 0;
    this.seq[row] = 0;
    this.values.fill(Number.NaN, row * FIELD_COUNT, (row + 1) * FIELD_COUNT);
    this.stream[row] = -1;
    this.#rowOf.set(symbol, row);
    return row;
  }

  /**
   * Holds a row for a symbol that may have had no tick yet, until as many calls of {@link release}. Until its first tick
   * such a symbol is stale, with the reason {@link UNKNOWN}.
   * @param now since when it is, microseconds since the Unix epoch
   * @returns the row, or -1 when the table is full or `mostAwaited` rows are held already.
   */
  hold(symbol: string, mostAwaited: number, now: number): number {
    let row = this.rowOf(symbol);
    if (row >= 0 && this.hasTicked(row)) return row;
    if (row < 0) {
      if (this.awaitedRows >= mostAwaited) return -1;
      row = this.add(symbol);
      if (row < 0) return -1;
      // Nobody can have been sent another state of a row that is new: no version changes.
      this.state[row] = STALE;
      this.since[row] = now;
      this.reasons[row] = UNKNOWN;
    }
    if (this.#awaited[row]++ === 0) this.awaitedRows++;
    return row;
  }

  /** Takes back one {@link hold}; a row that nobody waits for and that never had a tick is free for another symbol. */
  release(row: number): void {
    if (this.hasTicked(row) || this.#awaited[row] === 0) return;
    if (--this.#awaited[row] > 0) return;
    this.awaitedRows--;
    this.#rowOf.delete(this.symbols[row]);
    this.symbols[row] = "";
    this.#free.push(row);
  }

  /**
   * Publisher: merges what a message told into the symbol's values, and counts the tick.
   * @param eventTime microseconds since the Unix epoch
   * @param receivedAt when the tick was received, microseconds since the Unix epoch; NaN where that is not known
   */
  merge(row: number, patch: TickPatch, eventTime: number, receivedAt = Number.NaN): void {
    const base = row * FIELD_COUNT;
    const { values } = this;
    // In the order of FIELDS. Read by a name that changes, a field would take several times as long.
    put(values, base, patch.bid);
    put(values, base + 1, patch.bidSize);
    put(values, base + 2, patch.ask);
    put(values, base + 3, patch.askSize);
    put(values, base + 4, patch.last);
    put(values, base + 5, patch.lastSize);
    put(values, base + 6, patch.open);
    put(values, base + 7, patch.high);
    put(values, base + 8, patch.low);
    put(values, base + 9, patch.volume);
    this.#setTick(row, this.seq[row] + 1, eventTime);
    this.appliedAt[row] = receivedAt;
  }

  /** The symbol's state from now on. @param since microseconds since the Unix epoch */
  restate(row: number, state: number, since: number, reason: string): void {
    this.state[row] = state;
    this.since[row] = since;
    this.reasons[row] = reason;
    this.stateVersion[row] = this.statusClock = ++this.clock;
  }

  /**
   * Applies a record from the bus. A larger epoch wins over a smaller one, within an epoch a larger `seq`; what has
   * lost is ignored.
   * @param now microseconds since the Unix epoch, for `appliedAt`
   * @returns `TICKED`, `RESTATED`, `IGNORED` or `FULL`
   */
  apply(record: BusRecord, now = 0): number {
    const row = this.add(record.symbol);
    return row < 0 ? FULL : this.applyAt(row, record, now);
  }

  /** As {@link apply}, for who knows the symbol's row already: looking it up is the dearest part. */
  applyAt(row: number, record: BusRecord, now: number): number {
    const isFirst = !this.hasTicked(row);
    const seq = this.seq[row];
    const epoch = this.epoch[row];
    if (record.epoch < epoch || (record.epoch === epoch && record.seq < seq)) return IGNORED;
    this.epoch[row] = record.epoch;
    this.stream[row] = record.stream;
    let news = IGNORED;
    // A leader that took over from a store that had lost writes gives a number a second time, to other values.
    if (isFirst || record.seq !== seq || (record.epoch > epoch && !this.#equals(row, record))) {
      const base = row * FIELD_COUNT;
      for (let index = 0; index < FIELD_COUNT; index++)
        this.values[base + index] = record.values[record.offset + index];
      this.#setTick(row, record.seq, record.eventTime);
      this.appliedAt[row] = now;
      this.#timed(row, record, now, isFirst);
      news = TICKED;
      if (!isFirst && record.seq <= seq) this.resetVersion[row] = this.statusClock = this.clock;
      else if (!isFirst && record.healed) this.gapVersion[row] = this.statusClock = this.clock;
    }
    if (record.state !== this.state[row] || record.reason !== this.reasons[row]) {
      // 0 says "always": to a client that has seen another state it is a change that it learns of now.
      this.restate(row, record.state, record.since > 0 ? record.since : now, record.reason);
      if (news === IGNORED) news = RESTATED;
    }
    return news;
  }

  /**
   * Publisher: takes a symbol over from the last-value store, so that `seq` carries on. What the publisher has heard
   * itself stands, unless the store has something later; then it is one tick more than the store's.
   * @returns whether the store must be told how the symbol stands now
   */
  adopt(record: BusRecord): boolean {
    const row = this.add(record.symbol);
    if (row < 0) return false;
    const isNew = !this.hasTicked(row);
    const isLater = !isNew && this.eventTime[row] >= record.eventTime && !this.#equals(row, record);
    if (!isLater) {
      this.appliedAt[row] = record.receivedAt;
      const base = row * FIELD_COUNT;
      for (let index = 0; index < FIELD_COUNT; index++)
        this.values[base + index] = record.values[record.offset + index];
    }
    this.#setTick(row, isLater ? record.seq + 1 : record.seq, isLater ? this.eventTime[row] : record.eventTime);
    // The state is for the one to say who is connected to the source, and this publisher has not heard the symbol yet.
    if (isNew && record.state === LIVE) this.restate(row, STALE, lastHeard(record), NOT_HEARD);
    else if (isNew) this.restate(row, record.state, record.since, record.reason);
    return isLater || this.state[row] !== record.state || this.reasons[row] !== record.reason;
  }

  #equals(row: number, record: BusRecord): boolean {
    if (this.eventTime[row] !== record.eventTime) return false;
    const base = row * FIELD_COUNT;
    for (let index = 0; index < FIELD_COUNT; index++)
      if (!Object.is(this.values[base + index], record.values[record.offset + index])) return false;
    return true;
  }

  /** Fills the part of a record that the table knows: all but epoch, stream and whether it was healed. */
  read(row: number, record: BusRecord): void {
    record.symbol = this.symbols[row];
    record.seq = this.seq[row];
    record.eventTime = this.eventTime[row];
    record.receivedAt = this.appliedAt[row];
    record.state = this.state[row];
    record.since = this.since[row];
    record.reason = this.reasons[row];
    record.values = this.values;
    record.offset = row * FIELD_COUNT;
  }

  /** Notes where the time of a tick went until `now`. */
  #timed(row: number, record: BusRecord, now: number, isFirst: boolean): void {
    const { receivedAt, sentAt } = record;
    const isStored = Number.isNaN(sentAt);
    // One that was lost on the way and had to be read from the store has taken so long for its client too.
    const leftAt = isStored ? receivedAt : sentAt;
    const isKnown = !isFirst && (!isStored || record.healed);
    this.sourceTime[row] = Math.max(0, receivedAt - record.eventTime);
    this.feedTime[row] = Math.max(0, leftAt - receivedAt);
    this.busTime[row] = isKnown ? Math.max(0, now - leftAt + record.feed.correction) : Number.NaN;
  }

  #setTick(row: number, seq: number, eventTime: number): void {
    if (!this.hasTicked(row)) this.#first(row, eventTime);
    this.seq[row] = seq;
    this.heap.u32[(this.markAt >>> 2) + row] = markOf(seq);
    this.eventTime[row] = eventTime;
    this.version[row] = ++this.clock;
  }

  #growColumns(capacity: number): void {
    const { heap } = this;
    const before = this.#capacity;
    const markAt = heap.resize(this.markAt, before * 4, capacity * 4);
    try {
      this.versionAt = heap.resize(this.versionAt, before * 8, capacity * 8);
    } catch (error) {
      this.markAt = heap.resize(markAt, capacity * 4, before * 4);
      throw error;
    }
    this.markAt = markAt;
    this.#capacity = capacity;
    this.#look();
  }

  #look(): void {
    this.version = new Float64Array(this.heap.f64.buffer, this.versionAt, this.#capacity);
  }

  #first(row: number, eventTime: number): void {
    this.#ticked[row] = 1;
    this.known[this.knownCount++] = row;
    this.#index.appended();
    if (this.#awaited[row] > 0) {
      this.#awaited[row] = 0;
      this.awaitedRows--;
    }
    if (this.state[row] !== LIVE) this.restate(row, LIVE, eventTime, "");
  }

  /** Doubles the rows, up to the limit. @returns whether there was memory for it */
  #tryGrow(): boolean {
    try {
      this.#grow(Math.min(this.limit, this.seq.length * 2));
      return true;
    } catch (error) {
      if (error instanceof HeapFull) return false;
      throw error;
    }
  }

  #grow(capacity: number): void {
    // First what there may be no memory for.
    this.#growColumns(capacity);
    this.#ticked = copied(new Uint8Array(capacity), this.#ticked);
    this.known = copied(new Int32Array(capacity), this.known);
    this.seq = copied(new Float64Array(capacity), this.seq);
    this.epoch = copied(new Float64Array(capacity), this.epoch);
    this.eventTime = copied(new Float64Array(capacity), this.eventTime);
    this.appliedAt = copied(new Float64Array(capacity), this.appliedAt);
    this.sourceTime = copied(new Float32Array(capacity), this.sourceTime);
    this.feedTime = copied(new Float32Array(capacity), this.feedTime);
    this.busTime = copied(new Float32Array(capacity), this.busTime);
    this.values = copied(new Float64Array(capacity * FIELD_COUNT), this.values);
    this.state = copied(new Uint8Array(capacity), this.state);
    this.since = copied(new Float64Array(capacity), this.since);
    this.stateVersion = copied(new Float64Array(capacity), this.stateVersion);
    this.gapVersion = copied(new Float64Array(capacity), this.gapVersion);
    this.resetVersion = copied(new Float64Array(capacity), this.resetVersion);
    this.stream = copied(new Int32Array(capacity), this.stream);
    this.#awaited = copied(new Int32Array(capacity), this.#awaited);
  }
}

function lastHeard({ receivedAt, eventTime }: BusRecord): number {
  return Number.isNaN(receivedAt) ? eventTime : receivedAt;
}

function put(values: Float64Array, index: number, value: number | null | undefined): void {
  if (value !== undefined) values[index] = value ?? Number.NaN;
}

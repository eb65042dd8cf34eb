/**
 * The columns that every market table has: the latest tick of each symbol of one channel in typed arrays, one row per
 * symbol. What a tick of the channel consists of is in the table's payload. A publisher fills the columns from its feed
 * (publisher_table.ts), a gateway from the bus (gateway_table.ts). The arrays are public because the hot paths read
 * them; only the tables write them. They are replaced when the table grows: read them at each use.
 */

import { copied } from "../base/enlarged_array.ts";
import { LIVE } from "../base/tick.ts";
import type { BusRecord } from "./bus_record.ts";
import { Heap, HeapFull } from "./heap.ts";
import { MARK_BYTES, setMarkAt, VERSION_BYTES } from "./heap_layout.ts";
import type { Payload } from "./payload.ts";
import { MARKS, markOf } from "./seq_mark.ts";
import { SymbolIndex } from "./symbol_index.ts";

const FIRST_CAPACITY = 1_024;

export abstract class MarketTable<P extends Payload = Payload> {
  /** What the rows hold of their channel. */
  readonly payload: P;
  /** Holds marks and {@link version}, and all else that a flush works on. */
  readonly heap: Heap;
  /** The addresses of a Uint32Array of marks (mark.ts), and of {@link version}. */
  markAt = 0;
  versionAt = 0;
  #capacity = 0;
  /** The most rows. A row costs about 200 bytes here. */
  readonly limit: number;
  /** Counts every change of any row. A version is the value of this clock at a change. */
  clock = 0;
  /** The clock at the last change of any row's state or gap. */
  statusClock = 0;
  /** Every row in use is below this number. */
  rows = 0;
  /** The symbol of each row. */
  readonly symbols: string[] = [];
  /** The rows that have had a tick, in the order of their first ticks; {@link knownCount} of them. */
  known: Int32Array = new Int32Array(0);
  knownCount = 0;

  /** The row that shows the symbol live: itself, or another one. With {@link firstHandle} it names the row in ticks. */
  handle: Int32Array = new Int32Array(0);
  /** The handle of row 0: handles differ between channels. */
  readonly firstHandle: number;
  /** The number of the latest tick at the publisher; {@link hasTicked} says whether there has been one. */
  seq: Float64Array = new Float64Array(0);
  /** Microseconds since the Unix epoch. */
  eventTime: Float64Array = new Float64Array(0);
  /**
   * When the tick came into this table, microseconds since the Unix epoch. At a publisher: when it was received, NaN
   * where not known.
   */
  appliedAt: Float64Array = new Float64Array(0);
  /** The clock when the payload last changed; encoded bytes are compared with it. */
  version: Float64Array = new Float64Array(0);
  /** `LIVE`, `STALE` or `CLOSED`. */
  state: Uint8Array = new Uint8Array(0);
  /** When the state began, microseconds since the Unix epoch. */
  since: Float64Array = new Float64Array(0);
  /** The reason for the state. */
  readonly reasons: string[] = [];
  /** The clock when the state last changed. */
  stateVersion: Float64Array = new Float64Array(0);

  readonly #marks: number;
  readonly #rowOf = new Map<string, number>();
  readonly #index = new SymbolIndex(this);
  /** 1 where the symbol has had a tick. Not derived from `seq`, which a publisher may set to anything. */
  #ticked: Uint8Array = new Uint8Array(0);
  readonly #free: number[] = [];

  /** @param heap of all tables whose ticks may be in one frame */
  constructor(limit: number, payload: P, heap = new Heap(), firstHandle = 0) {
    this.limit = limit;
    this.payload = payload;
    this.#marks = payload.marks ?? MARKS;
    this.heap = heap;
    this.firstHandle = firstHandle;
    heap.onGrow(() => this.#viewVersions());
    this.#grow(Math.min(FIRST_CAPACITY, limit));
  }

  /** The number of rows that the columns have room for. */
  get capacity(): number {
    return this.#capacity;
  }

  /** The symbol's row, or -1. */
  rowOf(symbol: string): number {
    return this.#rowOf.get(symbol) ?? -1;
  }

  /** The mark of a number in this table. */
  markOf(seq: number): number {
    return markOf(seq, this.#marks);
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
    const row = this.#take(symbol);
    if (row >= 0) this.#rowOf.set(symbol, row);
    return row;
  }

  /** Another row of the symbol, which {@link rowOf} does not find. @returns -1 where the table is full */
  protected addTwin(of: number): number {
    const row = this.#take(this.symbols[of]);
    if (row >= 0) this.handle[row] = of;
    return row;
  }

  /** Makes such a row available again. */
  protected freeTwin(row: number): void {
    this.#ticked[row] = 0;
    setMarkAt(this.heap.u32, this.markAt, row, 0);
    this.handle[row] = row;
    this.symbols[row] = "";
    this.#free.push(row);
  }

  /** Takes a row for a symbol. @returns -1 where the table is full */
  #take(symbol: string): number {
    let row = this.#free.pop();
    if (row === undefined) {
      if (this.rows === this.limit) return -1;
      if (this.rows === this.#capacity && !this.#tryGrow()) return -1;
      row = this.rows++;
    }
    this.symbols[row] = symbol;
    this.handle[row] = row;
    this.reasons[row] = "";
    this.state[row] = LIVE;
    this.since[row] = 0;
    this.seq[row] = 0;
    this.payload.clear(row);
    return row;
  }

  /** Sets the state of the symbol. @param since microseconds since the Unix epoch */
  restate(row: number, state: number, since: number, reason: string): void {
    this.state[row] = state;
    this.since[row] = since;
    this.reasons[row] = reason;
    this.stateVersion[row] = this.statusClock = ++this.clock;
  }

  /** Makes a row that never had a tick available for another symbol. */
  protected free(row: number): void {
    this.#rowOf.delete(this.symbols[row]);
    this.symbols[row] = "";
    this.#free.push(row);
  }

  /** Notes a tick whose payload is in the row. The first one makes the symbol known, and live. */
  protected setTick(row: number, seq: number, eventTime: number): void {
    if (!this.hasTicked(row)) this.#setKnown(row, eventTime);
    this.seq[row] = seq;
    setMarkAt(this.heap.u32, this.markAt, row, markOf(seq, this.#marks));
    this.eventTime[row] = eventTime;
    this.version[row] = ++this.clock;
  }

  /** Whether a record has the event time and the payload of the row. */
  protected equals(row: number, record: BusRecord): boolean {
    return this.eventTime[row] === record.eventTime && this.payload.equals(row, record);
  }

  /** A subclass makes its own columns as long as these. */
  protected abstract growOwn(capacity: number): void;

  #setKnown(row: number, eventTime: number): void {
    this.#ticked[row] = 1;
    if (this.handle[row] === row) {
      this.known[this.knownCount++] = row;
      this.#index.appended();
    }
    if (this.state[row] !== LIVE) this.restate(row, LIVE, eventTime, "");
  }

  /** Doubles the rows, up to the limit. @returns whether there was memory for it */
  #tryGrow(): boolean {
    try {
      this.#grow(Math.min(this.limit, this.#capacity * 2));
    } catch (error) {
      if (error instanceof HeapFull) return false;
      throw error;
    }
    this.growOwn(this.#capacity);
    return true;
  }

  #grow(capacity: number): void {
    // First the part that fails when there is no memory.
    this.#growHeap(capacity);
    this.#ticked = copied(new Uint8Array(capacity), this.#ticked);
    this.known = copied(new Int32Array(capacity), this.known);
    this.handle = copied(new Int32Array(capacity), this.handle);
    this.seq = copied(new Float64Array(capacity), this.seq);
    this.eventTime = copied(new Float64Array(capacity), this.eventTime);
    this.appliedAt = copied(new Float64Array(capacity), this.appliedAt);
    this.payload.grow(capacity);
    this.state = copied(new Uint8Array(capacity), this.state);
    this.since = copied(new Float64Array(capacity), this.since);
    this.stateVersion = copied(new Float64Array(capacity), this.stateVersion);
  }

  #growHeap(capacity: number): void {
    const { heap } = this;
    const before = this.#capacity;
    const markAt = heap.resize(this.markAt, before * MARK_BYTES, capacity * MARK_BYTES);
    try {
      this.versionAt = heap.resize(this.versionAt, before * VERSION_BYTES, capacity * VERSION_BYTES);
    } catch (error) {
      this.markAt = heap.resize(markAt, capacity * MARK_BYTES, before * MARK_BYTES);
      throw error;
    }
    this.markAt = markAt;
    this.#capacity = capacity;
    this.#viewVersions();
  }

  #viewVersions(): void {
    this.version = new Float64Array(this.heap.f64.buffer, this.versionAt, this.#capacity);
  }
}

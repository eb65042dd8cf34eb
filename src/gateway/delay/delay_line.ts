/**
 * What one symbol showed in the recent past: a ring of samples, at most one for each sample interval, so that its
 * memory is known when it is created. All delays of the symbol read the same ring.
 */
import { FIELD_COUNT, LIVE } from "../../base/tick.ts";
import { BusRecord } from "../../market/bus_record.ts";
import type { GatewayTable } from "../../market/gateway_table.ts";

/** The numbers of a sample, all Float64: when it may be counted from, seq, event time, since, and the values. */
const FROM = 0;
const SEQ = 1;
const EVENT_TIME = 2;
const SINCE = 3;
const VALUES = 4;
const SAMPLE_NUMBERS = VALUES + FIELD_COUNT;
/** What a sample takes: the numbers, state and marks, and the reference of the reason. */
export const SAMPLE_BYTES = SAMPLE_NUMBERS * 8 + 2 + 8;

/** Marks of a sample: it has a tick; ticks before it were missed; its `seq` does not continue the one before. */
const HAS_TICK = 1;
export const MISSED = 2;
export const RESTARTED = 4;

export class DelayLine {
  /** The live row. */
  readonly live: number;
  readonly capacity: number;
  readonly #numbers: Float64Array;
  readonly #states: Uint8Array;
  readonly #marks: Uint8Array;
  readonly #reasons: string[] = [];
  readonly #record = new BusRecord();
  /** Samples so far; the last `capacity` of them are kept. */
  end = 0;
  /** When the last one was taken, microseconds. */
  sampledAt = Number.NEGATIVE_INFINITY;
  /** Whether the live row has changed since. */
  isChanged = false;
  /** Marks of what has changed since. */
  #pendingMarks = 0;

  /** @param capacity samples that are kept */
  constructor(live: number, capacity: number) {
    this.live = live;
    this.capacity = capacity;
    this.#numbers = new Float64Array(capacity * SAMPLE_NUMBERS);
    this.#states = new Uint8Array(capacity);
    this.#marks = new Uint8Array(capacity);
  }

  get bytes(): number {
    return this.capacity * SAMPLE_BYTES;
  }

  /** The first sample that is kept. */
  get start(): number {
    return Math.max(0, this.end - this.capacity);
  }

  /** The live row has changed. @param marks what of {@link MISSED} and {@link RESTARTED} has happened */
  note(marks: number): void {
    this.isChanged = true;
    this.#pendingMarks |= marks;
  }

  /**
   * Takes a sample of the live row. Where the ring holds only samples that are still to be shown, it replaces the last
   * one, and is shown no earlier than that.
   * @param now microseconds
   * @param next the first sample that is still to be shown
   */
  sample(table: GatewayTable, now: number, next: number): void {
    const { live } = this;
    const isFull = this.end - next >= this.capacity;
    const before = this.end === 0 ? Number.NEGATIVE_INFINITY : this.#numbers[this.#at(this.end - 1) + FROM];
    let marks = this.#pendingMarks | (table.hasTicked(live) ? HAS_TICK : 0);
    if (isFull) marks |= this.#marks[(this.end - 1) % this.capacity];
    else this.end++;
    const at = this.#at(this.end - 1);
    const slot = (this.end - 1) % this.capacity;
    this.#numbers[at + FROM] = Math.max(before, this.#shownFrom(table, now));
    this.#numbers[at + SEQ] = table.seq[live];
    this.#numbers[at + EVENT_TIME] = table.eventTime[live];
    this.#numbers[at + SINCE] = table.since[live];
    const base = live * FIELD_COUNT;
    for (let index = 0; index < FIELD_COUNT; index++)
      this.#numbers[at + VALUES + index] = table.payload.values[base + index];
    this.#states[slot] = table.state[live];
    this.#marks[slot] = marks;
    this.#reasons[slot] = table.reasons[live];
    this.sampledAt = now;
    this.isChanged = false;
    this.#pendingMarks = 0;
  }

  /** When the sample may be shown with no delay, microseconds; infinite where there is no such sample yet. */
  fromOf(index: number): number {
    return index < this.end ? this.#numbers[this.#at(index) + FROM] : Number.POSITIVE_INFINITY;
  }

  /** Marks of the samples from `first` to `last`. */
  marksOf(first: number, last: number): number {
    let marks = 0;
    for (let index = Math.max(first, this.start); index <= last; index++) marks |= this.#marks[index % this.capacity];
    return marks;
  }

  /** Shows the sample in a row. @returns the bits of what has changed, as {@link GatewayTable.apply} */
  show(table: GatewayTable, row: number, index: number, marks: number, now: number): number {
    const at = this.#at(index);
    const slot = index % this.capacity;
    const numbers = this.#numbers;
    const record = this.#record;
    record.seq = numbers[at + SEQ];
    record.eventTime = numbers[at + EVENT_TIME];
    record.values = numbers;
    record.offset = at + VALUES;
    record.state = this.#states[slot];
    record.since = numbers[at + SINCE];
    record.reason = this.#reasons[slot];
    const hasTick = (this.#marks[slot] & HAS_TICK) > 0;
    return table.show(
      row,
      { record, hasTick, isMissed: (marks & MISSED) > 0, isRestarted: (marks & RESTARTED) > 0 },
      now,
    );
  }

  /** Takes over the samples of a shorter line of the same row. */
  copyFrom(other: DelayLine): void {
    for (let index = other.start; index < other.end; index++) {
      const [from, to] = [other.#at(index), this.#at(index)];
      for (let number = 0; number < SAMPLE_NUMBERS; number++)
        this.#numbers[to + number] = other.#numbers[from + number];
      this.#states[index % this.capacity] = other.#states[index % other.capacity];
      this.#marks[index % this.capacity] = other.#marks[index % other.capacity];
      this.#reasons[index % this.capacity] = other.#reasons[index % other.capacity];
    }
    this.end = other.end;
    this.sampledAt = other.sampledAt;
    this.isChanged = other.isChanged;
    this.#pendingMarks = other.#pendingMarks;
  }

  /**
   * From when on the live row has shown what it shows, microseconds: since it was received, and not before its event
   * time. What came from the store when the gateway started has been the latest since its publisher received it.
   */
  #shownFrom(table: GatewayTable, now: number): number {
    const { live } = this;
    if (!table.hasTicked(live)) return now;
    const eventTime = table.eventTime[live];
    // Only the first sample is taken long after the tick; when its state began is not known.
    if (this.end > 1) return Math.max(eventTime, now);
    if (table.isFromStore[live] === 1) return Math.max(eventTime, Math.min(now, eventTime + table.sourceTime[live]));
    return Math.max(eventTime, table.state[live] === LIVE ? table.appliedAt[live] : now);
  }

  #at(index: number): number {
    return (index % this.capacity) * SAMPLE_NUMBERS;
  }
}

/**
 * A subscription: rows that one connection gets at one interval with one encoder. It stores no updates. Each entry has
 * a row and the mark of the `seq` last sent; a flush copies the rows whose mark differs.
 *
 * One clock value for the whole list would be enough in most cases. A mark for each entry costs 4 bytes more and allows
 * three things: a scan that a full window has cut short resumes without sending anything twice; a row that joins gets
 * its snapshot at once, without breaking the interval of the others; and the number of conflated updates is a
 * subtraction.
 */

import type { Clock } from "../../base/clock.ts";
import type { RowTable } from "../../market/gateway_table.ts";
import { entryMark, entryRow, moveEntry, setEntry, setEntryMark } from "../../market/heap_layout.ts";
import type { RowEncoder } from "../../market/row_encoder.ts";
import type { GatewayCounts } from "../counts.ts";
import { AdmissionQueue } from "./admission_queue.ts";
import { EntryBlock } from "./entry_block.ts";
import { AGAIN, DONE, Flushable, type FlushScheduler } from "./flush_scheduler.ts";
import type { Frame } from "./frame.ts";
import type { Numbers } from "./numbers.ts";
import type { BroadcastSink, Sink, Waiter } from "./sink.ts";
import type { StatusBatcher } from "./status_batcher.ts";
import type { TopicIndex } from "./topic_index.ts";
import { type BroadcastSubscription, TopicSubscriber, type TopicSubscriberParts } from "./topic_subscriber.ts";

/**
 * How soon a subscription that had nothing to send scans again, ms: the first update after a pause does not wait for
 * the interval to end.
 */
const IDLE_INTERVAL = 20;

/**
 * A client that reads too slowly for all trades gets the latest: those that a flush finds so much later than it would
 * have by the interval are left out, ms. What is in flight adds a second at most.
 */
const MOST_LATE = 1_500;

/** The positions of a subscription's numbers. */
const DUE = 0;
/** When the current or last scan began, ms. */
const SCAN_START = 1;
/** When that scan was due, ms, and how long that was after the scan before. */
const SCAN_DUE = 2;
const SCAN_AFTER = 3;
/** Since when it waits for room, ms; negative when it does not wait. */
const HELD_SINCE = 4;
/** How long it has waited for room since the current or next scan was due, ms; and of that, before the scan began. */
const HELD = 5;
const HELD_BEFORE = 6;
/** The clock up to which the states of the symbols have been sent. */
const STATUS_CLOCK = 7;

/** How many numbers a subscription has. */
export const SUBSCRIPTION_NUMBERS = STATUS_CLOCK + 1;

/** Some rows, however they are kept. */
export type RowSet = Pick<ReadonlySet<number>, "has" | "size">;

/** What all subscriptions share. */
export interface SubscriptionParts extends TopicSubscriberParts {
  readonly clock: Clock;
  readonly scheduler: FlushScheduler;
  readonly frame: Frame;
  readonly counts: GatewayCounts;
  readonly status: StatusBatcher;
  readonly numbers: { readonly subscriptions: Numbers };
}

export class Subscription extends Flushable implements BroadcastSubscription, Waiter {
  readonly interval: number;
  readonly encoder: RowEncoder;
  /** Interval 0: receives the broadcast. */
  readonly topicSubscriber: TopicSubscriber | undefined;
  readonly #sink: Sink;
  readonly #parts: SubscriptionParts;
  readonly #table: RowTable;
  readonly #block: EntryBlock;
  #count = 0;
  /** Entries before this one have had their snapshot. */
  #snapshotted = 0;
  /** Entries before this one take part in scans; those up to `#snapshotted` wait for one interval. */
  #admitted = 0;
  /** Entries from `#admitted` to `#snapshotted`. */
  readonly #admissions = new AdmissionQueue();
  /** Whether its flushes have been scheduled. */
  #hasStarted = false;
  /** Whether a full frame or window has cut the scan short, and the entry where it resumes. */
  #isScanning = false;
  #cursor = 0;
  #hasSentInScan = false;
  /** Whether a flush found no room. */
  #isHeldBack = false;
  readonly #topics: TopicIndex;
  readonly #numbers: Numbers;
  readonly #at: number;

  /** @param due when its first flush is due, ms */
  constructor(
    sink: Sink & BroadcastSink,
    parts: SubscriptionParts,
    interval: number,
    encoder: RowEncoder,
    due: number,
  ) {
    super();
    const { table, numbers, topics } = parts;
    this.#sink = sink;
    this.#parts = parts;
    this.#table = table;
    this.#block = new EntryBlock(table.heap);
    this.interval = interval;
    this.encoder = encoder;
    this.#numbers = numbers.subscriptions;
    this.#at = this.#numbers.take();
    this.#topics = topics;
    if (interval === 0) this.topicSubscriber = new TopicSubscriber(this, sink, parts);
    this.due = due;
    this.#set(SCAN_START, Number.POSITIVE_INFINITY);
    this.#set(HELD_SINCE, -1);
    this.#set(STATUS_CLOCK, table.statusClock);
  }

  /** When its next flush is due, ms; at interval 0, since when a row has changed. */
  get due(): number {
    return this.#get(DUE);
  }

  set due(due: number) {
    this.#set(DUE, due);
  }

  #get(number: number): number {
    return this.#numbers.f64[this.#at + number];
  }

  #set(number: number, value: number): void {
    this.#numbers.f64[this.#at + number] = value;
  }

  get count(): number {
    return this.#count;
  }

  /** Where its entries are in the market table's heap. */
  get entries(): number {
    return this.#block.entries;
  }

  /** The row of an entry. */
  rowAt(index: number): number {
    return entryRow(this.#table.heap.i32, this.entries, index);
  }

  /** Makes room for so many rows more. @returns whether there is room */
  reserve(rows: number): boolean {
    return this.#block.reserve(this.#count, rows);
  }

  /**
   * Adds rows that are not in it, for which room has been reserved; each gets a snapshot with the next flush.
   * @param rows each with the mark of what was sent of it
   */
  add(rows: Iterable<readonly [row: number, mark: number]>, now: number): void {
    this.topicSubscriber?.unsubscribe(now);
    const { i32, u32 } = this.#table.heap;
    for (const [row, mark] of rows) {
      setEntry(i32, this.entries, this.#count, row);
      setEntryMark(u32, this.entries, this.#count++, mark);
      if (this.topicSubscriber) this.#topics.add(row, this.topicSubscriber.id);
    }
  }

  /**
   * Removes rows; the others keep their order and their marks.
   * @param removed is called with each row that was in it, and the mark of what was sent of it
   */
  remove(rows: RowSet, now: number, removed: (row: number, mark: number) => void): void {
    const [admitted, snapshotted, cursor] = [this.#admitted, this.#snapshotted, this.#cursor];
    let kept = 0;
    for (let index = 0; index < this.#count; index++) {
      const { i32, u32 } = this.#table.heap;
      const row = entryRow(i32, this.entries, index);
      if (!rows.has(row)) {
        moveEntry(i32, this.entries, index, kept++);
        continue;
      }
      // Only then the marks tell what was sent: the broadcast does not set them.
      this.topicSubscriber?.unsubscribe(now);
      const mark = entryMark(u32, this.entries, index);
      if (index < admitted) this.#admitted--;
      if (index < snapshotted) this.#snapshotted--;
      if (index < cursor) this.#cursor--;
      this.#admissions.remove(index, index - kept);
      if (this.topicSubscriber) this.#topics.remove(row, this.topicSubscriber.id);
      removed(row, mark);
    }
    this.#count = kept;
    this.#block.shrink(kept);
  }

  flush(now: number): number {
    if (this.isClosed) return DONE;
    const room = this.#sink.room(now);
    if (room === 0) {
      if (this.topicSubscriber?.isSubscribed && !this.isCatchingUp) this.due = now;
      this.topicSubscriber?.unsubscribe(now);
      this.#isHeldBack = true;
      if (this.#get(HELD_SINCE) < 0) this.#set(HELD_SINCE, now);
      this.#sink.waitForRoom(this);
      return DONE;
    }
    if (this.#get(HELD_SINCE) >= 0) this.#endWait(now);
    this.sendStatus();
    if (this.isClosed) return DONE;
    const { frame, clock } = this.#parts;
    frame.begin(this.encoder.format, room, clock.microsAt(now));
    const complete = this.#sendSnapshots(now) && this.#scan(now);
    if (this.encoder.hasGaps) this.#sendGaps();
    if (frame.count > 0) this.#sink.sendFrame(frame, now);
    if (!complete) return AGAIN;
    this.topicSubscriber?.subscribe(now);
    return DONE;
  }

  #sendGaps(): void {
    const { status, counts } = this.#parts;
    for (const { row, missed } of this.encoder.takeGaps()) {
      counts.ticksMissed += missed;
      status.addMissed(row, missed);
    }
    status.sendTo(this.#sink);
  }

  markAllSent(now: number): void {
    this.#set(SCAN_START, now);
  }

  get canResume(): boolean {
    return this.#get(STATUS_CLOCK) === this.#table.statusClock && this.#get(HELD_SINCE) < 0;
  }

  get isCatchingUp(): boolean {
    return this.#isScanning || this.#hasChanged();
  }

  #hasChanged(): boolean {
    return this.topicSubscriber !== undefined && this.#topics.hasChanged(this.topicSubscriber.id);
  }

  /** Copies the missing snapshots into the frame. @returns whether all are in it */
  #sendSnapshots(now: number): boolean {
    const from = this.#snapshotted;
    if (from === this.#count) return true;
    const { frame, counts } = this.#parts;
    const before = frame.count;
    // Their latency is not measured: a snapshot may be hours old.
    const index = this.encoder.copyChanged(this.#block, from, this.#count, frame);
    this.#topics.ticksOut += frame.count - before;
    counts.ticksOut += frame.count - before;
    counts.snapshotsOut += frame.count - before;
    this.#snapshotted = index;
    if (index > from) this.#queueAdmission(index, now);
    if (index < this.#count) return false;
    if (!this.#hasStarted && this.interval > 0)
      this.due = this.#parts.scheduler.scheduleFirst(this, this.interval, this.#count, now);
    this.#hasStarted = true;
    return true;
  }

  /** Entries up to `end` got their snapshot: they take part in scans after one interval. */
  #queueAdmission(end: number, now: number): void {
    if (this.interval === 0) {
      this.#admitted = end;
      return;
    }
    this.#admissions.add(end, this.interval, now);
  }

  /**
   * Copies the changed entries into the frame, from where the last scan was cut short.
   * @returns whether it is complete
   */
  #scan(now: number): boolean {
    if (!this.#isScanning) {
      if (this.topicSubscriber ? !this.#hasChanged() : this.due > now) return true;
      this.#isScanning = true;
      if (this.topicSubscriber) this.#topics.takeChanges(this.topicSubscriber.id);
      const due = this.#nextDue();
      this.#set(SCAN_DUE, due);
      // Before the first scan there was none.
      this.#set(SCAN_AFTER, Math.max(0, due - this.#get(SCAN_START)));
      if (this.topicSubscriber && !this.#isHeldBack) this.#topics.gate.noteLateness(now - due);
      this.#sink.noteLateness(now - due, this.interval, this.#isHeldBack, now);
      if (this.isClosed) return true;
      this.#set(SCAN_START, now);
      this.#set(HELD_BEFORE, this.#get(HELD));
      this.#isHeldBack = false;
      this.#admit(now);
    }
    const { frame, counts } = this.#parts;
    const end = this.#admitted;
    const before = frame.count;
    frame.oldest = frame.sentAt - (MOST_LATE + this.interval * 2) * 1_000;
    const index = this.encoder.copyChanged(this.#block, this.#cursor, end, frame);
    if (frame.count > before) {
      const [due, held] = [this.#get(SCAN_DUE), this.#get(HELD)];
      this.#topics.ticksOut += frame.count - before;
      counts.ticksOut += frame.count - before;
      const { conflated } = frame;
      if (conflated > 0) {
        counts.countConflated(conflated, this.interval, this.#get(SCAN_AFTER), now - due, held);
        this.#sink.addConflated(conflated);
      }
      this.#sink.sampleFrame(this.#table, frame, before, now, due, held);
      this.#hasSentInScan = true;
    }
    if (index < end) {
      this.#cursor = index;
      return false;
    }
    this.#isScanning = false;
    this.#cursor = 0;
    if (this.topicSubscriber) this.#topics.markCaughtUp(this.topicSubscriber.id, now);
    if (this.interval > 0)
      this.#schedule(now + (this.#hasSentInScan ? this.interval : Math.min(this.interval, IDLE_INTERVAL)));
    this.#hasSentInScan = false;
    // The next scan is due an interval after this one began: what it waited in between is part of its lateness.
    this.#set(HELD, this.interval > 0 ? this.#get(HELD) - this.#get(HELD_BEFORE) : 0);
    return !this.#hasChanged();
  }

  /** When the next scan is due: after one that took long it counts from the beginning of that, not from its end. */
  #nextDue(): number {
    return this.interval > 0 ? Math.min(this.due, this.#get(SCAN_START) + this.interval) : this.due;
  }

  #schedule(due: number): void {
    this.due = due;
    this.#parts.scheduler.schedule(this, due);
  }

  /** There is room again: counts how long the scan that was due has waited for it. */
  #endWait(now: number): void {
    const since = this.#get(HELD_SINCE);
    const from = this.#isScanning ? since : Math.max(since, this.#nextDue());
    this.#set(HELD, this.#get(HELD) + Math.max(0, now - from));
    this.#set(HELD_SINCE, -1);
  }

  /** Entries whose snapshot is one interval old take part in scans from now on. */
  #admit(now: number): void {
    if (this.#admitted === this.#snapshotted) return;
    const end = this.#admissions.admit(this.interval, now);
    if (end >= 0) this.#admitted = end;
  }

  /**
   * Sends the states that have changed: before any update of these symbols, and before they move to another
   * subscription.
   */
  sendStatus(): void {
    if (this.isClosed) return;
    const table = this.#table;
    const since = this.#get(STATUS_CLOCK);
    if (table.statusClock === since) return;
    this.#set(STATUS_CLOCK, table.statusClock);
    const { status } = this.#parts;
    const { i32, u32 } = table.heap;
    for (let index = 0; index < this.#count; index++) {
      const row = entryRow(i32, this.entries, index);
      if (table.gapVersion[row] > since || table.resetVersion[row] > since) {
        const isReset = table.resetVersion[row] > since;
        status.addGap(row, isReset);
        // The mark may belong to another count of `seq`: it must not be compared.
        if (isReset || !table.payload.isSeries) setEntryMark(u32, this.entries, index, 0);
      }
      if (table.stateVersion[row] > since) status.addState(row);
    }
    status.sendTo(this.#sink);
  }

  /** Ends it, and frees its memory. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.topicSubscriber) this.#topics.unregister(this.topicSubscriber.id);
    this.#block.free();
    this.#numbers.give(this.#at);
    this.#count = 0;
  }
}

/**
 * A subscription: the symbols that one connection gets at one interval with one field list. It keeps no ticks. Beside
 * each symbol stands the `seq` that the client was last told; a turn copies the ticks of those whose `seq` differs.
 *
 * One cursor (a moment of the market's clock) for the whole list would do for the most part. One number a symbol costs
 * 8 bytes more and buys what one cursor cannot: a pass that is cut short by a full window resumes where it was, without
 * sending anything twice; a symbol that joins gets its snapshot at once, without breaking the interval of the others; and
 * how many ticks were conflated is a subtraction.
 */
import type { TickEncoder } from "../market/encoder.ts";
import { HeapFull } from "../market/heap.ts";
import type { MarketTable } from "../market/table.ts";
import type { Field } from "../tick.ts";
import type { GatewayCounts } from "./counts.ts";
import type { Frame } from "./frame.ts";
import { AGAIN, DONE, Paced } from "./pacer.ts";
import type { StatusTeller } from "./status.ts";

/**
 * How soon a subscription that had nothing to send looks again, ms: the first tick after a rest need not wait for
 * the interval to end.
 */
const IDLE_LOOK = 20;
/** The most by which a first pass is delayed, ms, so that clients that came at once do not stay in step. */
const MAX_SPREAD = 250;
const FIRST_CAPACITY = 16;

/** Some rows, however they are kept. */
export type RowSet = Pick<ReadonlySet<number>, "has" | "size">;

/** The way from a subscription to its client: what a session is to it. */
export interface Way {
  /** The one frame under construction. */
  readonly frame: Frame;
  readonly counts: GatewayCounts;
  readonly status: StatusTeller;
  /** Bytes that a data frame may have now; 0 when nothing may be sent. */
  room(now: number): number;
  /** The subscription gets a turn when there is room. */
  wait(subscription: Subscription): void;
  /** The subscription gets a turn at `due`, ms. */
  schedule(subscription: Subscription, due: number): void;
  /** The time that a frame of this turn says it was sent, microseconds since the Unix epoch. @param now the turn's, ms */
  sentAt(now: number): number;
  /**
   * Ticks were put into the frame, from the given one on.
   * @param due since when their turn was due, ms
   * @param held how long of that there was no room, ms
   */
  delivers(from: number, now: number, due: number, held: number): void;
  /** Ticks were replaced before they were sent; see {@link GatewayCounts.conflated}. */
  replaced(ticks: number, interval: number, before: number, late: number, held: number): void;
  /** Sends the frame. */
  sendFrame(frame: Frame, now: number): void;
  /** Sends what has been gathered of how symbols stand. */
  tellStatus(): void;
  /** A turn has come so late, ms; because of the client where it had been held back. */
  punctual(late: number, interval: number, heldBack: boolean, now: number): void;
}

export class Subscription extends Paced {
  readonly interval: number;
  readonly fields: readonly Field[];
  readonly encoder: TickEncoder;
  readonly #way: Way;
  readonly #table: MarketTable;
  /** Rows of the market table: the address of an Int32Array. */
  rows = 0;
  /** The `seq` last told of each, 0 for none: the address of a Float64Array. */
  told = 0;
  #capacity = 0;
  #count = 0;
  /** Entries before this one have had their snapshot. */
  #snapshotted = 0;
  /** Entries before this one take part in passes; those up to `#snapshotted` wait for one interval to pass. */
  #settled = 0;
  /** When entries got their snapshot: up to which, and when, first and last. */
  readonly #joins: { end: number; from: number; at: number }[] = [];
  /** Whether its turns have been scheduled. */
  #started = false;
  /** Whether a pass is under way, cut short by a full frame or window, and where it goes on. */
  #passing = false;
  #hand = 0;
  #sentInPass = false;
  /** When the pass under way or the last one began, ms. */
  #passStart = Number.POSITIVE_INFINITY;
  /** The clock up to which the states of the symbols have been told. */
  #statusClock: number;
  /** When the pass under way or the last one was due, ms, and how long after the one before that was. */
  #passDue = 0;
  #passAfter = 0;
  /** Whether its turn came and the window was full. */
  #heldBack = false;
  /** Since when it waits for room, ms; negative when it does not. */
  #heldSince = -1;
  /** How long it has waited for room since the pass under way or the next one was due, ms. */
  #held = 0;
  /** And of that, before the pass began. */
  #heldBefore = 0;
  /** Interval 0: whether something has changed since the last pass began. */
  changed = false;
  closed = false;

  constructor(way: Way, table: MarketTable, interval: number, fields: readonly Field[], encoder: TickEncoder) {
    super();
    this.#way = way;
    this.#table = table;
    this.interval = interval;
    this.fields = fields;
    this.encoder = encoder;
    this.#statusClock = table.statusClock;
  }

  get count(): number {
    return this.#count;
  }

  /** The row of an entry. */
  rowAt(index: number): number {
    return this.#table.heap.i32[(this.rows >> 2) + index];
  }

  has(row: number): boolean {
    const first = this.rows >> 2;
    return this.#table.heap.i32.subarray(first, first + this.#count).includes(row);
  }

  /**
   * Makes room for so many rows more.
   * @returns whether there is room
   */
  reserve(rows: number): boolean {
    const needed = this.#count + rows;
    if (needed <= this.#capacity) return true;
    try {
      // One that grows by and by is not moved each time.
      this.#resize(Math.max(FIRST_CAPACITY, needed, Math.ceil(this.#count * 1.5)));
      return true;
    } catch (error) {
      if (error instanceof HeapFull) return false;
      throw error;
    }
  }

  /** Adds rows that are not in it, for which room has been reserved; each gets a snapshot on the next turn. */
  add(rows: Iterable<number>): void {
    const { i32, f64 } = this.#table.heap;
    for (const row of rows) {
      i32[(this.rows >> 2) + this.#count] = row;
      f64[(this.told >> 3) + this.#count] = 0;
      this.#count++;
    }
  }

  /**
   * Removes rows; the others keep their order and what they were told.
   * @param removed is called with each row that was in it
   */
  remove(rows: RowSet, removed: (row: number) => void): void {
    const [settled, snapshotted, hand] = [this.#settled, this.#snapshotted, this.#hand];
    const ends = this.#joins.map((join) => join.end);
    const { i32, f64 } = this.#table.heap;
    const [firstRow, firstTold] = [this.rows >> 2, this.told >> 3];
    let kept = 0;
    for (let index = 0; index < this.#count; index++) {
      const row = i32[firstRow + index];
      if (!rows.has(row)) {
        i32[firstRow + kept] = row;
        f64[firstTold + kept] = f64[firstTold + index];
        kept++;
        continue;
      }
      if (index < settled) this.#settled--;
      if (index < snapshotted) this.#snapshotted--;
      if (index < hand) this.#hand--;
      this.#joins.forEach((join, at) => {
        if (index < ends[at]) join.end--;
      });
      removed(row);
    }
    this.#count = kept;
    if (kept < this.#capacity / 4 && this.#capacity > FIRST_CAPACITY) this.#shrink();
  }

  flush(now: number): number {
    if (this.closed) return DONE;
    const room = this.#way.room(now);
    if (room === 0) {
      this.#heldBack = true;
      if (this.#heldSince < 0) this.#heldSince = now;
      this.#way.wait(this);
      return DONE;
    }
    if (this.#heldSince >= 0) this.#release(now);
    this.tellStatus();
    const { frame } = this.#way;
    frame.begin(this.encoder.format, room, this.#way.sentAt(now));
    const complete = this.#snapshot(now) && this.#pass(now);
    if (frame.count > 0) this.#way.sendFrame(frame, now);
    return complete ? DONE : AGAIN;
  }

  /** Sends the snapshots that are owed. Returns whether all are in the frame. */
  #snapshot(now: number): boolean {
    const from = this.#snapshotted;
    if (from === this.#count) return true;
    const { frame, counts } = this.#way;
    const before = frame.count;
    // Nothing was told of them; its age is not counted: a snapshot may have been at rest for hours.
    const index = this.encoder.copyChanged(this, from, this.#count, frame);
    counts.ticksOut += frame.count - before;
    counts.snapshotsOut += frame.count - before;
    this.#snapshotted = index;
    if (index > from) this.#joined(index, now);
    if (index < this.#count) return false;
    if (!this.#started && this.interval > 0)
      this.#way.schedule(this, now + this.interval + Math.random() * Math.min(this.interval, MAX_SPREAD));
    this.#started = true;
    return true;
  }

  /** Notes that entries up to `end` got their snapshot; those of an eighth of the interval settle together. */
  #joined(end: number, now: number): void {
    if (this.interval === 0) {
      this.#settled = end;
      return;
    }
    const last = this.#joins.at(-1);
    if (last && now - last.from < this.interval / 8) {
      last.end = end;
      last.at = now;
    } else this.#joins.push({ end, from: now, at: now });
  }

  /** Goes through the entries for what has changed, from where it was cut short. Returns whether it is through. */
  #pass(now: number): boolean {
    if (!this.#passing) {
      if (this.interval > 0 ? this.due > now : !this.changed) return true;
      this.#passing = true;
      this.changed = false;
      this.#passDue = this.#nextDue();
      // Before the first there was none.
      this.#passAfter = Math.max(0, this.#passDue - this.#passStart);
      this.#way.punctual(now - this.#passDue, this.interval, this.#heldBack, now);
      this.#passStart = now;
      this.#heldBefore = this.#held;
      this.#heldBack = false;
      this.#settle(now);
    }
    const { frame, counts } = this.#way;
    const end = this.#settled;
    const before = frame.count;
    const index = this.encoder.copyChanged(this, this.#hand, end, frame);
    if (frame.count > before) {
      const due = this.#passDue;
      counts.ticksOut += frame.count - before;
      const { conflated } = frame;
      if (conflated > 0) this.#way.replaced(conflated, this.interval, this.#passAfter, now - due, this.#held);
      this.#way.delivers(before, now, due, this.#held);
      this.#sentInPass = true;
    }
    if (index < end) {
      this.#hand = index;
      return false;
    }
    this.#passing = false;
    this.#hand = 0;
    if (this.interval > 0)
      this.#way.schedule(this, now + (this.#sentInPass ? this.interval : Math.min(this.interval, IDLE_LOOK)));
    this.#sentInPass = false;
    // The next one is counted from the beginning of this one: what it was held back in between is part of its lateness.
    this.#held = this.interval > 0 ? this.#held - this.#heldBefore : 0;
    return !this.changed;
  }

  /** When the next pass is due: one that took long is late as well, though its successor is counted from its end. */
  #nextDue(): number {
    return this.interval > 0 ? Math.min(this.due, this.#passStart + this.interval) : this.due;
  }

  /** There is room again: notes how long what was due had to wait for it. */
  #release(now: number): void {
    const from = this.#passing ? this.#heldSince : Math.max(this.#heldSince, this.#nextDue());
    this.#held += Math.max(0, now - from);
    this.#heldSince = -1;
  }

  /** Lets entries take part in passes whose snapshot is one interval old. */
  #settle(now: number): void {
    let through = 0;
    while (through < this.#joins.length && this.#joins[through].at + this.interval <= now)
      this.#settled = this.#joins[through++].end;
    if (through > 0) this.#joins.splice(0, through);
  }

  /** Tells how symbols stand that have changed in that: before any tick of them, and before they move elsewhere. */
  tellStatus(): void {
    const table = this.#table;
    if (table.statusClock === this.#statusClock) return;
    const since = this.#statusClock;
    this.#statusClock = table.statusClock;
    const teller = this.#way.status;
    const { i32, f64 } = table.heap;
    for (let index = 0; index < this.#count; index++) {
      const row = i32[(this.rows >> 2) + index];
      if (table.gapVersion[row] > since || table.resetVersion[row] > since) {
        teller.gap(row, table.resetVersion[row] > since);
        // What was told belongs to another count: it is no longer compared with.
        f64[(this.told >> 3) + index] = 0;
      }
      if (table.stateVersion[row] > since) teller.state(row);
    }
    this.#way.tellStatus();
  }

  /** Ends it, and gives its memory back. */
  close(): void {
    this.closed = true;
    this.#giveBack();
    this.#count = 0;
  }

  #giveBack(): void {
    if (this.#capacity === 0) return;
    const { heap } = this.#table;
    heap.free(this.rows, this.#capacity * 4);
    heap.free(this.told, this.#capacity * 8);
    this.#capacity = 0;
  }

  #shrink(): void {
    try {
      this.#resize(Math.ceil(this.#capacity / 2));
    } catch (error) {
      // What it has is larger than it needs: it can stay there.
      if (!(error instanceof HeapFull)) throw error;
    }
  }

  /** @throws HeapFull, and it is as it was */
  #resize(capacity: number): void {
    const { heap } = this.#table;
    const rows = heap.alloc(capacity * 4);
    let told: number;
    try {
      told = heap.alloc(capacity * 8);
    } catch (error) {
      heap.free(rows, capacity * 4);
      throw error;
    }
    heap.bytes.copyWithin(rows, this.rows, this.rows + this.#count * 4);
    heap.bytes.copyWithin(told, this.told, this.told + this.#count * 8);
    this.#giveBack();
    this.rows = rows;
    this.told = told;
    this.#capacity = capacity;
  }
}

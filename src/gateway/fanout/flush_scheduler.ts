/**
 * Decides which subscription is flushed next. Those that are due wait in the ready set, and are flushed in slices of a
 * few milliseconds, so that sockets and the bus are served in between. Nothing is due twice: when the process is
 * saturated, a round takes longer, intervals stretch, and the work per second stays the same.
 */
import type { Clock } from "../../base/clock.ts";
import { copied } from "../../base/enlarged_array.ts";
import { ReadySet } from "./ready_set.ts";

/** Results of a flush. */
export const DONE = 0;
/** There is more to send and room for it: another flush is wanted, after all others. */
export const AGAIN = 1;

/** No position. */
const NONE = -1;

/** Something that the scheduler flushes. */
export abstract class Flushable {
  /** Its position in the scheduler's columns; -1 while it has none. */
  position = NONE;
  /** Whether it has ended: then it is not scheduled any more. */
  isClosed = false;

  /**
   * Sends what has changed, at `now`, ms of the clock: the next flush is counted from this moment, and the frame has it
   * as its time, so that the two never differ. Schedules the next flush itself, with {@link FlushScheduler.schedule}.
   * @returns `DONE` or `AGAIN`
   */
  abstract flush(now: number): number;
}

/** The wheel's resolution, ms: a flush is up to this late. */
const SLOT_TIME = 4;
/**
 * How often it runs while the wheel is empty, ms: each run wakes a process that may have nothing else to do. It is half
 * of the mean time between two runs from which on a node counts as busy (broadcast_gate.ts).
 */
const REST_TIME = 12;
/** Slots of the wheel; what is due later than after a whole revolution (65 s) is skipped until it is due. */
const SLOTS = 16_384;
const FIRST_ENTRIES = 256;
/** The most by which a first flush is delayed, ms, so that clients that connect together are not flushed together. */
const MAX_SPREAD = 250;
/** The time that is reserved for a flush, and for each of its rows, ms: ten times what they take. */
const FLUSH_TIME = 0.1;
const SYMBOL_TIME = 0.000_4;

export class FlushScheduler {
  readonly #clock: Clock;
  readonly #sliceTime: number;
  readonly #run = () => this.run();
  readonly #runAndRearm = () => {
    this.#rearm();
    this.run();
  };
  /** The first flushable of each slot: its position. */
  readonly #wheel = new Int32Array(SLOTS).fill(NONE);
  /** The number of the last slot that has been visited, counted from the clock's start. */
  #slotTime: number;
  /**
   * The flushables, by position; the wheel has its data of each in columns. So a visit of a slot reads a few numbers,
   * and not thousands of objects that lie anywhere in memory.
   */
  #flushables: (Flushable | undefined)[] = [];
  readonly #free: number[] = [];
  #due = new Float64Array(FIRST_ENTRIES);
  /** Neighbours in a slot of the wheel. */
  #next = new Int32Array(FIRST_ENTRIES);
  #previous = new Int32Array(FIRST_ENTRIES);
  /** The slot of the wheel, or `NONE`. */
  #slot = new Int32Array(FIRST_ENTRIES);
  /** The positions of those that are due. */
  readonly #waiting = new ReadySet();
  /** The time that has been reserved for first flushes so far, ms. */
  #reserved = 0;
  /** How many flushes are in the wheel. */
  #scheduled = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Whether the timer runs as slowly as for an empty wheel. */
  #isResting = false;
  #immediate: NodeJS.Immediate | undefined;
  /** How late the last flush was, ms: the saturation of the process. */
  lag = 0;
  /** When it last ran, ms: every 4 ms, with an empty wheel every 12, or as soon as the event loop gets to it. */
  ranAt: number;
  /** How often it has run. */
  runs = 0;

  /** @param sliceTime how long a slice may hold the event loop, ms */
  constructor(clock: Clock, sliceTime: number) {
    this.#clock = clock;
    this.#sliceTime = sliceTime;
    this.ranAt = clock.millis();
    this.#slotTime = Math.floor(this.ranAt / SLOT_TIME);
  }

  /** Flushes that are due. */
  get waiting(): number {
    return this.#waiting.size;
  }

  start(): void {
    if (!this.#timer) this.#rearm();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#immediate) clearImmediate(this.#immediate);
    this.#immediate = undefined;
  }

  /** Schedules its flush at `due`, ms, in place of one that was scheduled before. */
  schedule(flushable: Flushable, due: number): void {
    if (flushable.isClosed) return;
    const position = this.#positionOf(flushable);
    this.#unlink(position);
    this.#due[position] = due;
    // Never into a slot that has been visited: it would wait for a whole revolution.
    const slotTime = Math.max(Math.ceil(due / SLOT_TIME), this.#slotTime + 1);
    const slot = slotTime % SLOTS;
    const first = this.#wheel[slot];
    this.#slot[position] = slot;
    this.#next[position] = first;
    this.#previous[position] = NONE;
    if (first !== NONE) this.#previous[first] = position;
    this.#wheel[slot] = position;
    this.#scheduled++;
    if (this.#isResting && this.#timer) this.#rearm();
  }

  /**
   * Schedules a first flush, one to two intervals from now (the second one counts as a quarter of a second at most).
   * Flushes that are scheduled one after the other are due one after the other, ten times as far apart as they take:
   * they are spread, and keep their order.
   * @param interval ms, more than 0
   * @returns when it is due, ms
   */
  scheduleFirst(flushable: Flushable, interval: number, symbols: number, now: number): number {
    const spread = Math.min(interval, MAX_SPREAD);
    const earliest = now + interval;
    this.#reserved += FLUSH_TIME + symbols * SYMBOL_TIME;
    const offset = (this.#reserved - earliest) % spread;
    const due = earliest + (offset < 0 ? offset + spread : offset);
    this.schedule(flushable, due);
    return due;
  }

  /** Schedules a flush as soon as possible, besides one that is in the wheel. */
  scheduleNow(flushable: Flushable): void {
    if (flushable.isClosed) return;
    this.#waiting.add(this.#positionOf(flushable));
    if (this.#timer) this.#immediate ??= setImmediate(this.#run);
  }

  /** Removes all its flushes, and its position: to be called for each that is closed. */
  cancel(flushable: Flushable): void {
    const { position } = flushable;
    if (position === NONE) return;
    this.#unlink(position);
    this.#flushables[position] = undefined;
    this.#waiting.delete(position);
    flushable.position = NONE;
    this.#free.push(position);
  }

  /** Runs one slice: finds what has become due, and flushes until the slice's time is over. */
  run(): void {
    this.#immediate = undefined;
    const start = this.#clock.millis();
    this.ranAt = start;
    this.runs++;
    this.#advanceWheel(start);
    let now = start;
    // As many as waited at the beginning: one that wants another flush each time does not prolong the slice.
    for (let flushes = this.#waiting.size; flushes > 0 && this.#waiting.size > 0; flushes--) {
      const flushable = this.#flushables[this.#waiting.take()] as Flushable;
      if (flushable.flush(now) === AGAIN) this.scheduleNow(flushable);
      now = this.#clock.millis();
      if (now - start >= this.#sliceTime) break;
    }
    if (this.#waiting.size > 0 && this.#timer) this.#immediate ??= setImmediate(this.#run);
  }

  #rearm(): void {
    clearTimeout(this.#timer);
    this.#isResting = this.#scheduled === 0;
    this.#timer = setTimeout(this.#runAndRearm, this.#isResting ? REST_TIME : SLOT_TIME);
  }

  #advanceWheel(now: number): void {
    const until = Math.floor(now / SLOT_TIME);
    // After a pause longer than a revolution each slot is visited once.
    const from = Math.max(this.#slotTime + 1, until - SLOTS + 1);
    for (let slotTime = from; slotTime <= until; slotTime++) {
      let position = this.#wheel[slotTime % SLOTS];
      while (position !== NONE) {
        const next = this.#next[position];
        if (this.#due[position] <= now) {
          this.lag = now - this.#due[position];
          this.#unlink(position);
          this.#waiting.add(position);
        }
        position = next;
      }
    }
    this.#slotTime = Math.max(this.#slotTime, until);
  }

  #unlink(position: number): void {
    const slot = this.#slot[position];
    if (slot === NONE) return;
    const [next, previous] = [this.#next[position], this.#previous[position]];
    if (previous !== NONE) this.#next[previous] = next;
    else this.#wheel[slot] = next;
    if (next !== NONE) this.#previous[next] = previous;
    this.#slot[position] = NONE;
    this.#scheduled--;
  }

  #positionOf(flushable: Flushable): number {
    if (flushable.position !== NONE) return flushable.position;
    const position = this.#free.pop() ?? this.#flushables.length;
    if (position === this.#due.length) this.#grow(position * 2);
    this.#flushables[position] = flushable;
    this.#slot[position] = NONE;
    flushable.position = position;
    return position;
  }

  #grow(positions: number): void {
    this.#due = copied(new Float64Array(positions), this.#due);
    this.#next = copied(new Int32Array(positions), this.#next);
    this.#previous = copied(new Int32Array(positions), this.#previous);
    this.#slot = copied(new Int32Array(positions), this.#slot);
  }
}

/**
 * The pacer decides whose turn it is. Who is due waits, and is flushed in slices of a few milliseconds, so that sockets and
 * the bus are served in between. Nothing is ever due twice: when the process is saturated it takes longer to get round,
 * intervals stretch, and the work per second stays the same.
 */
import type { Clock } from "../../base/clock.ts";
import { copied } from "../../base/copied.ts";
import { ReadySet } from "./ready_set.ts";

/** What a flush came to. */
export const DONE = 0;
/** There is more to send and room for it: another turn, behind everyone else. */
export const AGAIN = 1;

/** Nobody's place. */
const NONE = -1;

/** Something that gets turns. */
export abstract class Flushable {
  /** Its place in the pacer's columns; -1 while it has none. */
  position = NONE;
  /** Once it is, it gets no more turns. */
  closed = false;

  /**
   * Takes a turn, at `now`, ms of the clock: the moment that its next turn is counted from and its frame tells, so that
   * the two never differ. Schedules its next one itself, with {@link FlushScheduler.schedule}.
   * @returns `DONE` or `AGAIN`
   */
  abstract flush(now: number): number;
}

/** The wheel's resolution, ms: a turn is up to this late. */
const SLOT_TIME = 4;
/**
 * How often it runs while the wheel is empty, ms: each time wakes a process that may have nothing else to do. Half of what a go of the
 * event loop may take before a node counts as behind (broadcast.ts), which is told from how often this runs.
 */
const REST_TIME = 12;
/** Slots of the wheel; what is due later than a whole revolution (65 s) is passed by until it is. */
const SLOTS = 16_384;
const FIRST_ENTRIES = 256;
/** The most by which a first turn is delayed, ms, so that clients that came at once do not stay in step. */
const MAX_SPREAD = 250;
/** The time that is set aside for a turn, and for each of its symbols, ms: ten times what they take. */
const FLUSH_TIME = 0.1;
const SYMBOL_TIME = 0.000_4;

export class FlushScheduler {
  readonly #clock: Clock;
  readonly #sliceTime: number;
  readonly #run = () => this.run();
  readonly #beat = () => {
    this.#rearm();
    this.run();
  };
  /** The first place of each slot. */
  readonly #wheel = new Int32Array(SLOTS).fill(NONE);
  /** The number of the last slot time that was gone through. */
  #slotTime: number;
  /**
   * Who gets turns, by place, and what the wheel knows of each in columns: to go through a slot is to go through a few
   * numbers, not through thousands of objects that lie anywhere in memory.
   */
  #flushables: (Flushable | undefined)[] = [];
  readonly #free: number[] = [];
  #due = new Float64Array(FIRST_ENTRIES);
  /** Neighbours in a slot of the wheel. */
  #next = new Int32Array(FIRST_ENTRIES);
  #previous = new Int32Array(FIRST_ENTRIES);
  /** The slot of the wheel, or `NONE`. */
  #slot = new Int32Array(FIRST_ENTRIES);
  /** The places of those who are due. */
  readonly #waiting = new ReadySet();
  /** The time that has been set aside for the turns of all that have begun, ms. */
  #reserved = 0;
  /** How many turns are in the wheel. */
  #scheduled = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Whether the timer runs as slowly as for an empty wheel. */
  #isResting = false;
  #immediate: NodeJS.Immediate | undefined;
  /** How late the last turn was, ms: the saturation of the process. */
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

  /** Turns that wait. */
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

  /** Gives it a turn at `due`, ms; a turn that it had coming at another time is moved. */
  schedule(paced: Flushable, due: number): void {
    if (paced.closed) return;
    const place = this.#positionOf(paced);
    this.#unlink(place);
    this.#due[place] = due;
    // Never into a slot that has been gone through: it would wait for a whole revolution.
    const slotTime = Math.max(Math.ceil(due / SLOT_TIME), this.#slotTime + 1);
    const slot = slotTime % SLOTS;
    const first = this.#wheel[slot];
    this.#slot[place] = slot;
    this.#next[place] = first;
    this.#previous[place] = NONE;
    if (first !== NONE) this.#previous[first] = place;
    this.#wheel[slot] = place;
    this.#scheduled++;
    if (this.#isResting && this.#timer) this.#rearm();
  }

  /**
   * Gives it a first turn, an interval from now and up to another one later (or a quarter of a second). Those that begin one after the
   * other get their turns one after the other, ten times as far apart as they take: so they are spread, and neighbours all the same.
   * @param interval ms, more than 0
   * @returns when it is due, ms
   */
  scheduleFirst(paced: Flushable, interval: number, symbols: number, now: number): number {
    const spread = Math.min(interval, MAX_SPREAD);
    const earliest = now + interval;
    this.#reserved += FLUSH_TIME + symbols * SYMBOL_TIME;
    const offset = (this.#reserved - earliest) % spread;
    const due = earliest + (offset < 0 ? offset + spread : offset);
    this.schedule(paced, due);
    return due;
  }

  /** Gives it a turn as soon as possible, besides the one that it has coming. */
  scheduleNow(paced: Flushable): void {
    if (paced.closed) return;
    this.#waiting.add(this.#positionOf(paced));
    if (this.#timer) this.#immediate ??= setImmediate(this.#run);
  }

  /** Takes back all turns that it has coming, and its place: what is closed must be cancelled. */
  cancel(paced: Flushable): void {
    const { position: place } = paced;
    if (place === NONE) return;
    this.#unlink(place);
    this.#flushables[place] = undefined;
    this.#waiting.delete(place);
    paced.position = NONE;
    this.#free.push(place);
  }

  /** One slice: looks who has become due, and gives turns until the slice's time is over. */
  run(): void {
    this.#immediate = undefined;
    const start = this.#clock.millis();
    this.ranAt = start;
    this.runs++;
    this.#advanceWheel(start);
    let now = start;
    // As many as waited when it began: who keeps asking for another one does not keep it going.
    for (let turns = this.#waiting.size; turns > 0 && this.#waiting.size > 0; turns--) {
      const paced = this.#flushables[this.#waiting.take()] as Flushable;
      if (paced.flush(now) === AGAIN) this.scheduleNow(paced);
      now = this.#clock.millis();
      if (now - start >= this.#sliceTime) break;
    }
    if (this.#waiting.size > 0 && this.#timer) this.#immediate ??= setImmediate(this.#run);
  }

  #rearm(): void {
    clearTimeout(this.#timer);
    this.#isResting = this.#scheduled === 0;
    this.#timer = setTimeout(this.#beat, this.#isResting ? REST_TIME : SLOT_TIME);
  }

  #advanceWheel(now: number): void {
    const until = Math.floor(now / SLOT_TIME);
    // After a standstill longer than a revolution each slot is visited once.
    const from = Math.max(this.#slotTime + 1, until - SLOTS + 1);
    for (let slotTime = from; slotTime <= until; slotTime++) {
      let place = this.#wheel[slotTime % SLOTS];
      while (place !== NONE) {
        const next = this.#next[place];
        if (this.#due[place] <= now) {
          this.lag = now - this.#due[place];
          this.#unlink(place);
          this.#waiting.add(place);
        }
        place = next;
      }
    }
    this.#slotTime = Math.max(this.#slotTime, until);
  }

  #unlink(place: number): void {
    const slot = this.#slot[place];
    if (slot === NONE) return;
    const [next, previous] = [this.#next[place], this.#previous[place]];
    if (previous !== NONE) this.#next[previous] = next;
    else this.#wheel[slot] = next;
    if (next !== NONE) this.#previous[next] = previous;
    this.#slot[place] = NONE;
    this.#scheduled--;
  }

  #positionOf(paced: Flushable): number {
    if (paced.position !== NONE) return paced.position;
    const place = this.#free.pop() ?? this.#flushables.length;
    if (place === this.#due.length) this.#grow(place * 2);
    this.#flushables[place] = paced;
    this.#slot[place] = NONE;
    paced.position = place;
    return place;
  }

  #grow(places: number): void {
    this.#due = copied(new Float64Array(places), this.#due);
    this.#next = copied(new Int32Array(places), this.#next);
    this.#previous = copied(new Int32Array(places), this.#previous);
    this.#slot = copied(new Int32Array(places), this.#slot);
  }
}

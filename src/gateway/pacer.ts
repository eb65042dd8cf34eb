/**
 * The pacer decides whose turn it is. What is due stands in a queue, and is flushed in slices of a few milliseconds,
 * so that sockets and the bus are served in between. Nothing is ever due twice: when the process is saturated the
 * queue is gone through more slowly, intervals stretch, and the work per second stays the same.
 */
import type { Clock } from "../clock.ts";

/** What a flush came to. */
export const DONE = 0;
/** There is more to send and room for it: another turn, behind everyone else. */
export const AGAIN = 1;

/** Something that gets turns. The pacer keeps its place in the fields below. */
export abstract class Paced {
  /** When the next turn is due, ms of the clock; for one that is hurried, since when it would have been in time. */
  due = 0;
  /** Neighbours in a slot of the wheel. */
  next: Paced | undefined;
  previous: Paced | undefined;
  /** The slot of the wheel, or -1. */
  slot = -1;
  /** Whether it stands in the queue. */
  queued = false;

  /**
   * Takes a turn, at `now`, ms of the clock: the moment that its next turn is counted from and its frame tells, so that
   * the two never differ. Schedules its next one itself, with {@link Pacer.schedule}.
   * @returns `DONE` or `AGAIN`
   */
  abstract flush(now: number): number;
}

/** The wheel's resolution, ms: a turn is up to this late. */
const SLOT_TIME = 4;
/** Slots of the wheel; what is due later than a whole revolution (65 s) is passed by until it is. */
const SLOTS = 16_384;

export class Pacer {
  readonly #clock: Clock;
  readonly #sliceTime: number;
  readonly #wheel: (Paced | undefined)[] = new Array(SLOTS).fill(undefined);
  /** The number of the last slot time that was gone through. */
  #slotTime: number;
  /** First in, first out; a ring that grows to the number of subscriptions. */
  #queue: (Paced | undefined)[] = new Array(1_024).fill(undefined);
  #head = 0;
  #length = 0;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  /** How late the last turn was, ms: the saturation of the process. */
  lag = 0;

  /** @param sliceTime how long a slice may hold the event loop, ms */
  constructor(clock: Clock, sliceTime: number) {
    this.#clock = clock;
    this.#sliceTime = sliceTime;
    this.#slotTime = Math.floor(clock.millis() / SLOT_TIME);
  }

  /** Turns that wait. */
  get waiting(): number {
    return this.#length;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.run(), SLOT_TIME);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#immediate) clearImmediate(this.#immediate);
    this.#immediate = undefined;
  }

  /** Gives it a turn at `due`, ms; a turn that it had coming at another time is moved. */
  schedule(paced: Paced, due: number): void {
    this.#unlink(paced);
    paced.due = due;
    // Never into a slot that has been gone through: it would wait for a whole revolution.
    const slotTime = Math.max(Math.ceil(due / SLOT_TIME), this.#slotTime + 1);
    const slot = slotTime % SLOTS;
    const first = this.#wheel[slot];
    paced.slot = slot;
    paced.next = first;
    paced.previous = undefined;
    if (first) first.previous = paced;
    this.#wheel[slot] = paced;
  }

  /** Gives it a turn as soon as possible, besides the one that it has coming. */
  hurry(paced: Paced): void {
    if (paced.queued) return;
    paced.queued = true;
    if (this.#length === this.#queue.length) this.#growQueue();
    this.#queue[(this.#head + this.#length++) % this.#queue.length] = paced;
    if (this.#timer) this.#immediate ??= setImmediate(() => this.run());
  }

  /** Takes back the turn it has coming on the wheel. One in the queue comes still: a closed one lets it pass. */
  cancel(paced: Paced): void {
    this.#unlink(paced);
  }

  /** One slice: queues what has become due, and gives turns until the slice's time is over. */
  run(): void {
    this.#immediate = undefined;
    const start = this.#clock.millis();
    this.#turnWheel(start);
    let now = start;
    // What comes into the queue during the slice waits for the next one.
    for (let turns = this.#length; turns > 0; turns--) {
      const paced = this.#queue[this.#head] as Paced;
      this.#queue[this.#head] = undefined;
      this.#head = (this.#head + 1) % this.#queue.length;
      this.#length--;
      paced.queued = false;
      if (paced.flush(now) === AGAIN) this.hurry(paced);
      now = this.#clock.millis();
      if (now - start >= this.#sliceTime) break;
    }
    if (this.#length > 0 && this.#timer) this.#immediate ??= setImmediate(() => this.run());
  }

  #turnWheel(now: number): void {
    const until = Math.floor(now / SLOT_TIME);
    // After a standstill longer than a revolution each slot is visited once.
    const from = Math.max(this.#slotTime + 1, until - SLOTS + 1);
    for (let slotTime = from; slotTime <= until; slotTime++) {
      let paced = this.#wheel[slotTime % SLOTS];
      while (paced) {
        const next = paced.next;
        if (paced.due <= now) {
          this.lag = now - paced.due;
          this.#unlink(paced);
          this.hurry(paced);
        }
        paced = next;
      }
    }
    this.#slotTime = Math.max(this.#slotTime, until);
  }

  #unlink(paced: Paced): void {
    if (paced.slot < 0) return;
    if (paced.previous) paced.previous.next = paced.next;
    else this.#wheel[paced.slot] = paced.next;
    if (paced.next) paced.next.previous = paced.previous;
    paced.next = undefined;
    paced.previous = undefined;
    paced.slot = -1;
  }

  #growQueue(): void {
    const larger: (Paced | undefined)[] = new Array(this.#queue.length * 2).fill(undefined);
    for (let index = 0; index < this.#length; index++)
      larger[index] = this.#queue[(this.#head + index) % this.#queue.length];
    this.#queue = larger;
    this.#head = 0;
  }
}

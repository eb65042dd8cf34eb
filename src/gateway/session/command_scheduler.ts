/**
 * Executes the commands of all connections in steps, one connection after the other, so that ticks and the commands of
 * other connections are served in between: an unsubscribe of 20,000 symbols takes 40 ms in all.
 */
import type { Clock } from "../../base/clock.ts";

/** Work that is done in steps. */
export interface Runnable {
  /** Does one step, of half a millisecond or so. @returns whether there is more that can be done now */
  step(now: number): boolean;
}

/** The most symbols of one step: they take half a millisecond. */
const STEP_SYMBOLS = 256;

export class CommandScheduler {
  /** The most symbols of one step. */
  readonly stepSymbols: number;
  readonly #clock: Clock;
  readonly #sliceTime: number;
  /** In the order in which they get their next step. */
  readonly #waiting = new Set<Runnable>();
  /** How long commands have held the event loop in its current turn, ms. */
  #used = 0;
  #isStarted = false;
  #immediate: NodeJS.Immediate | undefined;
  /** Bytes of the messages whose commands wait or have begun. */
  pendingBytes = 0;

  /** @param sliceTime how long commands may hold the event loop, ms */
  constructor(clock: Clock, sliceTime: number, stepSymbols = STEP_SYMBOLS) {
    this.#clock = clock;
    this.#sliceTime = sliceTime;
    this.stepSymbols = stepSymbols;
  }

  /** Runs by itself from now on. */
  start(): void {
    this.#isStarted = true;
    if (this.#waiting.size > 0) this.#arm();
  }

  stop(): void {
    this.#isStarted = false;
    if (this.#immediate) clearImmediate(this.#immediate);
    this.#immediate = undefined;
  }

  /** How many wait for their next step. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Schedules a step. */
  add(runnable: Runnable): void {
    this.#waiting.add(runnable);
    this.#arm();
  }

  /** Schedules no more steps. */
  remove(runnable: Runnable): void {
    this.#waiting.delete(runnable);
  }

  /**
   * Runs it at once, if no other waits, for as long as this turn of the event loop has time for commands; the rest
   * later.
   */
  addFirst(runnable: Runnable): void {
    if (this.#waiting.size > 0) return this.add(runnable);
    if (this.#run(runnable)) this.add(runnable);
    else this.#arm();
  }

  /** Runs one slice: a step of each that waits, again and again, until the slice's time is over or none waits. */
  run(): void {
    this.#immediate = undefined;
    this.#used = 0;
    for (const runnable of this.#waiting) {
      this.#waiting.delete(runnable);
      // Appended: the loop comes to it again.
      if (this.#step(runnable)) this.#waiting.add(runnable);
      if (this.#used >= this.#sliceTime) break;
    }
    if (this.#waiting.size > 0) this.#arm();
  }

  /** @returns whether it has more to do */
  #run(runnable: Runnable): boolean {
    while (this.#used < this.#sliceTime) if (!this.#step(runnable)) return false;
    return true;
  }

  #step(runnable: Runnable): boolean {
    const start = this.#clock.millis();
    const hasMore = runnable.step(start);
    this.#used += this.#clock.millis() - start;
    return hasMore;
  }

  /** Schedules a slice in the next turn of the event loop. */
  #arm(): void {
    if (this.#isStarted) this.#immediate ??= setImmediate(() => this.run());
  }
}

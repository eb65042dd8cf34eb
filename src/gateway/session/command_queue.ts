/** One connection's commands: executed one after the other, in steps, no faster than its work limit allows. */
import type { Clock } from "../../base/clock.ts";
import type { CommandScheduler, Runnable } from "./command_scheduler.ts";
import type { TokenBucket } from "./token_bucket.ts";

/** The steps of the current command: each yields its cost, in symbols. */
export type Steps = Iterator<number, number>;

/** The session that the commands belong to. */
export interface CommandOwner {
  /** Whether the client takes answers: while it does not, no command is executed. */
  readonly isWritable: boolean;
  /** Whether new symbols must be granted before the next command. @param isAsked whether a command waits */
  mustCatchUp(isAsked: boolean): boolean;
  /** Grants new symbols, one step. */
  catchUp(): void;
  /**
   * Reads a message and begins its command.
   * @returns the steps, now or later; undefined when it has ended
   */
  begin(bytes: Uint8Array, isBinary: boolean): Steps | Promise<Steps | undefined> | undefined;
}

interface Message {
  bytes: Uint8Array;
  readonly isBinary: boolean;
}

/**
 * A message of up to so many bytes is read at once, however many commands of other connections wait: that takes 20 µs,
 * and answers a ping. Its steps, if it has any, wait like all others.
 */
const SMALL_MESSAGE = 128;
/** To read so many bytes of a message costs as much as one symbol. */
const BYTES_PER_SYMBOL = 64;

export class CommandQueue implements Runnable {
  readonly #owner: CommandOwner;
  readonly #scheduler: CommandScheduler;
  readonly #clock: Clock;
  readonly #work: TokenBucket;
  /** The most bytes of messages that wait. */
  readonly #limit: number;
  readonly #messages: Message[] = [];
  #bytes = 0;
  /** The current command, and the length of its message. */
  #steps: Steps | undefined;
  #stepsBytes = 0;
  /** Whether it has taken its first step. */
  #isUnderWay = false;
  /** Whether the current command has no steps yet, and has not ended. */
  #isAwaited = false;
  #isClosed = false;

  /** @param work symbols that the commands may handle @param limit the most bytes of messages that wait */
  constructor(owner: CommandOwner, scheduler: CommandScheduler, clock: Clock, work: TokenBucket, limit: number) {
    this.#owner = owner;
    this.#scheduler = scheduler;
    this.#clock = clock;
    this.#work = work;
    this.#limit = limit;
  }

  /**
   * Queues a message; it is read before this returns, or copied.
   * @param limit the most bytes that may wait in all of the gateway
   * @returns whether there is room for it
   */
  push(bytes: Uint8Array, isBinary: boolean, limit: number): boolean {
    const { length } = bytes;
    if (this.#bytes + length > this.#limit || this.#scheduler.pendingBytes + length > limit) return false;
    this.#addBytes(length);
    const message = { bytes, isBinary };
    if (length <= SMALL_MESSAGE && this.#mayBegin(this.#clock.millis())) this.#begin(message);
    else this.#messages.push(message);
    if (this.#messages.length > 1) this.#scheduler.add(this);
    else if (this.#hasWork) this.#scheduler.addFirst(this);
    if (this.#messages.at(-1) === message) message.bytes = bytes.slice();
    return true;
  }

  /** Something may be possible that was not before. */
  resume(): void {
    if (!this.#isClosed && this.#hasWork) this.#scheduler.add(this);
  }

  step(now: number): boolean {
    if (this.#isClosed || this.#isAwaited || !this.#owner.isWritable) return false;
    if (this.#mustCatchUp) this.#owner.catchUp();
    else if (this.#steps) this.#advance();
    else if (this.#messages.length === 0 || this.#work.isEmpty(now)) return false;
    else this.#begin(this.#messages.shift() as Message);
    return !this.#isClosed && this.#hasWork;
  }

  close(): void {
    this.#isClosed = true;
    this.#scheduler.remove(this);
    this.#addBytes(-this.#bytes);
    this.#messages.length = 0;
    this.#steps = undefined;
  }

  get #hasWork(): boolean {
    return !this.#isAwaited && (this.#steps !== undefined || this.#messages.length > 0 || this.#mustCatchUp);
  }

  /** Not during a command: that is about the symbols that existed at its first step. */
  get #mustCatchUp(): boolean {
    const isAsked = this.#steps !== undefined || this.#messages.length > 0;
    return !this.#isUnderWay && this.#owner.mustCatchUp(isAsked);
  }

  #begin({ bytes, isBinary }: Message): void {
    this.#stepsBytes = bytes.length;
    this.#work.spend(1 + bytes.length / BYTES_PER_SYMBOL);
    const begun = this.#owner.begin(bytes, isBinary);
    if (this.#isClosed) return;
    if (begun instanceof Promise) this.#await(begun);
    else if (begun) this.#steps = begun;
    else this.#addBytes(-this.#stepsBytes);
  }

  /** No other command begins until this one has ended. */
  #await(command: Promise<Steps | undefined>): void {
    this.#isAwaited = true;
    const end = (steps?: Steps) => {
      this.#isAwaited = false;
      if (this.#isClosed) return;
      if (steps) this.#steps = steps;
      else this.#addBytes(-this.#stepsBytes);
      this.resume();
    };
    command.then(end, (error) => {
      end();
      throw error;
    });
  }

  /** Whether a command that has just arrived may begin at once. */
  #mayBegin(now: number): boolean {
    const isIdle = !this.#steps && !this.#isAwaited && this.#messages.length === 0 && !this.#isClosed;
    return isIdle && this.#owner.isWritable && !this.#owner.mustCatchUp(true) && !this.#work.isEmpty(now);
  }

  #advance(): void {
    const { value, done } = (this.#steps as Steps).next();
    this.#work.spend(value);
    this.#isUnderWay = !done;
    if (!done || this.#isClosed) return;
    this.#steps = undefined;
    this.#addBytes(-this.#stepsBytes);
  }

  #addBytes(bytes: number): void {
    this.#bytes += bytes;
    this.#scheduler.pendingBytes += bytes;
  }
}

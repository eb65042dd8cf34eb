/** Checks the book of one symbol: whole, as deep as granted, best first, not crossed, and at the granted rate. */
import type { Target } from "../../src/msgpack/msgpack.ts";
import { FAULTS } from "./faults.ts";
import { Stream, type StreamTick } from "./stream.ts";
import { anyNumberAt, arrayHeadBytes, arrayLength, TICK_HEADER, VALUE_BYTES } from "./tick_bytes.ts";

/** The depth that is asked for: one that is granted as it is. */
export const DEPTH = 10;
/** The elements of a book: handle, seq, event time, bids, asks. */
const LENGTH = TICK_HEADER + 2;
const BIDS = -1;
const ASKS = 1;

export class BookStream extends Stream {
  readonly channel = "book";
  /** The next tick may have the `seq` of the last, after a gap or a grant; or any, after a reset. */
  #mayRepeat = false;
  #isFirst = true;
  /** The best price of the side that was read last; NaN if it is empty. */
  #best = Number.NaN;
  #isKeeping = false;
  #kept: number[] | undefined;

  /** @param interval microseconds */
  grant(interval: number, depth: unknown): void {
    this.grantAgain(interval);
    if (depth !== DEPTH) this.report(FAULTS.depth, `${depth}`);
    this.#isFirst = this.#mayRepeat = true;
  }

  read(target: Target, from: number, tick: StreamTick): number {
    const { seq, frame, eventTime } = tick;
    if (tick.length !== LENGTH) return -1;
    if (this.#isKeeping) this.#kept = [];
    const asksAt = this.#readSide(target, from, BIDS);
    const bid = this.#best;
    const end = asksAt < 0 ? -1 : this.#readSide(target, asksAt, ASKS);
    if (end < 0 || !this.isExpected(tick)) return end;
    if (bid >= this.#best) this.report(FAULTS.crossed, `${bid} and ${this.#best}`);
    if (frame === this.frame) this.report(FAULTS.twice);
    else this.checkInterval(tick);
    this.frame = frame;
    this.sentAt = tick.sentAt;
    if (seq < this.seq) this.report(FAULTS.wentBack, `${this.seq} to ${seq}`);
    else if (seq === this.seq && !this.#mayRepeat) this.report(FAULTS.repeated, String(seq));
    this.seq = seq;
    this.wire.streamTick(this.channel, this.#isFirst ? Number.NaN : eventTime);
    this.#isFirst = this.#mayRepeat = false;
    return end;
  }

  gap(isReset: boolean): void {
    if (isReset) this.seq = 0;
    this.#mayRepeat = this.#isFirst = true;
  }

  override keepValues(): void {
    this.#isKeeping = true;
  }

  /** The prices and sizes of the last book: those of the bids first. */
  override get values(): readonly number[] | undefined {
    return this.#kept;
  }

  /** @returns where the side ends; negative if it cannot be read */
  #readSide(target: Target, from: number, side: typeof BIDS | typeof ASKS): number {
    const { bytes } = target;
    const numbers = arrayLength(target, from);
    this.#best = Number.NaN;
    if (numbers < 0) return -1;
    if (numbers % 2 !== 0) this.report(FAULTS.notABook, `${numbers} numbers`);
    if (numbers > DEPTH * 2) this.report(FAULTS.tooDeep, `${numbers / 2}`);
    let at = from + arrayHeadBytes(target, from);
    let before = side * Number.NEGATIVE_INFINITY;
    for (let index = 0; index < numbers; index++) {
      const width = VALUE_BYTES[bytes[at]];
      if (width === 0) return -1;
      const value = anyNumberAt(target, at);
      at += width;
      this.#kept?.push(value);
      if (index % 2 === 1) {
        if (!(value > 0)) this.report(FAULTS.notABook, `a size of ${value}`);
        continue;
      }
      if (!Number.isFinite(value)) this.report(FAULTS.notABook, `a price of ${value}`);
      // Negated, so that the better price of either side is the smaller one.
      else if ((value - before) * side <= 0) this.report(FAULTS.unordered, `${before} and ${value}`);
      if (index === 0) this.#best = value;
      before = value;
    }
    return at;
  }
}

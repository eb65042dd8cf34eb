/** Checks the trades of one symbol: each once, in order, the past ones first, and each loss told of. */
import type { Target } from "../../src/msgpack/msgpack.ts";
import { FAULTS } from "./faults.ts";
import { FULL_FRAME, Stream, type StreamTick } from "./stream.ts";
import { anyNumberAt, TICK_HEADER, textBytes, VALUE_BYTES } from "./tick_bytes.ts";

/** How many past trades are asked for. */
export const LAST = 10;
/** The elements of a trade: handle, seq, event time, price, size, side, id. */
const LENGTH = TICK_HEADER + 4;

export class TapeStream extends Stream {
  readonly channel = "trade";
  /** Past trades that are still to come. */
  #past = 0;
  /** Whether the number of the next trade is known. */
  #isCounted = false;
  #mayFollowAtOnce = false;

  /** @param interval microseconds @param count past trades that come first */
  grant(interval: number, count: number): void {
    this.grantAgain(interval);
    if (!(count >= 0 && count <= LAST)) this.report(FAULTS.tooManyPast, `${count} of ${LAST}`);
    this.#past = count;
    if (count > 0) this.seq = 0;
    // Without past ones, any later one may be the first.
    this.#isCounted = false;
  }

  read(target: Target, from: number, tick: StreamTick): number {
    const { seq, eventTime, frame } = tick;
    const { bytes } = target;
    const price = anyNumberAt(target, from);
    let at = from + VALUE_BYTES[bytes[from]];
    const size = anyNumberAt(target, at);
    at += VALUE_BYTES[bytes[at]];
    const side = anyNumberAt(target, at);
    at += VALUE_BYTES[bytes[at]];
    const id = textBytes(target, at);
    if (tick.length !== LENGTH || id === 0) return -1;
    if (!this.isExpected(tick)) return at + id;
    if (!Number.isFinite(price) || !(size > 0) || !(side === 1 || side === -1 || side === 0))
      this.report(FAULTS.notATrade, `${price} ${size} ${side}`);
    if (frame !== this.frame && !this.#mayFollowAtOnce) this.checkInterval(tick);
    this.frame = frame;
    this.sentAt = tick.sentAt;
    this.#mayFollowAtOnce = tick.bytes > FULL_FRAME;
    if (seq <= this.seq) this.report(FAULTS.tradeBack, `${this.seq} to ${seq}`);
    else if (this.#isCounted && seq !== this.seq + 1) this.report(FAULTS.tradeLost, `${this.seq} to ${seq}`);
    this.seq = seq;
    this.#isCounted = true;
    const isPast = this.#past > 0;
    if (isPast) this.#past--;
    this.wire.streamTick(this.channel, isPast ? Number.NaN : eventTime);
    return at + id;
  }

  gap(isReset: boolean, missed: unknown): void {
    this.#mayFollowAtOnce = true;
    if (isReset) {
      this.seq = 0;
      this.#isCounted = false;
      this.#past = 0;
      return;
    }
    if (!(typeof missed === "number" && missed >= 1)) return this.report(FAULTS.noMissed, String(missed));
    // A client that reads too slowly may miss these too.
    if (this.#past > 0 && this.wire.reader === "healthy") this.report(FAULTS.gapInPast, `${this.#past} to come`);
    this.#past = 0;
    if (this.#isCounted) this.seq += missed;
    this.wire.addMissed(missed);
  }
}

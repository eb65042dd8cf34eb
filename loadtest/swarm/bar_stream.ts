/** Checks the bars of one symbol and resolution: those of {@link BarChecks}, and that they come at the granted rate. */
import { barLength } from "../../src/market/market_name.ts";
import type { Target } from "../../src/msgpack/msgpack.ts";
import type { Resolution } from "../../src/protocol/messages.ts";
import { BAR_VALUES, BarChecks } from "../bar_checks.ts";
import { FAULTS } from "./faults.ts";
import { FULL_FRAME, Stream, type StreamTick } from "./stream.ts";
import { anyNumberAt, TICK_HEADER, VALUE_BYTES } from "./tick_bytes.ts";

/** The elements of a bar: handle, seq, start, and the other values. */
const LENGTH = TICK_HEADER + BAR_VALUES - 1;
/** Bars whose values are compared with the market's. */
export const COMPARED_BARS = 3;

export class BarStream extends Stream {
  readonly channel = "bar";
  readonly #resolution: Resolution;
  readonly #checks: BarChecks;
  readonly #values = new Float64Array(BAR_VALUES);
  #mayFollowAtOnce = false;
  #isKeeping = false;

  constructor(wire: Stream["wire"], slot: number, resolution: Resolution) {
    super(wire, slot);
    this.#resolution = resolution;
    this.#checks = new BarChecks(barLength(`bar:${resolution}`), (fault, detail) => this.report(FAULTS[fault], detail));
  }

  /** @param interval microseconds @param count past bars that come first */
  grant(interval: number, count: number, resolution: unknown): void {
    this.grantAgain(interval);
    if (resolution !== this.#resolution) this.report(FAULTS.resolution, String(resolution));
    this.#checks.grant(count);
    this.seq = 0;
  }

  read(target: Target, from: number, tick: StreamTick): number {
    if (tick.length !== LENGTH) return -1;
    const values = this.#values;
    values[0] = tick.eventTime;
    let at = from;
    for (let index = 1; index < BAR_VALUES; index++) {
      const width = VALUE_BYTES[target.bytes[at]];
      if (width === 0) return -1;
      values[index] = anyNumberAt(target, at);
      at += width;
    }
    if (this.hasEnded) {
      this.report(FAULTS.unsubscribed);
      return at;
    }
    if (tick.frame !== this.frame && !this.#mayFollowAtOnce) {
      this.checkInterval(tick);
      this.#checks.endBatch();
    }
    this.frame = tick.frame;
    this.sentAt = tick.sentAt;
    this.#mayFollowAtOnce = tick.bytes > FULL_FRAME;
    this.#checks.check(tick.seq, values);
    this.seq = this.#checks.seq;
    this.wire.streamTick(this.channel, Number.NaN);
    return at;
  }

  gap(isReset: boolean): void {
    this.#mayFollowAtOnce = true;
    this.#checks.gap(isReset);
    this.seq = this.#checks.seq;
  }

  override keepValues(): void {
    this.#isKeeping = true;
  }

  /** The values of the latest bars. */
  override get values(): readonly number[] | undefined {
    return this.#isKeeping ? this.#checks.latest(COMPARED_BARS) : undefined;
  }
}

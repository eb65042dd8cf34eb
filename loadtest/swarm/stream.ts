/** A symbol of one connection in another channel than quotes: its grant, and what its ticks have in common. */
import type { Target } from "../../src/msgpack/msgpack.ts";
import { FAULTS } from "./faults.ts";
import type { StreamChannel, StreamState, Wire } from "./protocol.ts";

/**
 * A frame of more bytes may have been full: the trades or bars of one interval then come in several. A frame has at
 * least a quarter of the smallest window (`--window-min`), and one more might not have fitted.
 */
export const FULL_FRAME = 400;

/** A tick, and the frame that has it. */
export interface StreamTick {
  /** Elements of the tick. */
  readonly length: number;
  readonly seq: number;
  /** Of a bar: its start. */
  readonly eventTime: number;
  readonly sentAt: number;
  /** The number and the size of the frame. */
  readonly frame: number;
  readonly bytes: number;
}

export abstract class Stream implements StreamState {
  abstract readonly channel: StreamChannel;
  readonly slot: number;
  seq = 0;
  handle = -1;
  protected readonly wire: Wire;
  /** The granted interval, microseconds. */
  protected interval = 0;
  protected hasEnded = false;
  /** `sentAt` and number of the last frame with a tick of it. */
  protected sentAt = 0;
  protected frame = 0;

  constructor(wire: Wire, slot: number) {
    this.wire = wire;
    this.slot = slot;
  }

  /** @param interval microseconds */
  protected grantAgain(interval: number): void {
    this.interval = interval;
    this.hasEnded = false;
    this.sentAt = 0;
  }

  end(): void {
    this.hasEnded = true;
  }

  /** Reads a tick from behind its header. @returns where it ends; negative if it cannot be read */
  abstract read(target: Target, at: number, tick: StreamTick): number;

  /** A `status` `gap`. @param missed as it is in the message */
  abstract gap(isReset: boolean, missed: unknown): void;

  /** From now on keeps its last values, if they are compared. */
  keepValues(): void {}

  get values(): readonly number[] | undefined {
    return undefined;
  }

  /** Checks what holds for a tick of any channel. @returns whether it counts */
  protected isExpected({ seq }: StreamTick): boolean {
    if (this.hasEnded) this.report(FAULTS.unsubscribed);
    else if (!(seq >= 1) || !Number.isInteger(seq)) this.report(FAULTS.notCounted, String(seq));
    else return true;
    return false;
  }

  protected checkInterval({ sentAt }: StreamTick): void {
    const after = sentAt - this.sentAt;
    if (after < this.interval) this.report(FAULTS.tooSoon, `${(after / 1_000).toFixed(3)} ms`);
  }

  protected report(name: string, detail = ""): void {
    this.wire.reportFault(name, `${this.wire.selection.nameAt(this.slot)} ${this.channel} ${detail}`.trimEnd());
  }
}

/** One frame under construction: ticks copied one behind the other. One of it serves all connections in turn. */
import type { TickEncoder } from "../market/encoder.ts";
import { MSGPACK, type TickFormat } from "../market/format.ts";
import { MAX_FRAME_BYTES } from "../protocol/messages.ts";
import { createTarget } from "../protocol/msgpack.ts";

/** The shortest that a tick can be: an array's head and four numbers of one byte each. */
const MIN_TICK_BYTES = 5;

export class Frame {
  readonly #target = createTarget(MAX_FRAME_BYTES);
  /** The rows of the ticks in the frame, as many as {@link count}. */
  readonly rows = new Int32Array(Math.ceil(MAX_FRAME_BYTES / MIN_TICK_BYTES));
  #format: TickFormat = MSGPACK;
  #at = 0;
  #limit = 0;
  /** Ticks in the frame. */
  count = 0;

  /** When the frame is written, microseconds since the Unix epoch. */
  sentAt = 0;

  /** Starts a frame of at most `limit` bytes, and never more than a frame may have. */
  begin(format: TickFormat, limit: number, sentAt: number): void {
    this.sentAt = sentAt;
    this.#format = format;
    this.#at = format.headBytes;
    this.#limit = Math.min(limit, MAX_FRAME_BYTES) - format.tailBytes;
    this.count = 0;
  }

  /** Whether one more tick of this encoder fits; the first always does, or a narrow window would stop all. */
  fits(encoder: TickEncoder): boolean {
    return this.#at + encoder.maxTickBytes <= this.#limit || this.count === 0;
  }

  add(encoder: TickEncoder, row: number): void {
    this.#at = encoder.write(row, this.#target, this.#at);
    this.rows[this.count++] = row;
  }

  /** The frame's bytes, good until the next `begin`. */
  finish(): Uint8Array {
    return this.#format.finish(this.#target, this.#at, this.count, this.sentAt);
  }
}

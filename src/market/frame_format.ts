/**
 * The two formats of a data frame: MessagePack and JSON. In both, a frame is a head, the encoded ticks and an end, so
 * that encoded ticks can be copied into any frame. Each channel has ticks of its own form.
 */

import { MAX_NUMBER_BYTES, type Target, writeArrayHead, writeNumber } from "../msgpack/msgpack.ts";
import type { Payload } from "./payload.ts";
import type { MarketTable } from "./table.ts";

/** How a frame begins and ends. */
export interface FrameFormat {
  /** Whether frames are binary messages. */
  readonly binary: boolean;
  /** The largest size of the head: the first tick of a frame is behind it. */
  readonly headBytes: number;
  readonly tailBytes: number;
  /**
   * Makes a frame of the ticks from `start + headBytes` to `end`.
   * @param sentAt microseconds since the Unix epoch
   * @returns where the frame begins, which ends at `end + tailBytes`
   */
  finish(target: Target, start: number, end: number, count: number, sentAt: number): number;
}

/** And the form of a channel's ticks. */
export interface TickFormat<P extends Payload> extends FrameFormat {
  /** The largest tick of this selection, in bytes. */
  maxTickBytes(selection: Uint8Array): number;
  /**
   * Writes `[handle, seq, eventTime, …]`.
   * @param selection what the client wants of the payload: a quote's fields by their positions, a book's depth
   * @returns the position behind it
   */
  writeTick(target: Target, at: number, table: MarketTable<P>, row: number, selection: Uint8Array): number;
}

/** Largest head: array 16 (3 bytes) and `sentAt` as a double (9). */
const MSGPACK_HEAD = 3 + MAX_NUMBER_BYTES;

export const MSGPACK_FRAME: FrameFormat = {
  binary: true,
  headBytes: MSGPACK_HEAD,
  tailBytes: 0,
  finish({ view }, start, _end, count, sentAt) {
    // The head of a short frame is two bytes shorter: it starts later.
    const first = count + 1 < 16 ? start + 2 : start;
    view.setUint8(start + MSGPACK_HEAD - 9, 0xcb);
    view.setFloat64(start + MSGPACK_HEAD - 8, sentAt);
    writeArrayHead(view, first, count + 1);
    return first;
  },
};

/** `[` and `sentAt` in 16 digits, as it is from 2001 to 2286. */
const JSON_HEAD = 17;
/** The longest double in JSON (-0.0000012345678901234567), and a comma. */
export const JSON_NUMBER = 26;

export const JSON_FRAME: FrameFormat = {
  binary: false,
  headBytes: JSON_HEAD,
  tailBytes: 1,
  finish({ bytes }, start, end, _count, sentAt) {
    bytes[start] = 0x5b;
    bytes.write(String(sentAt), start + 1, "latin1");
    bytes[end] = 0x5d;
    return start;
  },
};

/** Writes `handle, seq, eventTime` of a row in MessagePack. */
export function writeRow(view: DataView, at: number, table: MarketTable, row: number): number {
  const end = writeNumber(view, at, table.firstHandle + table.handle[row]);
  return writeNumber(view, writeNumber(view, end, table.seq[row]), table.eventTime[row]);
}

/** The same in JSON. */
export function rowText(table: MarketTable, row: number): string {
  const handle = table.firstHandle + table.handle[row];
  return `${handle},${numberText(table.seq[row])},${numberText(table.eventTime[row])}`;
}

/** A number in JSON, which has no form for one that is not finite. */
export function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : "null";
}

/**
 * The two formats of a data frame: MessagePack and JSON. In both, a frame is a head, the encoded ticks and an end, so
 * that encoded ticks can be copied into any frame.
 */

import { FIELD_COUNT } from "../base/tick.ts";
import { MAX_NUMBER_BYTES, type Target, writeArrayHead, writeNumber } from "../msgpack/msgpack.ts";
import type { MarketTable } from "./table.ts";

export interface TickFormat {
  /** Whether frames are binary messages. */
  readonly binary: boolean;
  /** The largest size of the head: the first tick of a frame is behind it. */
  readonly headBytes: number;
  readonly tailBytes: number;
  /** The largest tick of so many fields, in bytes. */
  maxTickBytes(fieldCount: number): number;
  /**
   * Writes `[handle, seq, eventTime, value, …]`.
   * @returns the position behind it
   */
  writeTick(target: Target, at: number, table: MarketTable, row: number, fields: Uint8Array): number;
  /**
   * Makes a frame of the ticks from `start + headBytes` to `end`.
   * @param sentAt microseconds since the Unix epoch
   * @returns where the frame begins, which ends at `end + tailBytes`
   */
  finish(target: Target, start: number, end: number, count: number, sentAt: number): number;
}

/** Largest head: array 16 (3 bytes) and `sentAt` as a double (9). */
const MSGPACK_HEAD = 3 + MAX_NUMBER_BYTES;

export const MSGPACK: TickFormat = {
  binary: true,
  headBytes: MSGPACK_HEAD,
  tailBytes: 0,
  maxTickBytes: (fieldCount) => 1 + (3 + fieldCount) * MAX_NUMBER_BYTES,
  writeTick({ view }, at, table, row, fields) {
    let end = writeArrayHead(view, at, 3 + fields.length);
    end = writeNumber(view, end, table.handle[row]);
    end = writeNumber(view, end, table.seq[row]);
    end = writeNumber(view, end, table.eventTime[row]);
    const base = row * FIELD_COUNT;
    for (let index = 0; index < fields.length; index++)
      end = writeNumber(view, end, table.values[base + fields[index]]);
    return end;
  },
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
const JSON_NUMBER = 26;

export const JSON_TEXT: TickFormat = {
  binary: false,
  headBytes: JSON_HEAD,
  tailBytes: 1,
  maxTickBytes: (fieldCount) => 2 + (3 + fieldCount) * JSON_NUMBER,
  // A tick begins with the comma that separates it from the element before.
  writeTick({ bytes }, at, table, row, fields) {
    let text = `,[${table.handle[row]},${numberText(table.seq[row])},${numberText(table.eventTime[row])}`;
    const base = row * FIELD_COUNT;
    for (let index = 0; index < fields.length; index++) text += `,${numberText(table.values[base + fields[index]])}`;
    return at + bytes.write(`${text}]`, at, "latin1");
  },
  finish({ bytes }, start, end, _count, sentAt) {
    bytes[start] = 0x5b;
    bytes.write(String(sentAt), start + 1, "latin1");
    bytes[end] = 0x5d;
    return start;
  },
};

/** A number in JSON, which has no form for one that is not finite. */
function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : "null";
}

/**
 * A tick as the peers send it: an array of the symbol's number in the market, `seq`, the event time in microseconds and
 * all values. Numbers instead of names and arrays instead of maps make the payload as small as possible.
 */

import { FIELD_COUNT } from "../../src/base/tick.ts";
import { createTarget, MAX_NUMBER_BYTES, writeArrayHead, writeNumber } from "../../src/msgpack/msgpack.ts";

/** Number, `seq` and time come before the values. */
const LENGTH = 3 + FIELD_COUNT;
const scratch = createTarget(3 + LENGTH * MAX_NUMBER_BYTES);

/** The tick as values, null where a value is unknown. */
export function arrayTick(number: number, seq: number, eventTime: number, values: Float64Array): (number | null)[] {
  const tick: (number | null)[] = [number, seq, eventTime];
  for (const value of values) tick.push(Number.isNaN(value) ? null : value);
  return tick;
}

/** The tick as JSON. */
export function jsonTick(number: number, seq: number, eventTime: number, values: Float64Array): string {
  let text = `[${number},${seq},${eventTime}`;
  for (const value of values) text += Number.isNaN(value) ? ",null" : `,${value}`;
  return `${text}]`;
}

/** The tick as MessagePack. The caller owns the bytes. */
export function msgpackTick(number: number, seq: number, eventTime: number, values: Float64Array): Buffer {
  const { bytes, view } = scratch;
  let at = writeArrayHead(view, 0, LENGTH);
  at = writeNumber(view, at, number);
  at = writeNumber(view, at, seq);
  at = writeNumber(view, at, eventTime);
  for (const value of values) at = writeNumber(view, at, value);
  return Buffer.from(bytes.subarray(0, at));
}

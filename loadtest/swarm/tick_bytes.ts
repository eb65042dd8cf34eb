/** Reads MessagePack numbers in place, so that decoding a tick allocates nothing. */
import type { Target } from "../../src/msgpack/msgpack.ts";

const NIL = 0xc0;
const FLOAT_32 = 0xca;
const DOUBLE = 0xcb;
const UINT_8 = 0xcc;
const UINT_16 = 0xcd;
const UINT_32 = 0xce;
const UINT_64 = 0xcf;
const INT_8 = 0xd0;
const INT_64 = 0xd3;
const INT_16 = 0xd1;
const INT_32 = 0xd2;
const STRING_8 = 0xd9;
const ARRAY_16 = 0xdc;

/** `handle`, `seq` and `eventTime` come before a tick's values. */
export const TICK_HEADER = 3;

/** The size of a number or nil, by its first byte; 0 for other types. */
export const VALUE_BYTES = Uint8Array.from({ length: 256 }, (_, first) => {
  if (first < 0x80 || first >= 0xe0 || first === NIL) return 1;
  if (first === FLOAT_32) return 5;
  if (first === DOUBLE) return 9;
  if (first >= UINT_8 && first <= UINT_64) return 1 + 2 ** (first - UINT_8);
  return first >= INT_8 && first <= INT_64 ? 1 + 2 ** (first - INT_8) : 0;
});

/** Whether a message is a control message, which is a map. */
export function isControl(first: number): boolean {
  return (first & 0xf0) === 0x80 || first === 0xde;
}

/** The number of elements of the array at `at`; -1 if it is not an array. */
export function arrayLength({ bytes, view }: Target, at: number): number {
  if ((bytes[at] & 0xf0) === 0x90) return bytes[at] & 0x0f;
  return bytes[at] === ARRAY_16 ? view.getUint16(at + 1) : -1;
}

/** The size of the head of the array at `at`. */
export function arrayHeadBytes({ bytes }: Target, at: number): number {
  return bytes[at] === ARRAY_16 ? 3 : 1;
}

/** The number at `at`; NaN if it is negative or not a number. */
export function numberAt({ bytes, view }: Target, at: number): number {
  const first = bytes[at];
  if (first < 0x80) return first;
  switch (first) {
    case DOUBLE:
      return view.getFloat64(at + 1);
    case UINT_8:
      return bytes[at + 1];
    case UINT_16:
      return view.getUint16(at + 1);
    case UINT_32:
      return view.getUint32(at + 1);
    case UINT_64:
      return view.getUint32(at + 1) * 2 ** 32 + view.getUint32(at + 5);
    case FLOAT_32:
      return view.getFloat32(at + 1);
    default:
      return Number.NaN;
  }
}

/** The number at `at`, which may be negative; NaN if it is none. */
export function anyNumberAt(target: Target, at: number): number {
  const { bytes, view } = target;
  switch (bytes[at]) {
    case INT_8:
      return view.getInt8(at + 1);
    case INT_16:
      return view.getInt16(at + 1);
    case INT_32:
      return view.getInt32(at + 1);
    case INT_64:
      return Number(view.getBigInt64(at + 1));
    default:
      return bytes[at] >= 0xe0 ? bytes[at] - 0x100 : numberAt(target, at);
  }
}

/** The size of the string of at most 255 bytes, or the nil, at `at`; 0 for other types. */
export function textBytes({ bytes }: Target, at: number): number {
  const first = bytes[at];
  if (first === NIL) return 1;
  if (first >= 0xa0 && first < NIL) return 1 + (first & 0x1f);
  return first === STRING_8 ? 2 + bytes[at + 1] : 0;
}

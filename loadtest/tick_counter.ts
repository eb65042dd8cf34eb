/** Counts the ticks of data frames and their ages, without making an object of any of them. */
import type { Target } from "../src/protocol/msgpack.ts";
import type { Ages } from "./ages.ts";

/** How many bytes a number or nil takes, by its first byte; 0 where that begins something else. */
const NUMBER_BYTES = Uint8Array.from({ length: 256 }, (_, first) => {
  if (first < 0x80 || first >= 0xe0 || first === 0xc0) return 1;
  const sizes: Record<number, number> = { 202: 5, 203: 9, 204: 2, 205: 3, 206: 5, 207: 9 };
  return sizes[first] ?? (first >= 0xd0 && first <= 0xd3 ? 1 + 2 ** (first - 0xd0) : 0);
});
const DOUBLE = 0xcb;
const ARRAY_16 = 0xdc;
/** `handle`, `seq` and `eventTime` stand before a tick's values. */
const BEFORE_VALUES = 3;

/** Whether a message is a control message: those are maps. */
export function isControl(first: number): boolean {
  return (first & 0xf0) === 0x80 || first === 0xde;
}

/**
 * Counts the ticks of one data frame.
 * @param now microseconds since the Unix epoch, from which ages are counted
 * @returns how many ticks; -1 when it is no data frame
 */
export function countTicks({ bytes, view }: Target, start: number, end: number, now: number, ages: Ages): number {
  let at = start;
  let elements = bytes[at] & 0x0f;
  if (bytes[at] === ARRAY_16) {
    elements = view.getUint16(at + 1);
    at += 3;
  } else if ((bytes[at] & 0xf0) === 0x90) at++;
  else return -1;
  // sentAt
  if (bytes[at] !== DOUBLE) return -1;
  at += 9;
  for (let tick = 1; tick < elements; tick++) {
    const values = (bytes[at] & 0x0f) - BEFORE_VALUES;
    if ((bytes[at] & 0xf0) !== 0x90 || values < 0) return -1;
    at++;
    at += NUMBER_BYTES[bytes[at]];
    at += NUMBER_BYTES[bytes[at]];
    if (bytes[at] !== DOUBLE) return -1;
    ages.observe(now - view.getFloat64(at + 1));
    at += 9;
    for (let value = 0; value < values; value++) {
      const size = NUMBER_BYTES[bytes[at]];
      if (size === 0) return -1;
      at += size;
    }
    if (at > end) return -1;
  }
  return at === end ? elements - 1 : -1;
}

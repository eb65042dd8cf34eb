/** Control messages are at most 16 KiB: longer lists are cut into parts, each sent in a message of its own. */
import { MAX_CONTROL_BYTES } from "../../protocol/messages.ts";

/**
 * What a message has besides its list, bytes: an id of 64 characters or a reason of 255, each escaped, and its keys.
 */
const HEAD_BYTES = 2_048;

/** Cuts a list into parts that fit. @param bytesOf the most bytes of an element in JSON or MessagePack */
export function splitParts<T>(list: readonly T[], bytesOf: (element: T) => number): T[][] {
  const cut: T[][] = [];
  let left = 0;
  for (const element of list) {
    const bytes = bytesOf(element);
    if (bytes > left) {
      cut.push([]);
      left = MAX_CONTROL_BYTES - HEAD_BYTES;
    }
    left -= bytes;
    cut[cut.length - 1].push(element);
  }
  return cut;
}

/** The bytes of a symbol in a list: its characters are single bytes. */
export function symbolBytes(symbol: string): number {
  return symbol.length + 3;
}

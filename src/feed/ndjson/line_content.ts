/** Reads the keys `trade` and `book` of a line. */
import type { BookSides } from "../../market/book/book_payload.ts";
import { MAX_ID_CHARACTERS, type Trade } from "../../market/trade/trade_ring.ts";
import { BadLine } from "./bad_line.ts";

/** The most levels of a side of a line: a line has at most 64 KiB. */
const MAX_LEVELS = 10_000;
const SIDES: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  ["buy", 1],
  ["sell", -1],
  [null, 0],
  [1, 1],
  [-1, -1],
  [0, 0],
]);
const ID = new RegExp(`^[\\x20-\\x7e]{1,${MAX_ID_CHARACTERS}}$`);

/** Reads `{price, size, side?, id?}`: `side` is what the taker did, `"buy"` or 1, `"sell"` or -1. */
export function readTrade(value: unknown): Trade | BadLine {
  if (typeof value !== "object" || value === null) return new BadLine('"trade" must be an object');
  const { price, size, side = null, id = null } = value as Record<string, unknown>;
  if (!isNumber(price)) return new BadLine('"trade.price" must be a number');
  if (!isNumber(size) || size <= 0) return new BadLine('"trade.size" must be a number above 0');
  const sign = SIDES.get(side);
  if (sign === undefined) return new BadLine('"trade.side" must be "buy", "sell" or null');
  // Beyond 2^53 several ids are one number: trades would look like repeated ones.
  if (typeof id === "number" && Math.abs(id) > Number.MAX_SAFE_INTEGER)
    return new BadLine('"trade.id" must be a text where it is a number above 2^53');
  const text = typeof id === "number" ? String(id) : id;
  if (text !== null && !(typeof text === "string" && ID.test(text)))
    return new BadLine(
      `"trade.id" must be a text of 1 to ${MAX_ID_CHARACTERS} printable ASCII characters, or a number`,
    );
  return { price: price + 0, size, side: sign, id: text };
}

/**
 * Reads `{bids, asks}`, each a list of `[price, size]` in any order; levels of size 0 are left out. A side that is not
 * given is empty.
 */
export function readBook(value: unknown): BookSides | BadLine {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return new BadLine('"book" must be an object');
  const { bids, asks } = value as Record<string, unknown>;
  const [bidSide, askSide] = [readSide(bids, "bids", -1), readSide(asks, "asks", 1)];
  if (bidSide instanceof BadLine) return bidSide;
  return askSide instanceof BadLine ? askSide : { bids: bidSide, asks: askSide };
}

function readSide(value: unknown, name: string, sign: number): number[] | BadLine {
  if (value === undefined || value === null) return [];
  const wrong = new BadLine(`"book.${name}" must be a list of at most ${MAX_LEVELS} pairs [price, size]`);
  if (!Array.isArray(value) || value.length > MAX_LEVELS) return wrong;
  const levels: [number, number][] = [];
  for (const level of value as unknown[]) {
    if (!Array.isArray(level)) return wrong;
    const [price, size] = level as unknown[];
    if (!isNumber(price) || !isNumber(size) || size < 0) return wrong;
    if (size > 0) levels.push([price, size]);
  }
  levels.sort(([one], [other]) => (one - other) * sign);
  return levels.flat();
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

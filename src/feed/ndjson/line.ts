/** Parses one line of NDJSON into a tick. docs/feeds.md describes the format. */
import { FIELDS, isSymbol, SYMBOL_CHARACTERS, type TickPatch } from "../../base/tick.ts";
import type { BookSides } from "../../market/book/book_payload.ts";
import type { Trade } from "../../market/trade/trade_ring.ts";
import { clearZeroPairs } from "../price_pairs.ts";
import { isoMicros } from "../time.ts";
import { BadLine } from "./bad_line.ts";
import { readBook, readTrade } from "./line_content.ts";

/** Times outside these limits are mistakes: most are in another unit, which the size of the number shows. */
const EARLIEST = Date.UTC(2000, 0, 1) * 1_000;
const LATEST = Date.UTC(2100, 0, 1) * 1_000;
const UNITS = [
  { name: "seconds", micros: 1_000_000 },
  { name: "milliseconds", micros: 1_000 },
  { name: "nanoseconds", micros: 0.001 },
];

/** The content of a line: fields of the quote, a trade, a book, or several of them. */
export interface LineTick {
  readonly symbol: string;
  /** Undefined where the line has none of its fields. */
  readonly patch: TickPatch | undefined;
  readonly trade: Trade | undefined;
  readonly book: BookSides | undefined;
  /** Microseconds since the Unix epoch; undefined when the line has none. */
  readonly time: number | undefined;
}

/** Parses a line; unknown keys are ignored. */
export function parseLine(line: string): LineTick | BadLine {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return new BadLine("is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return new BadLine("is not a JSON object");
  const object = value as Record<string, unknown>;
  const { symbol } = object;
  if (typeof symbol !== "string") return new BadLine('has no "symbol"');
  if (!isSymbol(symbol)) return new BadLine(`"symbol" must be 1 to 64 of ${SYMBOL_CHARACTERS}`, "invalid_symbol");
  const patch: TickPatch = {};
  let fields = 0;
  for (const field of FIELDS) {
    if (!Object.hasOwn(object, field)) continue;
    const given = object[field];
    if (given !== null && (typeof given !== "number" || !Number.isFinite(given)))
      return new BadLine(`"${field}" must be a number or null`);
    // Adding 0 turns -0 into 0; -0 would be shown with its sign.
    patch[field] = given === null ? null : given + 0;
    fields++;
  }
  clearZeroPairs(patch);
  const trade = isGiven(object.trade) ? readTrade(object.trade) : undefined;
  if (trade instanceof BadLine) return trade;
  const book = isGiven(object.book) ? readBook(object.book) : undefined;
  if (book instanceof BadLine) return book;
  const hasTime = Object.hasOwn(object, "time");
  if (!hasTime && fields === 0 && !trade && !book) return new BadLine("has neither a field nor a time");
  // A time by itself says that the quote is as it was.
  const isQuote = fields > 0 || !(trade || book);
  const content = { symbol, patch: isQuote ? patch : undefined, trade, book };
  if (!hasTime) return { ...content, time: undefined };
  const time = micros(object.time);
  if (Number.isNaN(time))
    return new BadLine(
      '"time" must be microseconds since the Unix epoch, or an ISO time with a zone: 2024-01-31T12:00:00.000001Z',
    );
  if (time < EARLIEST || time >= LATEST) return new BadLine(strangeTime(object.time, time));
  return { ...content, time };
}

/** Null means the same as no key. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function micros(value: unknown): number {
  if (typeof value === "string") return isoMicros(value);
  return typeof value === "number" ? Math.round(value) : Number.NaN;
}

/** Why a time is refused, with a hint when it is probably in another unit. */
function strangeTime(given: unknown, time: number): string {
  const unit = UNITS.find(({ micros }) => time * micros >= EARLIEST && time * micros < LATEST);
  if (unit && typeof given === "number")
    return `has another unit: "time" is in microseconds since 1970; ${given} looks like ${unit.name}`;
  return `has a "time" that is not between 2000 and 2100: ${String(given)}`;
}

/** One line of NDJSON as a tick. The format is described in docs/feeds.md. */
import { FIELDS, isSymbol, type TickPatch } from "../tick.ts";
import type { SkipReason } from "./adapter.ts";
import { isoMicros } from "./time.ts";

/** What a line says. */
export interface LineTick {
  readonly symbol: string;
  readonly patch: TickPatch;
  /** Microseconds since the Unix epoch; undefined when the line does not say. */
  readonly time: number | undefined;
}

/** Why a line is no tick. */
export class BadLine {
  readonly reason: SkipReason;
  readonly message: string;

  constructor(message: string, reason: SkipReason = "malformed") {
    this.reason = reason;
    this.message = message;
  }
}

/** Reads a line; keys that it does not know are ignored. */
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
  if (!isSymbol(symbol)) return new BadLine('"symbol" must be 1 to 64 of A-Z 0-9 . _ - :', "invalid_symbol");
  const patch: TickPatch = {};
  let fields = 0;
  for (const field of FIELDS) {
    if (!Object.hasOwn(object, field)) continue;
    const given = object[field];
    if (given !== null && (typeof given !== "number" || !Number.isFinite(given)))
      return new BadLine(`"${field}" must be a number or null`);
    patch[field] = given;
    fields++;
  }
  const hasTime = Object.hasOwn(object, "time");
  if (!hasTime && fields === 0) return new BadLine("has neither a field nor a time");
  const time = hasTime ? micros(object.time) : undefined;
  if (Number.isNaN(time))
    return new BadLine(
      '"time" must be microseconds since the Unix epoch, or an ISO time with a zone: 2024-01-31T12:00:00.000001Z',
    );
  return { symbol, patch, time };
}

function micros(value: unknown): number {
  if (typeof value === "string") return isoMicros(value);
  if (typeof value !== "number" || value < 0 || value > Number.MAX_SAFE_INTEGER) return Number.NaN;
  return Math.round(value);
}

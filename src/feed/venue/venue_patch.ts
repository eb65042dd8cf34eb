/**
 * A venue's message as a patch, and the one rule for "no value". Venues send 0, an empty text or null for an empty
 * side, for a product that does not trade yet, and for an open that they do not know. Every exchange adapter reads its
 * messages with {@link readPatch}.
 */
import type { Field, TickPatch } from "../../base/tick.ts";
import { readNumber } from "../number.ts";
import { PRICE_PAIRS } from "../price_pairs.ts";

/** The venue's key of each field that a message may have. */
export type FieldKeys = { readonly [F in Field]?: string };

/** Prices that have no size: 0 is not known. */
const WITHOUT_SIZE = ["open", "high", "low"] as const;

/**
 * The fields of a message. A price and its size are both null where neither is more than 0, empty or absent;
 * a price of 0 with a size is a price, and so is a negative one. A volume of 0 is a value.
 * @returns undefined when the message has none of the fields, or none that can be read. A field that is absent or
 * cannot be read is left out, so that it keeps its value
 */
export function readPatch(message: Readonly<Record<string, unknown>>, keys: FieldKeys): TickPatch | undefined {
  const patch: TickPatch = {};
  let fields = 0;
  for (const [field, key] of Object.entries(keys) as [Field, string][]) {
    const value = readValue(message[key]);
    if (value === undefined) continue;
    patch[field] = value;
    fields++;
  }
  if (fields === 0) return undefined;
  for (const [price, size] of PRICE_PAIRS) {
    const isGiven = patch[price] !== undefined || patch[size] !== undefined;
    if (isGiven && !patch[price] && !patch[size]) patch[price] = patch[size] = null;
  }
  for (const price of WITHOUT_SIZE) if (patch[price] === 0) patch[price] = null;
  return patch;
}

function readValue(value: unknown): number | null | undefined {
  return value === "" || value === null ? null : readNumber(value);
}

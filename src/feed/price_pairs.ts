/** The one rule of all sources for a price without a value: a price and its size that are both 0. */
import type { TickPatch } from "../base/tick.ts";

/** A price and its size. */
export const PRICE_PAIRS = [
  ["bid", "bidSize"],
  ["ask", "askSize"],
  ["last", "lastSize"],
] as const;

/** For a source that can send null: only a price and a size that are both 0 mean "no value". */
export function clearZeroPairs(patch: TickPatch): void {
  for (const [price, size] of PRICE_PAIRS)
    if (patch[price] === 0 && patch[size] === 0) patch[price] = patch[size] = null;
}

/** Which bars a series lacks. */
import { type BarSeries, PARTIAL_BAR } from "./bar_series.ts";

/** Bars that follow one another, whether there were trades or not. */
export interface BarRange {
  /** When the first one begins, microseconds since the Unix epoch. */
  readonly start: number;
  readonly count: number;
}

/**
 * The newest range that begins and ends with a bar that is missing or partial. Complete ones may lie between.
 * @param from the start of the first bar that counts
 * @param end the end of the last one
 * @param most the most bars of a range
 */
export function missingBars(
  series: BarSeries,
  { from, end, length, most }: { from: number; end: number; length: number; most: number },
): BarRange | undefined {
  const isComplete = (start: number): boolean => {
    const index = series.find(start);
    return index >= 0 && (series.flags[index] & PARTIAL_BAR) === 0;
  };
  let last = end - length;
  while (last >= from && isComplete(last)) last -= length;
  if (last < from) return undefined;
  let start = Math.max(from, last - (most - 1) * length);
  while (isComplete(start)) start += length;
  return { start, count: (last - start) / length + 1 };
}

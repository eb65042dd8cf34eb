/**
 * The moments that a chart draws: all of a period, with and without a tick. The chart's time axis leaves out times
 * without a bar, so a constant price is drawn as a level line, and a silence has its real length.
 */
import type { Bar, History } from "../state/history.ts";
import type { Silence } from "../state/instrument.ts";

/** One moment as it is drawn. */
export interface Moment {
  /** ms since the Unix epoch. */
  readonly start: number;
  /** Undefined where there was no tick. */
  readonly bar: Bar | undefined;
  /** The price at its end. */
  readonly close: number;
  /** Whether the feed or the connection was silent in it. */
  readonly isSilent: boolean;
}

/**
 * The moments up to now.
 * @param silences in order
 * @param step how long a moment is, ms: a multiple of the history's
 * @param from the start of the first one, which an earlier call returned; undefined for all
 * @param now ms since the Unix epoch
 */
export function momentsOf(
  history: History,
  silences: readonly Silence[],
  step: number,
  from: number | undefined,
  now: number,
): Moment[] {
  if (history.length === 0) return [];
  const moments: Moment[] = [];
  const first = history.timeAt(0);
  const begin = from ?? first - (first % step);
  let index = 0;
  let close = history.bar(0).open;
  // The close before the first moment is the price that it begins with.
  while (index < history.length && history.timeAt(index) < begin) close = history.closeAt(index++);
  let silence = 0;
  for (let start = begin; start <= now; start += step) {
    let bar: Bar | undefined;
    for (; index < history.length && history.timeAt(index) < start + step; index++) {
      bar = joined(bar, history.bar(index));
      close = bar.close;
    }
    while (silence < silences.length && (silences[silence].to ?? now) < start) silence++;
    const isSilent = silence < silences.length && silences[silence].from < start + step && bar === undefined;
    moments.push({ start, bar, close, isSilent });
  }
  return moments;
}

function joined(bar: Bar | undefined, next: Bar): Bar {
  if (!bar) return next;
  return { ...bar, high: Math.max(bar.high, next.high), low: Math.min(bar.low, next.low), close: next.close };
}

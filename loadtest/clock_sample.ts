/**
 * Estimates the offset of another machine's clock from pings and pongs. k6 uses it too and has none of Node's modules,
 * so it imports only what needs none.
 */
import { ClockOffset as OurClockOffset } from "../src/base/clock_offset.ts";

/** Microseconds. */
export interface ClockOffset {
  /** How far the other clock is ahead of ours. */
  readonly offset: number;
  /** The largest error: half of the shortest round trip. */
  readonly error: number;
}

/** One ping and its pong: our times of sending and receiving, and the other side's time in between, microseconds. */
export interface Sample {
  readonly sent: number;
  readonly received: number;
  readonly time: number;
}

/**
 * The offset by the sample with the shortest round trip, which has the smallest error.
 * @param resolution of our clock, microseconds
 */
export function offsetOf(samples: readonly Sample[], resolution = 0): ClockOffset {
  const clock = new OurClockOffset(samples.length, resolution);
  for (const { sent, time, received } of samples) clock.add(sent, time, received);
  // Without an answer every age would be NaN, and a check of ages would pass.
  if (Number.isNaN(clock.offset)) throw new Error("the offset of the clock is unknown: no ping was answered");
  return { offset: Math.round(-clock.offset), error: clock.uncertainty };
}

/** Whether a host is this machine, which has the same clock. */
export function isLocal(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.\d+){3}$/.test(host);
}

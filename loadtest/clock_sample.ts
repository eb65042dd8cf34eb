/**
 * Estimates the offset of another machine's clock from pings and pongs. Without imports, because k6 uses it too and has
 * none of Node's modules.
 */

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

/** The offset by the sample with the shortest round trip, which has the smallest error. */
export function offsetOf(samples: readonly Sample[]): ClockOffset {
  const roundTrip = ({ sent, received }: Sample) => received - sent;
  const best = samples.reduce((one, other) => (roundTrip(other) < roundTrip(one) ? other : one));
  return { offset: Math.round(best.time - (best.sent + best.received) / 2), error: roundTrip(best) / 2 };
}

/** Whether a host is this machine, which has the same clock. */
export function isLocal(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.\d+){3}$/.test(host);
}

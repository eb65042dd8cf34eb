/**
 * How far another machine's clock is off from ours, from pings and their pongs. Without imports: k6, which does not have
 * Node's modules, uses it as well.
 */

/** Microseconds. */
export interface ClockOffset {
  /** What the other clock is ahead of ours. */
  readonly offset: number;
  /** By how much that may be wrong: the half of the shortest round trip. */
  readonly error: number;
}

/** One ping and its pong: ours when it was sent and when it came back, and the other side's in between. */
export interface Sample {
  readonly sent: number;
  readonly received: number;
  readonly time: number;
}

/** The offset of the sample with the shortest way: the less it waited, the nearer `time` is to the middle. */
export function offsetOf(samples: readonly Sample[]): ClockOffset {
  const way = ({ sent, received }: Sample) => received - sent;
  const best = samples.reduce((one, other) => (way(other) < way(one) ? other : one));
  return { offset: Math.round(best.time - (best.sent + best.received) / 2), error: way(best) / 2 };
}

/** Whether a host is this machine, whose clock is ours. */
export function isLocal(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.\d+){3}$/.test(host);
}

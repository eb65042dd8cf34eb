/**
 * What the gateway counts, as plain numbers: the hot path adds to them, and the metrics page reads them (metrics.ts).
 */

/** Upper bounds of the age buckets: 2^0 to 2^26 microseconds (67 s), and one for all above. */
const AGE_BUCKETS = 28;

/** How ages are distributed, in buckets of powers of two; adding costs a count of leading zeros. */
export class AgeHistogram {
  /** `counts[n]`: ages of less than 2^n microseconds and not less than the bound before. */
  readonly counts = new Float64Array(AGE_BUCKETS);
  /** Of all ages, in microseconds. */
  sum = 0;

  /** @param micros an age; a negative one, of a source whose clock is ahead of ours, counts as 0 */
  observe(micros: number): void {
    const age = Math.max(micros, 0);
    const bucket = age >= 0x4000000 ? AGE_BUCKETS - 1 : 32 - Math.clz32(age);
    this.counts[bucket]++;
    this.sum += age;
  }
}

export class GatewayCounts {
  connections = 0;
  connectionsOpened = 0;
  /** Entries of all subscriptions: pairs of a connection and a symbol. */
  subscriptions = 0;
  /** Ticks that publishers counted, as far as they have come here: conflated ones count. */
  ticksIn = 0;
  /** Records that the bus delivered. */
  recordsIn = 0;
  recordsIgnored = 0;
  /** Records of symbols that found the table full. */
  recordsRefused = 0;
  gaps = 0;
  resets = 0;
  ticksOut = 0;
  framesOut = 0;
  bytesOut = 0;
  controlOut = 0;
  pingsOut = 0;
  /** Ticks that were left out of what was sent, since a newer one replaced them. */
  ticksConflated = 0;
  /** Flushes that found the arrival window full. */
  heldBack = 0;
  commands = 0;
  readonly errors: Record<string, number> = {};
  /** Connections closed by the gateway, by close code. */
  readonly closes: Record<string, number> = {};
  /** Upgrades refused, by reason. */
  readonly refused: Record<string, number> = {};
  /** From the source's event time to the market table. */
  readonly inboundAge = new AgeHistogram();
  /** From the market table to the socket: the wait for the interval, and for the client. */
  readonly heldAge = new AgeHistogram();
  /** From the source's event time to the socket. */
  readonly writtenAge = new AgeHistogram();
  /** From a ping to its pong, with all that was on its way before it. */
  readonly roundTrip = new AgeHistogram();
}

/** Adds one to a count that may not exist yet. */
export function countOne(counts: Record<string, number>, name: string | number): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

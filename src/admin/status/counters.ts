/**
 * The counters whose rates are in a report, by name; {@link Rates} reads them once a second. A histogram has a sum, a
 * count and, for quantiles, its buckets.
 */

import { BOUNDS, type Histogram } from "../../base/histogram.ts";
import type { Bus } from "../../bus/open.ts";
import type { RunningFeed } from "../../feed/running_feed.ts";
import { type GatewayCounts, STAGES } from "../../gateway/counts.ts";
import type { Gateway } from "../../gateway/gateway.ts";
import type { AgesReport, GatewayRates, ProcessReport } from "./report.ts";

/** The increase of each counter per second. */
export type PerSecond = Readonly<Record<string, number>>;

const MICROS = 1_000;

/** Counter names that are used twice: where the counter is read, and where its rate is reported. */
export const madeBy = (feed: string) => `made by ${feed}`;
export const heardOf = (feed: string) => `heard of ${feed}`;
export const transitOf = (feed: string) => `transit of ${feed}`;
export const REDIS_TRIP = "Redis trip";

/** Reads all counters. */
export function readCounters(
  gateway: Gateway | undefined,
  feeds: readonly RunningFeed[],
  bus: Bus,
): Record<string, number> {
  const { user, system } = process.cpuUsage();
  const counters: Record<string, number> = {
    cpu: (user + system) / 1_000_000,
    loop: performance.eventLoopUtilization().active / 1_000,
  };
  for (const { name, counts } of feeds) counters[madeBy(name)] = counts.ticks;
  for (const { name, inboundAge, transit } of bus.heardFeeds()) {
    counters[heardOf(name)] = inboundAge.count;
    addMean(counters, transitOf(name), transit);
  }
  const [link] = bus.links();
  if (link) addMean(counters, REDIS_TRIP, link.roundTrip);
  if (gateway) addGateway(counters, gateway.counts);
  return counters;
}

function addGateway(counters: Record<string, number>, counts: GatewayCounts): void {
  counters.ticksIn = counts.ticksIn;
  counters.ticksOut = counts.ticksOut;
  counters.bytesOut = counts.bytesOut;
  for (const [by, count] of Object.entries(counts.conflatedBy)) counters[`conflated by ${by}`] = count;
  counters.refused = Object.values(counts.refused).reduce((sum, count) => sum + count, 0);
  const { stages, age } = counts.latency;
  STAGES.forEach((stage, index) => {
    counters[`stage ${stage}`] = stages[index].sum;
  });
  addMean(counters, "age", age);
  age.counts.forEach((count, index) => {
    counters[`age ${index}`] = count;
  });
}

function addMean(counters: Record<string, number>, name: string, { sum, count }: Histogram): void {
  counters[`${name} sum`] = sum;
  counters[`${name} count`] = count;
}

/** The mean of recent measurements, ms; null when there are none. */
export function meanOf(name: string, rates: PerSecond): number | null {
  const count = rates[`${name} count`] ?? 0;
  return count > 0 ? rates[`${name} sum`] / count / MICROS : null;
}

export function gatewayRates(rates: PerSecond): GatewayRates {
  const { ticksIn, ticksOut, bytesOut, refused } = rates;
  const by = (why: string) => rates[`conflated by ${why}`];
  const conflated = { feed: by("feed"), interval: by("interval"), server: by("server"), client: by("client") };
  return { ticksIn, ticksOut, bytesOut, conflated, refused };
}

/** The ages of ticks that arrived lately. */
export function agesOf(rates: PerSecond): AgesReport | null {
  const mean = meanOf("age", rates);
  if (mean === null) return null;
  const count = rates["age count"];
  const stages = STAGES.map((stage) => [stage, rates[`stage ${stage}`] / count / MICROS] as const);
  return {
    p50: quantile(0.5, rates),
    p99: quantile(0.99, rates),
    mean,
    stages: Object.fromEntries(stages) as AgesReport["stages"],
  };
}

/** Assumes an even distribution within a bucket, as Prometheus does. */
function quantile(part: number, rates: PerSecond): number {
  let left = rates["age count"] * part;
  for (let index = 0; index < BOUNDS.length; index++) {
    const count = rates[`age ${index}`];
    const from = index === 0 ? 0 : BOUNDS[index - 1];
    if (count > 0 && left <= count) return (from + (BOUNDS[index] - from) * (left / count)) / MICROS;
    left -= count;
  }
  return BOUNDS[BOUNDS.length - 1] / MICROS;
}

/** The load and memory of the process. */
export function processReport({ cpu, loop }: PerSecond): ProcessReport {
  const { rss, heapUsed } = process.memoryUsage();
  return { cpu, loop: Math.min(1, loop), memory: rss, heap: heapUsed };
}

/** Merges the reports of several workers, which share one port, into the report of one node. */
import { STAGES } from "../../gateway/counts.ts";
import type {
  AgesReport,
  ClientReport,
  FeedReport,
  GatewayReport,
  HeardReport,
  NodeReport,
  ProcessReport,
  RedisReport,
  ShardReport,
  TokensReport,
  WorkerReport,
} from "./report.ts";

/** A worker and its report; undefined when it did not answer. */
export interface WorkerAnswer {
  readonly worker: number;
  readonly report: NodeReport | undefined;
}

/** The supervisor's own data. */
export type NodeHead = Pick<NodeReport, "reportVersion" | "node" | "version" | "pid" | "time" | "uptime" | "unready">;

/** @param clients the number of slowest clients of all workers in the result */
export function mergeReports(head: NodeHead, answers: readonly WorkerAnswer[], clients: number): NodeReport {
  const reports = answers.map(({ report }) => report).filter((report) => report !== undefined);
  return {
    ...head,
    process: mergeProcesses(reports.map((report) => report.process)),
    // The one that expires first: a worker may not have read a renewed one yet.
    certificate:
      reports
        .map(({ certificate }) => certificate)
        .filter(isThere)
        .toSorted((a, b) => a.left - b.left)[0] ?? null,
    tokens: mergeTokens(reports.map(({ tokens }) => tokens).filter(isThere)),
    gateway: mergeGateways(reports.map((report) => report.gateway).filter(isThere), clients),
    feeds: mergeFeeds(reports.flatMap((report) => report.feeds)),
    redis: mergeRedis(reports.map((report) => report.redis).filter(isThere)),
    workers: answers.map(workerOf),
  };
}

function isThere<T>(value: T | null): value is T {
  return value !== null;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** The smallest, or null when there is none. */
function least(numbers: readonly (number | null)[]): number | null {
  const there = numbers.filter(isThere);
  return there.length === 0 ? null : Math.min(...there);
}

/** The largest, or null when there is none. */
function most(numbers: readonly (number | null)[]): number | null {
  const there = numbers.filter(isThere);
  return there.length === 0 ? null : Math.max(...there);
}

/** The one furthest from 0, or null when there is none. */
function furthest(numbers: readonly (number | null)[]): number | null {
  return numbers.reduce((far, number) => (Math.abs(number ?? 0) >= Math.abs(far ?? 0) ? (number ?? far) : far), null);
}

/** Cores and memory are added; of the event loops the busiest counts, because its clients wait. */
function mergeProcesses(processes: readonly ProcessReport[]): ProcessReport {
  return {
    cpu: sum(processes.map(({ cpu }) => cpu)),
    loop: Math.max(0, ...processes.map(({ loop }) => loop)),
    memory: sum(processes.map(({ memory }) => memory)),
    heap: sum(processes.map(({ heap }) => heap)),
  };
}

/** The worst of each counts. */
function mergeTokens(all: readonly TokensReport[]): TokensReport | null {
  if (all.length === 0) return null;
  const hasNone = all.some(({ keysAge, keysFailing }) => keysAge === null && keysFailing !== null);
  return {
    keysAge: hasNone ? null : most(all.map(({ keysAge }) => keysAge)),
    keysFailing: most(all.map(({ keysFailing }) => keysFailing)),
    policyFailing: most(all.map(({ policyFailing }) => policyFailing)),
    revocationsKnown: all.every(({ revocationsKnown }) => revocationsKnown),
    revocationsLeftOut: Math.max(...all.map(({ revocationsLeftOut }) => revocationsLeftOut)),
  };
}

function mergeGateways(gateways: readonly GatewayReport[], count: number): GatewayReport | null {
  const [first] = gateways;
  if (!first) return null;
  const total = (read: (gateway: GatewayReport) => number) => sum(gateways.map(read));
  // Each worker has the whole market; one that follows only a part may know fewer symbols.
  const largest = (read: (gateway: GatewayReport) => number) => Math.max(...gateways.map(read));
  const slowest = (a: ClientReport, b: ClientReport) => b.behind - a.behind;
  return {
    connections: total((gateway) => gateway.connections),
    connectionsLimit: total((gateway) => gateway.connectionsLimit),
    symbols: {
      known: largest(({ symbols }) => symbols.known),
      stale: largest(({ symbols }) => symbols.stale),
      closed: largest(({ symbols }) => symbols.closed),
    },
    rates: {
      ticksIn: largest(({ rates }) => rates.ticksIn),
      ticksOut: total(({ rates }) => rates.ticksOut),
      bytesOut: total(({ rates }) => rates.bytesOut),
      conflated: {
        feed: total(({ rates }) => rates.conflated.feed),
        interval: total(({ rates }) => rates.conflated.interval),
        server: total(({ rates }) => rates.conflated.server),
        client: total(({ rates }) => rates.conflated.client),
      },
      refused: total(({ rates }) => rates.refused),
    },
    ages: mergeAges(gateways),
    lag: largest(({ lag }) => lag),
    waiting: total(({ waiting }) => waiting),
    conflating: {
      client: total(({ conflating }) => conflating.client),
      server: total(({ conflating }) => conflating.server),
    },
    clients: gateways
      .flatMap(({ clients }) => clients)
      .sort(slowest)
      .slice(0, count),
    refused: mergeCounts(gateways.map(({ refused }) => refused)),
    closed: mergeCounts(gateways.map(({ closed }) => closed)),
  };
}

/** Means are weighted by the ticks that each worker sent; quantiles are those of the worst worker. */
function mergeAges(gateways: readonly GatewayReport[]): AgesReport | null {
  const parts = gateways.flatMap(({ ages, rates }) => (ages ? [{ ages, weight: Math.max(1, rates.ticksOut) }] : []));
  if (parts.length === 0) return null;
  const weights = sum(parts.map(({ weight }) => weight));
  const mean = (read: (ages: AgesReport) => number) =>
    sum(parts.map(({ ages, weight }) => read(ages) * weight)) / weights;
  const stages = STAGES.map((stage) => [stage, mean((ages) => ages.stages[stage])] as const);
  return {
    p50: Math.max(...parts.map(({ ages }) => ages.p50)),
    p99: Math.max(...parts.map(({ ages }) => ages.p99)),
    mean: mean((ages) => ages.mean),
    stages: Object.fromEntries(stages) as AgesReport["stages"],
  };
}

function mergeCounts(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const merged: Record<string, number> = {};
  for (const counts of all)
    for (const [name, count] of Object.entries(counts)) merged[name] = (merged[name] ?? 0) + count;
  return merged;
}

/** Workers publish nothing: their reports have only received feeds. */
function mergeFeeds(feeds: readonly FeedReport[]): FeedReport[] {
  return Array.from(Map.groupBy(feeds, ({ feed }) => feed))
    .map(([feed, all]) => ({
      feed,
      published: null,
      heard: mergeHeard(all.map(({ heard }) => heard).filter(isThere)),
    }))
    .sort((a, b) => (a.feed < b.feed ? -1 : 1));
}

/** A shard that one worker does not receive is missing for some clients. */
function mergeHeard(all: readonly HeardReport[]): HeardReport | null {
  if (all.length === 0) return null;
  const shards = Array.from(
    Map.groupBy(
      all.flatMap(({ shards }) => shards),
      ({ shard }) => shard,
    ),
    ([, same]) => mergeShard(same),
  ).sort((a, b) => a.shard - b.shard);
  return {
    epoch: Math.max(...all.map(({ epoch }) => epoch)),
    symbols: Math.max(...all.map(({ symbols }) => symbols)),
    stale: Math.max(...all.map(({ stale }) => stale)),
    ticks: Math.max(...all.map(({ ticks }) => ticks)),
    transit: most(all.map(({ transit }) => transit)),
    clockSkew: furthest(all.map(({ clockSkew }) => clockSkew)),
    lastTick: least(all.map(({ lastTick }) => lastTick)),
    lastBatch: least(all.map(({ lastBatch }) => lastBatch)),
    silent: shards.filter(({ silent }) => silent).length,
    shards,
  };
}

function mergeShard(same: readonly ShardReport[]): ShardReport {
  return {
    shard: same[0].shard,
    batch: Math.max(...same.map(({ batch }) => batch)),
    age: Math.max(...same.map(({ age }) => age)),
    silent: same.some(({ silent }) => silent),
    missing: same.some(({ missing }) => missing),
  };
}

/** A worker with a problem is more important than one without. */
function mergeRedis(all: readonly RedisReport[]): RedisReport | null {
  const one = all.find(({ connected }) => !connected) ?? all[0];
  if (!one) return null;
  return {
    ...one,
    reconnects: sum(all.map(({ reconnects }) => reconnects)),
    roundTrip: most(all.map(({ roundTrip }) => roundTrip)),
  };
}

function workerOf({ worker, report }: WorkerAnswer): WorkerReport {
  const nothing = { cpu: 0, loop: 0, memory: 0, heap: 0 };
  return {
    worker,
    node: report?.node ?? "",
    pid: report?.pid ?? 0,
    uptime: report?.uptime ?? 0,
    unready: report ? report.unready : "does not run, or does not answer",
    process: report?.process ?? nothing,
    connections: report?.gateway?.connections ?? 0,
    ticksOut: report?.gateway?.rates.ticksOut ?? 0,
    lag: report?.gateway?.lag ?? 0,
  };
}

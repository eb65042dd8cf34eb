/**
 * What a node tells of itself: `GET /status` on the admin port, as JSON. Durations are milliseconds, times microseconds
 * since the Unix epoch, sizes bytes, rates a second over the last five. docs/status.schema.json is the same for
 * programs in other languages; what is added to a shape later does not change its version, what is taken away or
 * changed does.
 */
import type { STAGES } from "../../gateway/counts.ts";
import type { QualityReason } from "../../protocol/messages.ts";

/** The version of the shapes below. */
export const REPORT_VERSION = 1;

/** A whole node: one process, or several behind one admin port (`--workers`). */
export interface NodeReport {
  readonly reportVersion: typeof REPORT_VERSION;
  readonly node: string;
  /** Of Tickgate. */
  readonly version: string;
  readonly pid: number;
  readonly time: number;
  /** How long it has run. */
  readonly uptime: number;
  /** Why nobody should be sent here; null where all is well. */
  readonly unready: string | null;
  readonly process: ProcessReport;
  /** Null at a process that only publishes. */
  readonly gateway: GatewayReport | null;
  /** Feeds that are published or heard here. */
  readonly feeds: readonly FeedReport[];
  /** Null where there is no Redis. */
  readonly redis: RedisReport | null;
  /** Of `--workers`, each one; empty at a single process. */
  readonly workers: readonly WorkerReport[];
}

/** What the process takes of the machine. */
export interface ProcessReport {
  /** Cores in use. */
  readonly cpu: number;
  /** The part of the time that the event loop was busy: at 1 the process is saturated. */
  readonly loop: number;
  readonly memory: number;
  readonly heap: number;
}

export interface GatewayReport {
  readonly connections: number;
  /** The most that are let in. */
  readonly connectionsLimit: number;
  readonly symbols: SymbolsReport;
  readonly rates: GatewayRates;
  /** Of ticks that have arrived lately; null where none has, or latencies are not measured. */
  readonly ages: AgesReport | null;
  /** How late the last turn was: what every client waits on top, since the process is saturated. */
  readonly lag: number;
  /** Turns that are due and have not been taken. */
  readonly waiting: number;
  /** Connections that get less than granted now, by whose doing it is, as they have been told. */
  readonly conflating: Readonly<Record<QualityReason, number>>;
  /** The slowest of all connections, the slowest first: as many as `--status-clients`. */
  readonly clients: readonly ClientReport[];
  /** Since the start, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  readonly closed: Readonly<Record<string, number>>;
}

/** How the symbols stand that have had a tick. */
export interface SymbolsReport {
  readonly known: number;
  readonly stale: number;
  readonly closed: number;
}

export interface GatewayRates {
  readonly ticksIn: number;
  readonly ticksOut: number;
  readonly bytesOut: number;
  /** Ticks that newer ones replaced before they were sent, by why they were. */
  readonly conflated: Readonly<Record<"feed" | "interval" | "server" | "client", number>>;
  readonly refused: number;
}

/** From the event at the source to the arrival at the client. */
export interface AgesReport {
  readonly p50: number;
  readonly p99: number;
  readonly mean: number;
  /** How much of the mean each stage is. */
  readonly stages: Readonly<Record<(typeof STAGES)[number], number>>;
}

/** One connection. */
export interface ClientReport {
  readonly session: string;
  /** Its own address, where the balancer before it is trusted; else what it connects from. */
  readonly address: string;
  /** What it calls itself: a stranger's text. */
  readonly agent: string;
  readonly connectedFor: number;
  readonly symbols: number;
  /** The shortest interval that it was granted; null where it has no symbols. */
  readonly interval: number | null;
  /** How much later than it asked for it has its prices: what queues on the way to it, and what waits here for room. */
  readonly behind: number;
  /** How old the last tick was, from its event to its arrival, that was followed there; null where none was. */
  readonly age: number | null;
  /** How long the last ping took that it answered; null before the first. */
  readonly roundTrip: number | null;
  /** How long a ping takes when nothing else is on the way. */
  readonly bareRoundTrip: number | null;
  /** How long a ping has been out that it has not answered; null where all are answered. */
  readonly unanswered: number | null;
  /** How long its turn has waited for room. */
  readonly held: number;
  /** How much may be on its way, and how much is. */
  readonly window: number;
  readonly inFlight: number;
  /** Ticks sent to it since it connected, and ticks that newer ones replaced before they were. */
  readonly ticks: number;
  readonly conflated: number;
  /** How fast it takes what is sent, where that is known: bytes a second. */
  readonly reads: number | null;
  /** Whose doing it is that it gets less than granted, as it has been told; null while it gets all. */
  readonly conflating: QualityReason | null;
  /** What is wrong with it, in words; empty where nothing is. */
  readonly why: string;
}

export interface FeedReport {
  readonly feed: string;
  /** Null where the feed is only heard. */
  readonly published: PublishedReport | null;
  /** Null where the feed is only published. */
  readonly heard: HeardReport | null;
}

/** A feed at the process that publishes it. */
export interface PublishedReport {
  /** Whether it leads; one that has no Redis leads. */
  readonly role: "waiting" | "standby" | "taking over" | "leading";
  /** Which reign it is, where there is Redis. */
  readonly epoch: number | null;
  /** Whether it hears its source, and how often it has lost it. */
  readonly connected: boolean;
  readonly disconnects: number;
  readonly symbols: number;
  readonly ticks: number;
  /** How long ago the source's last tick came; null before the first, or where latencies are not measured. */
  readonly lastTick: number | null;
  /** Messages that were left out since the start, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
}

/** A feed as a gateway hears it. */
export interface HeardReport {
  readonly epoch: number;
  readonly symbols: number;
  readonly stale: number;
  /** Ticks that came in batches. */
  readonly ticks: number;
  /** How long batches took lately, from their making; null where none came. */
  readonly transit: number | null;
  /** How far the publisher's clock is ahead of ours; null where that is not known. */
  readonly clockSkew: number | null;
  /** How long ago the last tick was applied, and the last batch came, which may have been empty. */
  readonly lastTick: number | null;
  readonly lastBatch: number | null;
  /** Shards on which nothing has come for too long. */
  readonly silent: number;
  readonly shards: readonly ShardReport[];
}

export interface ShardReport {
  readonly shard: number;
  /** The number of the last batch. */
  readonly batch: number;
  /** How long ago it came. */
  readonly age: number;
  readonly silent: boolean;
  /** Whether batches are missing that have not been healed yet. */
  readonly missing: boolean;
}

export interface RedisReport {
  /** Without its secrets. */
  readonly address: string;
  readonly connected: boolean;
  /** Why the last try failed; null where nothing is wrong. */
  readonly reason: string | null;
  /** Times that a connection came back after it was lost. */
  readonly reconnects: number;
  /** How long it took to answer lately; null where it did not. */
  readonly roundTrip: number | null;
  /** How far our clock is ahead of its clock, and by how much that may be wrong; null where it is not known. */
  readonly clockOffset: number | null;
  readonly clockUncertainty: number | null;
}

/** One process of several. */
export interface WorkerReport {
  readonly worker: number;
  readonly node: string;
  readonly pid: number;
  readonly uptime: number;
  /** Why nobody should be sent to it; one that did not answer says so here. */
  readonly unready: string | null;
  readonly process: ProcessReport;
  readonly connections: number;
  readonly ticksOut: number;
  readonly lag: number;
}

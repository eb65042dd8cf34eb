/**
 * A node's report: `GET /status` on the admin port, as JSON. Durations are milliseconds, times microseconds
 * since the Unix epoch, sizes bytes, rates a second over the last five. docs/status.schema.json is the same for
 * programs in other languages; an added property does not change the version; a removed or
 * changed one does.
 */
import type { STAGES } from "../../gateway/counts.ts";
import type { QualityReason } from "../../protocol/messages.ts";

/** The version of the shapes below. */
export const REPORT_VERSION = 1;

/** A whole node: one process, or several behind one admin port (`--workers`). */
export interface NodeReport {
  readonly reportVersion: typeof REPORT_VERSION;
  readonly node: string;
  /** The version of Tickgate. */
  readonly version: string;
  readonly pid: number;
  readonly time: number;
  /** The time since its start. */
  readonly uptime: number;
  /** Why clients should not be sent here; null when it is ready. */
  readonly unready: string | null;
  readonly process: ProcessReport;
  /** Null without TLS. */
  readonly certificate: CertificateReport | null;
  /** Null where tokens are not read. */
  readonly tokens: TokensReport | null;
  /** Null in a process that only publishes. */
  readonly gateway: GatewayReport | null;
  /** Feeds that are published or received here. */
  readonly feeds: readonly FeedReport[];
  /** Null without Redis. */
  readonly redis: RedisReport | null;
  /** Each worker of `--workers`; empty for a single process. */
  readonly workers: readonly WorkerReport[];
}

/** The resources that the process uses. */
export interface ProcessReport {
  /** Cores in use. */
  readonly cpu: number;
  /** The share of time that the event loop was busy: at 1 the process is saturated. */
  readonly loop: number;
  readonly memory: number;
  readonly heap: number;
}

/** The certificate of the clients' port and the admin port. */
export interface CertificateReport {
  /** When it expires. */
  readonly expires: number;
  /** How long it is still valid; negative afterwards. */
  readonly left: number;
}

/** What tokens are judged by. */
export interface TokensReport {
  /** The time since the keys in use were read; null before the first time, and with a shared secret. */
  readonly keysAge: number | null;
  /** For how long keys and policy could not be read; null where the last attempt succeeded. */
  readonly keysFailing: number | null;
  readonly policyFailing: number | null;
  /** Whether the revocations have been read: until then no token is accepted. True without Redis. */
  readonly revocationsKnown: boolean;
  /** Revocations that are not observed, since there is no room for them. */
  readonly revocationsLeftOut: number;
}

export interface GatewayReport {
  readonly connections: number;
  /** The most connections that are accepted. */
  readonly connectionsLimit: number;
  readonly symbols: SymbolsReport;
  readonly rates: GatewayRates;
  /** The ages of ticks that arrived lately; null when none did, or latencies are not measured. */
  readonly ages: AgesReport | null;
  /** How late the last flush was: the extra delay of every client when the process is saturated. */
  readonly lag: number;
  /** Flushes that are due and have not run. */
  readonly waiting: number;
  /** Connections that get less than granted now, by the cause that the gateway reported to them. */
  readonly conflating: Readonly<Record<QualityReason, number>>;
  /** The slowest connections, the slowest first: as many as `--status-clients`. */
  readonly clients: readonly ClientReport[];
  /** Counts since the start, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  readonly closed: Readonly<Record<string, number>>;
}

/** The numbers of symbols with at least one tick, by state. */
export interface SymbolsReport {
  readonly known: number;
  readonly stale: number;
  readonly closed: number;
}

export interface GatewayRates {
  readonly ticksIn: number;
  readonly ticksOut: number;
  readonly bytesOut: number;
  /** Ticks that newer ones replaced before they were sent, by reason. */
  readonly conflated: Readonly<Record<"feed" | "interval" | "server" | "client", number>>;
  readonly refused: number;
}

/** The age of ticks: from the event at the source to the arrival at the client. */
export interface AgesReport {
  readonly p50: number;
  readonly p99: number;
  readonly mean: number;
  /** The share of each stage in the mean. */
  readonly stages: Readonly<Record<(typeof STAGES)[number], number>>;
}

/** One connection. */
export interface ClientReport {
  readonly session: string;
  /** The client's address; behind a balancer that is not trusted, the balancer's. */
  readonly address: string;
  /** Its user agent: a text of the client. */
  readonly agent: string;
  readonly connectedFor: number;
  readonly symbols: number;
  /** The shortest interval that it was granted; null without symbols. */
  readonly interval: number | null;
  /** The delay of its prices beyond its interval: the queue on the way to it, and the wait here for its window. */
  readonly behind: number;
  /** The age of the last sampled tick, from its event to its arrival; null when none was sampled. */
  readonly age: number | null;
  /** The round trip of the last answered ping; null before the first. */
  readonly roundTrip: number | null;
  /** The round trip of a ping without queued data. */
  readonly bareRoundTrip: number | null;
  /** The time since the oldest unanswered ping; null when all are answered. */
  readonly unanswered: number | null;
  /** How long its flush has waited for room in the window. */
  readonly held: number;
  /** The size of the in-flight window, and the bytes in flight. */
  readonly window: number;
  readonly inFlight: number;
  /** Ticks sent to it since it connected, and ticks that newer ones replaced. */
  readonly ticks: number;
  readonly conflated: number;
  /** Its read rate in bytes a second, if it is known. */
  readonly reads: number | null;
  /** Why it gets less than granted, as the gateway reported to it; null while it gets all. */
  readonly conflating: QualityReason | null;
  /** What is wrong with it, in words; empty when nothing is. */
  readonly why: string;
}

export interface FeedReport {
  readonly feed: string;
  /** Null when the feed is only received. */
  readonly published: PublishedReport | null;
  /** Null when the feed is only published. */
  readonly heard: HeardReport | null;
}

/** A feed in the process that publishes it. */
export interface PublishedReport {
  /** Its role; without Redis it always leads. */
  readonly role: "waiting" | "standby" | "taking over" | "leading";
  /** The epoch of its leadership; null without Redis. */
  readonly epoch: number | null;
  /** Whether its source is connected, and how often the connection was lost. */
  readonly connected: boolean;
  readonly disconnects: number;
  readonly symbols: number;
  readonly ticks: number;
  /** The time since the source's last tick; null before the first, or when latencies are not measured. */
  readonly lastTick: number | null;
  /** Messages that were skipped since the start, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
}

/** A feed as a gateway receives it. */
export interface HeardReport {
  readonly epoch: number;
  readonly symbols: number;
  readonly stale: number;
  /** Ticks in the received batches. */
  readonly ticks: number;
  /** The recent transit time of batches, from their creation; null when none arrived. */
  readonly transit: number | null;
  /** How far the publisher's clock is ahead of ours; null when it is not known. */
  readonly clockSkew: number | null;
  /** The time since the last applied tick, and since the last batch, which may have been empty. */
  readonly lastTick: number | null;
  readonly lastBatch: number | null;
  /** Shards that are silent. */
  readonly silent: number;
  readonly shards: readonly ShardReport[];
}

export interface ShardReport {
  readonly shard: number;
  /** The number of the last batch. */
  readonly batch: number;
  /** The time since it arrived. */
  readonly age: number;
  readonly silent: boolean;
  /** Whether batches are missing that were not recovered yet. */
  readonly missing: boolean;
}

export interface RedisReport {
  /** The address without secrets. */
  readonly address: string;
  readonly connected: boolean;
  /** Why the last attempt failed; null when nothing is wrong. */
  readonly reason: string | null;
  /** How often a lost connection was restored. */
  readonly reconnects: number;
  /** The recent round trip; null when there was no answer. */
  readonly roundTrip: number | null;
  /** How far our clock is ahead of its clock, and the uncertainty of that; null when it is not known. */
  readonly clockOffset: number | null;
  readonly clockUncertainty: number | null;
}

/** One process of several. */
export interface WorkerReport {
  readonly worker: number;
  readonly node: string;
  readonly pid: number;
  readonly uptime: number;
  /** Why it is not ready; for example, that it did not answer. */
  readonly unready: string | null;
  readonly process: ProcessReport;
  readonly connections: number;
  readonly ticksOut: number;
  readonly lag: number;
}

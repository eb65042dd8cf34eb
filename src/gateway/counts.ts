/**
 * What the gateway counts, as plain numbers: the hot path adds to them, and the metrics page reads them
 * (src/admin/metrics/gateway.ts).
 */
import { createHistogram, type Histogram } from "../base/histogram.ts";
import { CLOSE_CODES, ERROR_CODES } from "../protocol/codes.ts";
import type { QualityReason } from "../protocol/messages.ts";
import type { BroadcastStop } from "./fanout/broadcast_gate.ts";
import { HTTP_REFUSALS, type HttpRefusal } from "./http/budget.ts";
import { SHED_REASONS, type ShedReason } from "./http/open_sockets.ts";

/**
 * The stages of a delivered tick's life. Each begins where the one before ends, from the event at the source to the
 * arrival at the client: together they are its age.
 */
export const STAGES = ["source", "feed", "bus", "interval", "server", "client", "network"] as const;

/** Why upgrades are refused. */
export const REFUSALS = [
  "draining",
  "handshake",
  "origin",
  "subprotocol",
  "connections",
  "address",
  "token",
  "subject",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Ages of what has arrived at clients. */
export class LatencyCounts {
  /** By stage, in the order of {@link STAGES}. */
  readonly stages: readonly Histogram[];
  /** From the source's event time to the arrival at the client. */
  readonly age: Histogram;
  /** Ticks that these observations represent. */
  confirmed = 0;

  constructor(settings: { readonly metrics: boolean }) {
    this.stages = STAGES.map(() => createHistogram(settings));
    this.age = createHistogram(settings);
  }
}

export class GatewayCounts {
  connections = 0;
  connectionsOpened = 0;
  /** Connections that get less than granted now, by the reason in their last `quality` message. */
  readonly conflating: Record<QualityReason, number> = { client: 0, server: 0 };
  /** Entries of all subscriptions: pairs of a connection and a symbol. */
  subscriptions = 0;
  /** Ticks that publishers counted, up to the last record: conflated ones count. */
  ticksIn = 0;
  /** Records that the bus delivered. */
  recordsIn = 0;
  recordsIgnored = 0;
  /** Records of symbols that found the table full. */
  recordsRefused = 0;
  gaps = 0;
  resets = 0;
  ticksOut = 0;
  /** Ticks of channels that conflate nothing (trades) which a client was told that it has missed. */
  ticksMissed = 0;
  /** Those of them that were the first of their handle. */
  snapshotsOut = 0;
  /** Those of them that were broadcast. */
  ticksBroadcast = 0;
  /** How often the broadcast was closed, and why. */
  readonly broadcastStops: Record<BroadcastStop, number> = { status: 0, busy: 0 };
  framesOut = 0;
  bytesOut = 0;
  controlOut = 0;
  pingsOut = 0;
  /** Ticks that were left out of what was sent, since a newer one replaced them; and why, by shares of the time. */
  ticksConflated = 0;
  readonly conflatedBy = { feed: 0, interval: 0, server: 0, client: 0 };
  /** Flushes that found the in-flight window full. */
  heldBack = 0;
  commands = 0;
  readonly errors: Record<string, number> = zeros(Object.keys(ERROR_CODES));
  /** Connections that have ended: what the gateway closed them for, `client` where it did not. */
  readonly closes: Record<string, number> = zeros([...Object.keys(CLOSE_CODES), "client"]);
  /** Upgrades refused, by reason. */
  readonly refused: Record<Refusal, number> = zeros(REFUSALS);
  httpRequests = 0;
  /** HTTP requests refused, by reason. */
  readonly httpRefused: Record<HttpRefusal, number> = zeros(HTTP_REFUSALS);
  /** New sockets that were closed, by reason. */
  readonly socketsShed: Record<ShedReason, number> = zeros(SHED_REASONS);
  /** From a ping to its pong, with all that was in flight before it. */
  readonly roundTrip: Histogram;
  readonly latency: LatencyCounts;

  /** @param settings whether latencies are measured */
  constructor(settings: { readonly metrics: boolean }) {
    this.roundTrip = createHistogram(settings);
    this.latency = new LatencyCounts(settings);
  }

  /**
   * Newer ticks replaced some before they were sent. The time between two sends consists of the interval that was asked
   * for, the lateness of the server, and the time that the client held it back; the ticks are divided in the same
   * proportion. This is done once for each frame, not for each tick.
   * @param ticks how many, more than none
   * @param before from the last flush until this one was due, ms: the interval that was asked for; at interval 0, the
   *     time in which nothing came: what was replaced in it was replaced before it came here
   * @param late how much later this flush came, ms
   * @param held for how much of that the client's window was full, ms
   */
  countConflated(ticks: number, interval: number, before: number, late: number, held: number): void {
    this.ticksConflated += ticks;
    const by = this.conflatedBy;
    const whole = before + late;
    const client = whole > 0 ? (ticks * Math.min(held, late)) / whole : 0;
    const server = whole > 0 ? (ticks * late) / whole - client : 0;
    by.client += client;
    by.server += server;
    if (interval > 0) by.interval += ticks - client - server;
    else by.feed += ticks - client - server;
  }
}

/** Adds one to a count that may not exist yet. */
export function countOne(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

/** All names at 0: a counter that only appears with its first event has no increase for Prometheus. */
function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

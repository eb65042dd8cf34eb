/** What the swarm does: plain data, because it is sent to the swarm's processes. */
import type { TokenSource } from "../tokens.ts";

/** How a connection reads. Slow: at a byte rate. Stalled: not at all, for some time or forever. */
export const READERS = ["healthy", "slow", "stalled"] as const;
export type Reader = (typeof READERS)[number];

export interface Plan {
  /** A name or an address; connections to 127.0.0.1 use several local addresses. */
  readonly host: string;
  readonly port: number;
  /** TLS with Node's certificate check (NODE_EXTRA_CA_CERTS adds trusted ones). */
  readonly secure: boolean;
  /** The URL of the module that exports `createProtocol` (protocol.ts), and its settings. */
  readonly protocol: {
    readonly module: string;
    readonly settings: Readonly<Record<string, string | number | boolean>>;
  };
  /** All symbols; each connection subscribes to some of them. */
  readonly market: readonly string[];
  readonly connections: number;
  /** Symbols that each connection subscribes to. */
  readonly perConnection: number;
  /** New connections per second. */
  readonly rate: number;
  readonly slow: number;
  /** Bytes per second that a slow connection reads. */
  readonly slowBytes: number;
  /** Connections that stall once all are open. */
  readonly stalled: number;
  /** Stalled connections do not read for this time, then read for this time, seconds; 0: they never read again. */
  readonly stallSeconds: number;
  /** The highest age of a fresh update, ms. */
  readonly freshBound: number;
  /** How far the server's clock is ahead of ours, microseconds. */
  readonly clockOffset: number;
  /** Changes of subscriptions per second, of all healthy connections together. */
  readonly churn: number;
  /** Processes that share the connections. */
  readonly processes: number;
  /** How connections get their tokens. A secret: not for the report. */
  readonly tokens?: TokenSource;
}

/** The subject of a connection's token. */
export function subjectOf(index: number): string {
  return `swarm-${index}`;
}

/** One process's part of a plan. */
export interface Share {
  readonly plan: Plan;
  readonly first: number;
  readonly connections: number;
}

/** Splits a plan evenly into one share per process. */
export function splitPlan(plan: Plan): Share[] {
  const bounds = Array.from({ length: plan.processes + 1 }, (_, process) =>
    Math.floor((plan.connections * process) / plan.processes),
  );
  return bounds.slice(1).map((end, process) => ({ plan, first: bounds[process], connections: end - bounds[process] }));
}

/**
 * How a connection reads. Slow and stalled connections are spread among the healthy ones, so that each process has its
 * share and they are not served first.
 */
export function readerOf({ connections, slow, stalled }: Plan, index: number): Reader {
  // A prime stride that does not divide the number of connections visits all of them.
  const stride = connections % STRIDE === 0 ? OTHER_STRIDE : STRIDE;
  const position = (index * stride) % connections;
  if (position < slow) return "slow";
  return position < slow + stalled ? "stalled" : "healthy";
}

const STRIDE = 7_919;
const OTHER_STRIDE = 7_907;

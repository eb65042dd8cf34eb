/** What the swarm is to do: plain data, since it goes to the swarm's processes. */

/** How a connection reads. Slow: so many bytes a second. Stalled: not at all, for a while or for good. */
export const READERS = ["healthy", "slow", "stalled"] as const;
export type Reader = (typeof READERS)[number];

export interface Plan {
  /** A name or an address; several local addresses are used towards 127.0.0.1. */
  readonly host: string;
  readonly port: number;
  /** TLS, its certificate checked as Node does (NODE_EXTRA_CA_CERTS adds to what is trusted). */
  readonly secure: boolean;
  /** The module that exports `createProtocol` (protocol.ts), as a URL; and what it is given. */
  readonly protocol: {
    readonly module: string;
    readonly settings: Readonly<Record<string, string | number | boolean>>;
  };
  /** Every symbol of the market, from which each connection has its own. */
  readonly market: readonly string[];
  readonly connections: number;
  /** Symbols that each connection subscribes to. */
  readonly perConnection: number;
  /** Connections that are opened a second. */
  readonly rate: number;
  readonly slow: number;
  /** Bytes a second that each slow one reads. */
  readonly slowBytes: number;
  /** Those stall when everyone is open. */
  readonly stalled: number;
  /** How long stalled ones do not read, and how long they read before they stall again, seconds; 0: they never read again. */
  readonly stallSeconds: number;
  /** Up to which age an update is fresh, ms. */
  readonly freshBound: number;
  /** What the server's clock is ahead of ours, microseconds. */
  readonly clockOffset: number;
  /** Commands a second by which healthy connections change what they are subscribed to, of all together. */
  readonly churn: number;
  /** Processes that the connections are parted between. */
  readonly processes: number;
}

/** One process's part of a plan: the connections from `first` on. */
export interface Share {
  readonly plan: Plan;
  readonly first: number;
  readonly connections: number;
}

/** Parts a plan into one share a process, as even as can be. */
export function splitPlan(plan: Plan): Share[] {
  const bounds = Array.from({ length: plan.processes + 1 }, (_, process) =>
    Math.floor((plan.connections * process) / plan.processes),
  );
  return bounds.slice(1).map((end, process) => ({ plan, first: bounds[process], connections: end - bounds[process] }));
}

/**
 * How a connection reads. Slow and stalled ones stand between the healthy ones, so that each process has its share of
 * them and they are not the first to be served.
 */
export function readerOf({ connections, slow, stalled }: Plan, index: number): Reader {
  // A prime that does not divide the number of connections goes round through all of them.
  const stride = connections % STRIDE === 0 ? OTHER_STRIDE : STRIDE;
  const place = (index * stride) % connections;
  if (place < slow) return "slow";
  return place < slow + stalled ? "stalled" : "healthy";
}

const STRIDE = 7_919;
const OTHER_STRIDE = 7_907;

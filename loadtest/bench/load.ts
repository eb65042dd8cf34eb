/** The load of a benchmark: the swarm, all on one market, to a server on this machine. */
import { SwarmCoordinator } from "../swarm/coordinator.ts";
import { fileLimit } from "../swarm/process_usage.ts";

/** What the load connects to, and how. */
export interface LoadTarget {
  readonly port: number;
  readonly connections: number;
  /** Symbols in the market, `SIM:S0000` and so on. */
  readonly symbols: number;
  /** Symbols of each connection; 0 for a server that only sends (floor.ts), whose frames are counted and not read. */
  readonly perConnection: number;
  readonly interval: number;
  /** So many of the connections read slowly. */
  readonly slow: number;
  /** Bytes a second that each of those reads. */
  readonly slowRate: number;
}

/** Connections that are opened a second. */
const RATE = 3_000;
const FRESH = 1_000;

/** The load, in a process of its own. */
export function loadOf(target: LoadTarget): SwarmCoordinator {
  const { port, connections, symbols, perConnection, interval, slow, slowRate } = target;
  const digits = Math.max(4, String(symbols - 1).length);
  const module = perConnection > 0 ? "../swarm/tickgate_protocol.ts" : "./send_only_protocol.ts";
  return new SwarmCoordinator(
    {
      ...{ host: "127.0.0.1", port, secure: false, connections, perConnection, rate: RATE },
      protocol: { module: new URL(module, import.meta.url).href, settings: { interval } },
      market: Array.from({ length: symbols }, (_, symbol) => `SIM:S${String(symbol).padStart(digits, "0")}`),
      ...{ slow, slowBytes: slowRate, stalled: 0, stallSeconds: 0 },
      ...{ freshBound: FRESH, clockOffset: 0, churn: 0, processes: 1 },
    },
    fileLimit(),
  );
}

/** The load of a benchmark: swarm connections to a server on this machine. */
import { SwarmCoordinator } from "../swarm/coordinator.ts";
import { fileLimit } from "../swarm/process_usage.ts";
import type { TokenSource } from "../tokens.ts";

/** The server and the connections. */
export interface LoadTarget {
  readonly port: number;
  readonly connections: number;
  /** Symbols in the market, `SIM:S0000` and so on. */
  readonly symbols: number;
  /** Symbols of each connection; 0 for a reference server, whose frames are counted but not decoded. */
  readonly perConnection: number;
  /** Symbols of each with their trades, with their books, and with their bars, too. */
  readonly trades?: number;
  readonly books?: number;
  readonly bars?: number;
  readonly interval: number;
  /** Connections that read slowly. */
  readonly slow: number;
  /** Bytes per second that a slow connection reads. */
  readonly slowRate: number;
  /** With TLS: NODE_EXTRA_CA_CERTS names the certificate. */
  readonly secure?: boolean;
  readonly tokens?: TokenSource;
}

/** New connections per second. */
const RATE = 3_000;
const FRESH = 1_000;

/** Starts the load process. */
export function loadOf(target: LoadTarget): SwarmCoordinator {
  const { port, connections, symbols, perConnection, interval, slow, slowRate, secure = false, tokens } = target;
  const { trades = 0, books = 0, bars = 0 } = target;
  const digits = Math.max(4, String(symbols - 1).length);
  const module = perConnection > 0 ? "../swarm/tickgate_protocol.ts" : "./send_only_protocol.ts";
  return new SwarmCoordinator(
    {
      ...{ host: "127.0.0.1", port, secure, connections, perConnection, rate: RATE },
      protocol: { module: new URL(module, import.meta.url).href, settings: { interval, trades, books, bars } },
      market: Array.from({ length: symbols }, (_, symbol) => `SIM:S${String(symbol).padStart(digits, "0")}`),
      ...{ slow, slowBytes: slowRate, stalled: 0, stallSeconds: 0 },
      ...{ freshBound: FRESH, clockOffset: 0, churn: 0, processes: 1 },
      ...(tokens && { tokens }),
    },
    fileLimit(),
  );
}

/** A peer of the comparison: how to start it, its publisher, and its clients' protocol. */
import type { ManagedProcess, ProcessGroup } from "./process_group.ts";

/** The market, the same for every peer. */
export interface Market {
  readonly symbols: number;
  /** Ticks a second, all symbols together. */
  readonly rate: number;
  readonly seed: number;
  /** Connections to expect, all from one address. */
  readonly connections: number;
}

/** A module of protocols/ or of the swarm, and its settings. */
export interface ClientProtocol {
  /** Its file. */
  readonly module: string;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}

/** A running peer that accepts connections. */
export interface RunningPeer {
  readonly port: number;
  /** The process whose CPU and memory count as the peer's. */
  readonly server: ManagedProcess;
  /** Other processes that it needs; their CPU is shown separately. */
  readonly helpers: readonly ManagedProcess[];
  readonly redis: ManagedProcess | undefined;
  readonly client: ClientProtocol;
  /** Starts the publisher. Absent where the server itself contains the market. */
  publish?(): Promise<ManagedProcess>;
}

export interface Peer {
  /** For `--peers`. */
  readonly name: string;
  /** For the tables. */
  readonly title: string;
  /** Another configuration of a peer: measured only on request, and not in the picture. */
  readonly isVariant: boolean;
  /** Its configuration, for the page. */
  readonly use: string;
  /** What is missing and how to install it; undefined when it can run. */
  missing(): string | undefined;
  version(): string;
  start(stage: ProcessGroup, market: Market): Promise<RunningPeer>;
}

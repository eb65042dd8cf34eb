/** What a peer is to the comparison: how it is started, who publishes to it, and what its clients speak. */
import type { ManagedProcess, ProcessGroup } from "./process_group.ts";

/** The market that every peer is given. */
export interface Market {
  readonly symbols: number;
  /** Ticks a second, all symbols together. */
  readonly rate: number;
  readonly seed: number;
  /** Connections that will come, all from one address. */
  readonly connections: number;
}

/** A module of protocols/ or of the swarm, and its settings. */
export interface ClientProtocol {
  /** Its file. */
  readonly module: string;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}

/** A peer that runs and takes connections. */
export interface RunningPeer {
  readonly port: number;
  /** Whose CPU and memory are the peer's. */
  readonly server: ManagedProcess;
  /** What it needs besides, whose CPU is shown apart. */
  readonly helpers: readonly ManagedProcess[];
  readonly redis: ManagedProcess | undefined;
  readonly client: ClientProtocol;
  /** Starts the market. Resolves when the publisher publishes. Not there where the server has the market in itself. */
  publish?(): Promise<ManagedProcess>;
}

export interface Peer {
  /** As `--peers` names it. */
  readonly name: string;
  /** As tables name it. */
  readonly title: string;
  /** Another way of using a peer: not in the picture, and in a run only when it is asked for. */
  readonly isVariant: boolean;
  /** How it is used, for the page. */
  readonly use: string;
  /** What is missing for it and how to get it; undefined when it can run. */
  missing(): string | undefined;
  version(): string;
  start(stage: ProcessGroup, market: Market): Promise<RunningPeer>;
}

/** One run: one peer at one load, or several peers at once. All processes are started for it and ended after it. */
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { socketsPossible } from "../../src/gateway/http/socket_plan.ts";
import { Ages } from "../ages.ts";
import { CpuSteal, machineTime } from "../cpu_steal.ts";
import { SwarmCoordinator } from "../swarm/coordinator.ts";
import type { Plan } from "../swarm/plan.ts";
import { type ProcessUsage, processUsage } from "../swarm/process_usage.ts";
import type { SwarmResult } from "../swarm/tally.ts";
import type { Peer, RunningPeer } from "./peer.ts";
import { type Cores, establishedConnections, type ManagedProcess, ProcessGroup } from "./process_group.ts";
import { offered, type Scenario } from "./scenarios.ts";

/** A server is idle when it uses less than this share of a core for this time, ms. The wait has a limit, ms. */
const IDLE_CORES = 0.1;
const IDLE_TIME = 200;
const IDLE_TIMEOUT = 20_000;
/** New connections per second. */
const CONNECT_RATE = 3_000;
const SEED = 1;
/** How long all connections together may take to open, ms. */
const CONNECT_TIMEOUT = 30_000;
const MICROS = 1_000_000;

/** How a run is measured. */
export interface RunSettings {
  readonly cores: Cores;
  readonly warmSeconds: number;
  readonly seconds: number;
  /** The highest age on arrival of a fresh update, ms. */
  readonly freshBound: number;
  /** Bytes per second that a slow client reads. */
  readonly slowBytes: number;
}

/** What was measured. CPU is in seconds per second: cores. */
export interface RunResult {
  /** Updates per second that arrived: newer than the client's last one, and fresh. */
  readonly fresh: number;
  /** The same, but older than the fresh bound. */
  readonly late: number;
  /** Updates per second to deliver. */
  readonly offered: number;
  readonly serverCores: number;
  /** CPU seconds of the server per million fresh updates. */
  readonly cpuPerMillion: number;
  readonly redisCores: number;
  /** The publisher and other processes that the peer needs. */
  readonly otherCores: number;
  readonly swarmCores: number;
  /** Programs that do not belong to the run. */
  readonly otherProgramCores: number;
  /** The share of the requested CPU time that the host granted. */
  readonly grantedShare: number;
  /** Ages of the healthy clients, milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** The server's memory per idle, subscribed connection, and its whole memory at the end, bytes. */
  readonly memoryPerConnection: number;
  readonly memory: number;
  /** How much it grew during the measurement. */
  readonly memoryGrowth: number;
  /** Bytes received per update. */
  readonly bytesPerUpdate: number;
  /** Connections that were refused, or closed by the server. */
  readonly refused: number;
  readonly closed: number;
  /** Invalid messages, by name. */
  readonly faults: readonly string[];
  /** How late the clients' timers were at p99, ms. */
  readonly loopLate: number;
}

/** @throws UsageError when the peer does not start */
export async function measurePeer(peer: Peer, scenario: Scenario, measure: RunSettings): Promise<RunResult> {
  const [result] = await measureTogether([peer], scenario, measure);
  return result;
}

/**
 * Measures peers at once on the same cores: ratios stay valid while the machine's speed changes. Each peer has its own
 * publisher and clients.
 * @throws UsageError when one of them does not start
 */
export async function measureTogether(
  peers: readonly Peer[],
  scenario: Scenario,
  measure: RunSettings,
): Promise<RunResult[]> {
  const turns = peers.map((peer) => new PeerRun(peer, scenario, measure));
  try {
    for (const turn of turns) await turn.start();
    await sleep(measure.warmSeconds * 1_000);
    for (const turn of turns) await turn.startCounting();
    await sleep(measure.seconds * 1_000);
    const results: RunResult[] = [];
    for (const turn of turns) results.push(await turn.result());
    return results.map((result, index) => {
      const others = results.toSpliced(index, 1).reduce((sum, other) => sum + coresOf(other), 0);
      return { ...result, otherProgramCores: result.otherProgramCores - others };
    });
  } finally {
    await Promise.all(turns.map((turn) => turn.close()));
  }
}

function coresOf({ serverCores, redisCores, otherCores, swarmCores }: RunResult): number {
  return serverCores + redisCores + otherCores + swarmCores;
}

/** One peer's run, from its first process to the end of the last. */
class PeerRun {
  readonly #peer: Peer;
  readonly #scenario: Scenario;
  readonly #measure: RunSettings;
  readonly #stage: ProcessGroup;
  #crew: SwarmCoordinator | undefined;
  #processes: Processes | undefined;
  #idle = Number.NaN;
  #before: Usage | undefined;
  #given = new CpuSteal();

  constructor(peer: Peer, scenario: Scenario, measure: RunSettings) {
    this.#peer = peer;
    this.#scenario = scenario;
    this.#measure = measure;
    this.#stage = new ProcessGroup(measure.cores);
  }

  /** Resolves when the market runs and all clients have subscribed. */
  async start(): Promise<void> {
    const { connections, symbols, rate } = this.#scenario;
    const running = await this.#peer.start(this.#stage, { symbols, rate, seed: SEED, connections });
    const { server, publish } = running;
    if (publish) await waitUntilIdle(server);
    const empty = server.usage().memory;
    const crew = new SwarmCoordinator(planOf(running, this.#scenario, this.#measure), socketsPossible());
    this.#crew = crew;
    // The market starts after the last connection: an overloaded server would accept no connection.
    const opened = crew.open();
    // It is awaited below; without a handler an earlier rejection would end this process.
    opened.catch(() => {});
    await waitForConnections(running.port, connections);
    if (publish) await waitUntilIdle(server);
    this.#idle = server.usage().memory - empty;
    const helpers = publish ? [...running.helpers, await publish()] : running.helpers;
    this.#processes = { server, redis: running.redis, helpers, swarm: crew };
    await opened;
  }

  /** Starts the measurement. */
  async startCounting(): Promise<void> {
    const processes = this.#processes as Processes;
    this.#before = usage(processes);
    this.#given = new CpuSteal();
    await processes.swarm.startCounting();
  }

  async result(): Promise<RunResult> {
    const processes = this.#processes as Processes;
    const result = await processes.swarm.result();
    return runResult({
      scenario: this.#scenario,
      idle: this.#idle,
      before: this.#before as Usage,
      after: usage(processes),
      grantedShare: this.#given.grantedShare,
      result,
    });
  }

  async close(): Promise<void> {
    this.#crew?.kill();
    await this.#stage.close();
  }
}

/** Waits until a port has this many established connections. */
async function waitForConnections(port: number, connections: number): Promise<void> {
  const deadline = performance.now() + CONNECT_TIMEOUT;
  while (establishedConnections(port) < connections && performance.now() < deadline) await sleep(IDLE_TIME);
}

/** Waits until a process is idle. */
async function waitUntilIdle(started: ManagedProcess): Promise<void> {
  const deadline = performance.now() + IDLE_TIMEOUT;
  const used = () => {
    const { user, system } = started.usage();
    return user + system;
  };
  let before = used();
  while (performance.now() < deadline) {
    await sleep(IDLE_TIME);
    const now = used();
    if ((now - before) * 1_000 < IDLE_CORES * IDLE_TIME) return;
    before = now;
  }
}

function planOf(running: RunningPeer, scenario: Scenario, measure: RunSettings): Plan {
  const { module, settings } = running.client;
  const digits = Math.max(4, String(scenario.symbols - 1).length);
  return {
    ...{ host: "127.0.0.1", port: running.port, secure: false, clockOffset: 0, processes: 1 },
    protocol: { module: pathToFileURL(module).href, settings },
    market: Array.from({ length: scenario.symbols }, (_, symbol) => `SIM:S${String(symbol).padStart(digits, "0")}`),
    ...{ connections: scenario.connections, perConnection: scenario.perConnection, rate: CONNECT_RATE },
    ...{ slow: scenario.slow, slowBytes: measure.slowBytes, stalled: 0, stallSeconds: 0, churn: 0 },
    freshBound: measure.freshBound,
  };
}

interface Usage {
  readonly at: number;
  readonly server: number;
  readonly redis: number;
  readonly others: number;
  readonly swarm: number;
  readonly machine: number;
  readonly memory: number;
}

/** The processes that are measured. */
interface Processes extends Pick<RunningPeer, "server" | "redis" | "helpers"> {
  readonly swarm: SwarmCoordinator;
}

function usage({ server, redis, helpers, swarm: crew }: Processes): Usage {
  const cpu = (of: readonly ProcessUsage[]) => of.reduce((total, { user, system }) => total + user + system, 0);
  const own = server.usage();
  return {
    at: performance.now() / 1_000,
    server: cpu([own]),
    redis: cpu(redis ? [redis.usage()] : []),
    others: cpu(helpers.map((helper) => helper.usage())),
    machine: machineTime().worked,
    swarm: cpu(crew.pids.map(processUsage)),
    memory: own.memory,
  };
}

interface Measured {
  readonly scenario: Scenario;
  /** How much the server's memory grew while the clients connected, bytes. */
  readonly idle: number;
  readonly before: Usage;
  readonly after: Usage;
  readonly grantedShare: number;
  readonly result: SwarmResult;
}

function runResult({ scenario, idle, before, after, grantedShare, result }: Measured): RunResult {
  const { healthy, slow } = result.classes;
  const seconds = after.at - before.at;
  const ages = new Ages();
  ages.add(healthy.ages);
  const millis = (share: number) => (ages.count > 0 ? ages.quantile(share) / 1_000 : Number.NaN);
  const cores = (name: "server" | "redis" | "others" | "swarm" | "machine") => (after[name] - before[name]) / seconds;
  const fresh = (healthy.fresh + slow.fresh) / result.seconds;
  const ticks = healthy.ticks + slow.ticks;
  const count = (names: SwarmResult["closed"]) => names.reduce((total, [, some]) => total + some, 0);
  return {
    fresh,
    late: (healthy.late + slow.late) / result.seconds,
    offered: offered(scenario),
    serverCores: cores("server"),
    cpuPerMillion: (cores("server") * MICROS) / fresh,
    redisCores: cores("redis"),
    otherCores: cores("others"),
    swarmCores: cores("swarm"),
    otherProgramCores: cores("machine") - cores("server") - cores("redis") - cores("others") - cores("swarm"),
    grantedShare,
    ...{ p50: millis(0.5), p99: millis(0.99), p999: millis(0.999) },
    memoryPerConnection: idle / scenario.connections,
    memory: after.memory,
    memoryGrowth: after.memory - before.memory,
    bytesPerUpdate: (healthy.bytes + slow.bytes) / ticks,
    refused: count(result.refused),
    closed: count(result.closed),
    faults: result.faults.map(({ name, count, examples }) => `${name}: ${count} (${examples[0] ?? ""})`),
    loopLate: result.loopLate,
  };
}

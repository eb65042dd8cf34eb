/** One turn: one peer at one load, or several at once. Everything is started for it and ended after it. */
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

/** A server is at rest when it uses less than this share of a core, over so long, ms; it is waited for at most so long, ms. */
const IDLE_CORES = 0.1;
const IDLE_TIME = 200;
const IDLE_TIMEOUT = 20_000;
/** Connections that are opened a second. */
const CONNECT_RATE = 3_000;
const SEED = 1;
/** How long everybody may take to connect, ms. */
const CONNECT_TIMEOUT = 30_000;
const MICROS = 1_000_000;

/** How turns are measured. */
export interface RunSettings {
  readonly cores: Cores;
  readonly warmSeconds: number;
  readonly seconds: number;
  /** Up to which age on arrival an update is fresh, ms. */
  readonly freshBound: number;
  /** Bytes a second that a slow reader reads. */
  readonly slowBytes: number;
}

/** What was measured. Times of CPU in seconds a second: cores. */
export interface RunResult {
  /** Updates a second that arrived: newer than what the client had, and young enough. */
  readonly fresh: number;
  /** Newer, but too old. */
  readonly late: number;
  /** Updates a second that there were to deliver. */
  readonly offered: number;
  readonly serverCores: number;
  /** CPU seconds of the server for a million fresh updates. */
  readonly cpuPerMillion: number;
  readonly redisCores: number;
  /** Publisher, and what else the peer needs besides its server. */
  readonly otherCores: number;
  readonly swarmCores: number;
  /** What has nothing to do with the turn. */
  readonly otherProgramCores: number;
  /** How much of the time that was asked for the machine's host gave it. */
  readonly grantedShare: number;
  /** Of the healthy readers, milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** The server's memory for each connection that has subscribed and waits, bytes; and all of it at the end. */
  readonly memoryPerConnection: number;
  readonly memory: number;
  /** What it grew by while it was measured. */
  readonly memoryGrowth: number;
  /** Bytes that came for each update. */
  readonly bytesPerUpdate: number;
  /** Connections that were not let in, or that ended. */
  readonly refused: number;
  readonly closed: number;
  /** Messages that were wrong, by name. */
  readonly faults: readonly string[];
  /** How late the readers' timers were at p99, ms. */
  readonly loopLate: number;
}

/** @throws UsageError when the peer does not start */
export async function measurePeer(peer: Peer, scenario: Scenario, measure: RunSettings): Promise<RunResult> {
  const [result] = await measureTogether([peer], scenario, measure);
  return result;
}

/**
 * All at once, on the same cores: what one of them has of a machine in a minute, the others have too, and ratios are of use
 * where its speed changes. Each has a publisher and readers of its own.
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

/** A peer's turn, from its start to the end of all that was started for it. */
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

  /** Resolves when the market runs and everybody has subscribed. */
  async start(): Promise<void> {
    const { connections, symbols, rate } = this.#scenario;
    const running = await this.#peer.start(this.#stage, { symbols, rate, seed: SEED, connections });
    const { server, publish } = running;
    if (publish) await waitUntilIdle(server);
    const empty = server.usage().memory;
    const crew = new SwarmCoordinator(planOf(running, this.#scenario, this.#measure), socketsPossible());
    this.#crew = crew;
    // The market begins when everybody is there: a server that it is too much for would let nobody in.
    const opened = crew.open();
    // Who looks at it comes later; a refusal in between is not to end the run.
    opened.catch(() => {});
    await waitForConnections(running.port, connections);
    if (publish) await waitUntilIdle(server);
    this.#idle = server.usage().memory - empty;
    const helpers = publish ? [...running.helpers, await publish()] : running.helpers;
    this.#processes = { server, redis: running.redis, helpers, swarm: crew };
    await opened;
  }

  /** From now on all counts. */
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

/** Waits until so many connections to a port are established. */
async function waitForConnections(port: number, connections: number): Promise<void> {
  const deadline = performance.now() + CONNECT_TIMEOUT;
  while (establishedConnections(port) < connections && performance.now() < deadline) await sleep(IDLE_TIME);
}

/** Waits until a process has nothing to do. */
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

/** Whose usage is told. */
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
  /** What the server's memory grew by when everyone connected, bytes. */
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

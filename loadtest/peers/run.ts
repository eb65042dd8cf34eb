/** One turn: one peer at one load, or several at once. Everything is started for it and ended after it. */
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { socketsPossible } from "../../src/gateway/http/socket_plan.ts";
import { Ages } from "../ages.ts";
import { GivenTime, machineTime } from "../cpu_steal.ts";
import { Crew } from "../swarm/coordinator.ts";
import type { Plan } from "../swarm/plan.ts";
import { type ProcessUsage, processUsage } from "../swarm/process_usage.ts";
import type { SwarmResult } from "../swarm/tally.ts";
import type { Peer, RunningPeer } from "./peer.ts";
import { offered, type Scenario } from "./scenarios.ts";
import { type Cores, established, Stage, type StageProcess } from "./process_group.ts";

/** A server is at rest when it uses less than this share of a core, over so long, ms; it is waited for at most so long, ms. */
const REST_CORES = 0.1;
const REST_TIME = 200;
const REST_PATIENCE = 20_000;
/** Connections that are opened a second. */
const CONNECT_RATE = 3_000;
const SEED = 1;
/** How long everybody may take to connect, ms. */
const ARRIVAL_PATIENCE = 30_000;
const MICROS = 1_000_000;

/** How turns are measured. */
export interface Measure {
  readonly cores: Cores;
  readonly warmSeconds: number;
  readonly seconds: number;
  /** Up to which age on arrival an update is fresh, ms. */
  readonly freshBound: number;
  /** Bytes a second that a slow reader reads. */
  readonly slowBytes: number;
}

/** What was measured. Times of CPU in seconds a second: cores. */
export interface TurnResult {
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
  readonly strangerCores: number;
  /** How much of the time that was asked for the machine's host gave it. */
  readonly givenShare: number;
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
export async function playTurn(peer: Peer, scenario: Scenario, measure: Measure): Promise<TurnResult> {
  const [result] = await playTogether([peer], scenario, measure);
  return result;
}

/**
 * All at once, on the same cores: what one of them has of a machine in a minute, the others have too, and ratios are of use
 * where its speed changes. Each has a publisher and readers of its own.
 * @throws UsageError when one of them does not start
 */
export async function playTogether(
  peers: readonly Peer[],
  scenario: Scenario,
  measure: Measure,
): Promise<TurnResult[]> {
  const turns = peers.map((peer) => new OpenTurn(peer, scenario, measure));
  try {
    for (const turn of turns) await turn.start();
    await sleep(measure.warmSeconds * 1_000);
    for (const turn of turns) await turn.count();
    await sleep(measure.seconds * 1_000);
    const results: TurnResult[] = [];
    for (const turn of turns) results.push(await turn.tell());
    return results.map((result, index) => {
      const others = results.toSpliced(index, 1).reduce((sum, other) => sum + coresOf(other), 0);
      return { ...result, strangerCores: result.strangerCores - others };
    });
  } finally {
    await Promise.all(turns.map((turn) => turn.close()));
  }
}

function coresOf({ serverCores, redisCores, otherCores, swarmCores }: TurnResult): number {
  return serverCores + redisCores + otherCores + swarmCores;
}

/** A peer's turn, from its start to the end of all that was started for it. */
class OpenTurn {
  readonly #peer: Peer;
  readonly #scenario: Scenario;
  readonly #measure: Measure;
  readonly #stage: Stage;
  #crew: Crew | undefined;
  #processes: Processes | undefined;
  #idle = Number.NaN;
  #before: Usage | undefined;
  #given = new GivenTime();

  constructor(peer: Peer, scenario: Scenario, measure: Measure) {
    this.#peer = peer;
    this.#scenario = scenario;
    this.#measure = measure;
    this.#stage = new Stage(measure.cores);
  }

  /** Resolves when the market runs and everybody has subscribed. */
  async start(): Promise<void> {
    const { connections, symbols, rate } = this.#scenario;
    const running = await this.#peer.start(this.#stage, { symbols, rate, seed: SEED, connections });
    const { server, publish } = running;
    if (publish) await rest(server);
    const empty = server.usage().memory;
    const crew = new Crew(planOf(running, this.#scenario, this.#measure), socketsPossible());
    this.#crew = crew;
    // The market begins when everybody is there: a server that it is too much for would let nobody in.
    const opened = crew.open();
    // Who looks at it comes later; a refusal in between is not to end the run.
    opened.catch(() => {});
    await arrival(running.port, connections);
    if (publish) await rest(server);
    this.#idle = server.usage().memory - empty;
    const helpers = publish ? [...running.helpers, await publish()] : running.helpers;
    this.#processes = { server, redis: running.redis, helpers, crew };
    await opened;
  }

  /** From now on all counts. */
  async count(): Promise<void> {
    const processes = this.#processes as Processes;
    this.#before = usage(processes);
    this.#given = new GivenTime();
    await processes.crew.count();
  }

  async tell(): Promise<TurnResult> {
    const processes = this.#processes as Processes;
    const result = await processes.crew.tell();
    return turnResult({
      scenario: this.#scenario,
      idle: this.#idle,
      before: this.#before as Usage,
      after: usage(processes),
      givenShare: this.#given.share,
      result,
    });
  }

  async close(): Promise<void> {
    this.#crew?.stop();
    await this.#stage.close();
  }
}

/** Waits until so many connections to a port are established. */
async function arrival(port: number, connections: number): Promise<void> {
  const deadline = performance.now() + ARRIVAL_PATIENCE;
  while (established(port) < connections && performance.now() < deadline) await sleep(REST_TIME);
}

/** Waits until a process has nothing to do. */
async function rest(started: StageProcess): Promise<void> {
  const deadline = performance.now() + REST_PATIENCE;
  const used = () => {
    const { user, system } = started.usage();
    return user + system;
  };
  let before = used();
  while (performance.now() < deadline) {
    await sleep(REST_TIME);
    const now = used();
    if ((now - before) * 1_000 < REST_CORES * REST_TIME) return;
    before = now;
  }
}

function planOf(running: RunningPeer, scenario: Scenario, measure: Measure): Plan {
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
  readonly crew: Crew;
}

function usage({ server, redis, helpers, crew }: Processes): Usage {
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
  readonly givenShare: number;
  readonly result: SwarmResult;
}

function turnResult({ scenario, idle, before, after, givenShare, result }: Measured): TurnResult {
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
    strangerCores: cores("machine") - cores("server") - cores("redis") - cores("others") - cores("swarm"),
    givenShare,
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

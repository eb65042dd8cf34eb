/** One turn: one peer at one load. Everything is started for it and ended after it. */
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { connectionsPossible } from "../../src/command/file_limit.ts";
import { Ages } from "../ages.ts";
import { GivenTime, machineTime } from "../given_time.ts";
import { Crew } from "../swarm/crew.ts";
import type { Plan } from "../swarm/plan.ts";
import { type ProcessUsage, processUsage } from "../swarm/process_usage.ts";
import type { SwarmResult } from "../swarm/tally.ts";
import type { Peer, RunningPeer } from "./peer.ts";
import { offered, type Scenario } from "./scenarios.ts";
import { type Cores, established, Stage, type StageProcess } from "./stage.ts";

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
  const stage = new Stage(measure.cores);
  let crew: Crew | undefined;
  try {
    const { connections, symbols, rate } = scenario;
    const running = await peer.start(stage, { symbols, rate, seed: SEED, connections });
    await rest(running.server);
    const empty = running.server.usage().memory;
    crew = new Crew(planOf(running, scenario, measure), connectionsPossible());
    // The market begins when everybody is there: a server that it is too much for would let nobody in.
    const opened = crew.open();
    // Who looks at it comes later; a refusal in between is not to end the run.
    opened.catch(() => {});
    await arrival(running.port, connections);
    await rest(running.server);
    const connected = running.server.usage().memory;
    const processes = { ...running, helpers: [...running.helpers, await running.publish()] };
    await opened;
    await sleep(measure.warmSeconds * 1_000);
    const before = usage(processes, crew);
    const given = new GivenTime();
    await crew.count();
    await sleep(measure.seconds * 1_000);
    const result = await crew.tell();
    const after = usage(processes, crew);
    return turnResult({ scenario, idle: connected - empty, before, after, givenShare: given.share, result });
  } finally {
    crew?.stop();
    await stage.close();
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

function usage({ server, redis, helpers }: RunningPeer, crew: Crew): Usage {
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

/** One run of the swarm: opens, warms up, measures, and sees whether everyone arrives at what holds. */
import { setTimeout as sleep } from "node:timers/promises";
import { clockOffset } from "../clock_offset.ts";
import { type ClockOffset, isLocal } from "../clock_sample.ts";
import { GatewayProcess } from "../gateway_process.ts";
import { Market } from "../market.ts";
import { checkFiles, SwarmCoordinator } from "./coordinator.ts";
import type { SwarmOptions } from "./options.ts";
import type { Plan } from "./plan.ts";
import {
  fileLimit,
  type ProcessUsage,
  processUsage,
  type SocketUsage,
  socketUsage,
  withChildren,
} from "./process_usage.ts";
import type { Comparison, ValueComparison } from "./swarm.ts";
import type { SwarmResult } from "./tally.ts";

const PROTOCOL = new URL("tickgate_protocol.ts", import.meta.url).href;
/** How long everyone may take to arrive at what holds, besides the interval, ms; and how often it is looked. */
const SETTLE_TIME = 5_000;
const LOOK = 200;
/** How long another gateway than the one that is asked may know more than it, ms. */
const AHEAD_TIME = 2_000;

/** What the server's processes and the kernel had at three moments: before anyone connected, and around the count. */
export interface Usage {
  readonly processes: readonly ProcessUsage[];
  readonly sockets: SocketUsage | undefined;
}

export interface Run {
  readonly plan: Omit<Plan, "market">;
  readonly market: number;
  readonly result: SwarmResult;
  /** The other clock, where it is another. */
  readonly clock: ClockOffset | undefined;
  readonly usage: { readonly before: Usage; readonly begin: Usage; readonly end: Usage };
  /** Seconds between the last two usages. */
  readonly seconds: number;
  readonly convergence: Convergence;
}

/** After the count, with everyone reading. */
export interface Convergence {
  /** Slots that were below what held a while ago, and above what can hold. */
  readonly behind: Comparison;
  readonly ahead: Comparison;
  readonly values: ValueComparison;
  /** How long it took until nobody was behind, ms. */
  readonly took: number;
}

/**
 * Runs the swarm against the gateway of the options, or one of its own.
 * @param say is told what is being done
 * @throws UsageError when it cannot be done
 */
export async function runSwarm(options: SwarmOptions, say: (text: string) => void): Promise<Run> {
  checkFiles(options.connections, options.processes, fileLimit());
  if (options.url !== "") return runAgainst(options.url, options.pid, options, say);
  const { market, ticks, connections } = options;
  // Room enough that the gateway does not warn of being nearly full.
  const most = String(connections * 2);
  const gateway = await GatewayProcess.start([
    ...["--feed", `sim:?symbols=${market}&rate=${ticks}`],
    ...["--max-connections", most, "--max-connections-per-address", most],
  ]);
  try {
    const url = `ws://127.0.0.1:${gateway.port}/v1/stream`;
    return await runAgainst(url, [gateway.pid, ...options.pid], options, say);
  } finally {
    await gateway.stop();
  }
}

async function runAgainst(
  url: string,
  pids: readonly number[],
  options: SwarmOptions,
  say: (text: string) => void,
): Promise<Run> {
  const market = await Market.open(url, options.prefix, options.symbols);
  const { hostname } = new URL(url);
  const clock = isLocal(hostname) ? undefined : await clockOffset(url);
  const plan = planOf(url, market.symbols, options, clock);
  const measure = () => usageOf(pids);
  const before = measure();
  const crew = new SwarmCoordinator(plan, fileLimit());
  try {
    say(`opening ${plan.connections} connections, ${plan.rate} a second`);
    await crew.open();
    say(`all asked for what they want; ${options.warm} s to warm up`);
    await sleep(options.warm * 1_000);
    say(`measuring for ${options.duration} s`);
    const begin = measure();
    const start = performance.now();
    await crew.startCounting();
    await sleep(options.duration * 1_000);
    const result = await crew.result();
    const end = measure();
    const seconds = (performance.now() - start) / 1_000;
    say("everyone reads as fast as they can, until they have what holds");
    const convergence = await converge(crew, market, plan, options.interval);
    // What was broken while it settled is broken as well.
    const { faults, closed } = await crew.result();
    await crew.close();
    const { market: _, ...rest } = plan;
    return {
      ...{ plan: rest, market: market.symbols.length, result: { ...result, faults, closed }, clock },
      ...{ usage: { before, begin, end }, seconds, convergence },
    };
  } finally {
    crew.kill();
  }
}

function planOf(url: string, market: readonly string[], options: SwarmOptions, clock: ClockOffset | undefined): Plan {
  const { hostname, port, protocol, pathname, search } = new URL(url);
  const secure = protocol === "wss:";
  const { connections, symbols, interval, rate, slow, stalled, stall, fresh, churn, processes } = options;
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? (secure ? 443 : 80) : Number(port),
    secure,
    protocol: { module: PROTOCOL, settings: { interval, path: pathname + search } },
    ...{ market, connections, perConnection: symbols, rate, churn, processes },
    slow: slow.of(connections),
    slowBytes: options["slow-bytes"],
    stalled: stalled.of(connections),
    stallSeconds: stall,
    freshBound: fresh,
    clockOffset: clock?.offset ?? 0,
  };
}

function usageOf(pids: readonly number[]): Usage {
  return { processes: pids.flatMap(withChildren).map(processUsage), sockets: socketUsage() };
}

/** Waits until nobody is behind what held when it began, and then sees that nobody has what cannot be. */
async function converge(crew: SwarmCoordinator, market: Market, plan: Plan, interval: number): Promise<Convergence> {
  await crew.settle();
  const start = performance.now();
  const { seqs: least } = await market.state();
  const deadline = start + interval + SETTLE_TIME + (plan.stalled > 0 ? plan.stallSeconds * 1_000 : 0);
  let behind = await crew.behind(least);
  for (; behind.count > 0 && performance.now() < deadline; behind = await crew.behind(least)) await sleep(LOOK);
  const took = performance.now() - start;
  const aheadDeadline = performance.now() + AHEAD_TIME;
  let state = await market.state();
  let ahead = await crew.ahead(state.seqs);
  for (; ahead.count > 0 && performance.now() < aheadDeadline; ahead = await crew.ahead(state.seqs)) {
    await sleep(LOOK);
    state = await market.state();
  }
  return { behind, ahead, values: await crew.values(state.seqs, state.values), took };
}

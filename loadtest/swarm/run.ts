/** One run of the swarm: opens, warms up, measures, and checks that all clients get the last ticks. */
import { setTimeout as sleep } from "node:timers/promises";
import { clockOffset } from "../clock_offset.ts";
import { type ClockOffset, isLocal } from "../clock_sample.ts";
import { GatewayProcess } from "../gateway_process.ts";
import { Market } from "../market.ts";
import { type TokenSource, tokenHeaders, tokenSource } from "../tokens.ts";
import { COMPARED_BARS } from "./bar_stream.ts";
import { DEPTH } from "./book_stream.ts";
import { checkFiles, combine, SwarmCoordinator } from "./coordinator.ts";
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
import type { StreamChannel } from "./protocol.ts";
import { Selection } from "./selection.ts";
import type { Comparison, ValueComparison } from "./swarm.ts";
import type { SwarmResult } from "./tally.ts";

const PROTOCOL = new URL("tickgate_protocol.ts", import.meta.url).href;
/**
 * How long the clients may take to get the last ticks, in addition to the interval, and the pause between checks, ms.
 */
const SETTLE_TIME = 5_000;
const CHECK_PAUSE = 200;
/** Trades, books and bars at rest are compared for so many symbols: each needs a request. */
const MOST_ASKED = 200;
/** How long the gateway that answers over HTTP may be behind the others, ms. */
const AHEAD_TIME = 2_000;

/** Of the token with which the swarm asks over HTTP. */
const SUBJECT = "swarm";

/** Usage of the server's processes and of the kernel's sockets at one moment. */
export interface Usage {
  readonly processes: readonly ProcessUsage[];
  readonly sockets: SocketUsage | undefined;
}

export interface Run {
  readonly plan: Omit<Plan, "market" | "tokens">;
  readonly market: number;
  readonly result: SwarmResult;
  /** The server's clock, unless it is ours. */
  readonly clock: ClockOffset | undefined;
  readonly usage: { readonly before: Usage; readonly begin: Usage; readonly end: Usage };
  /** Seconds between the usages `begin` and `end`. */
  readonly seconds: number;
  readonly convergence: Convergence;
}

/** The state after counting, with all clients reading. */
export interface Convergence {
  /** Slots below an earlier state of the market, and slots above its current state. */
  readonly behind: Comparison;
  readonly ahead: Comparison;
  readonly values: ValueComparison;
  /** Trades, books and bars that are behind; and the content of books and of bars. */
  readonly streams: Comparison;
  readonly books: ValueComparison;
  readonly bars: ValueComparison;
  /** The time until no slot was behind, ms. */
  readonly took: number;
}

/**
 * Runs the swarm against the gateway of the options, or starts one.
 * @param say reports progress
 * @throws UsageError when the run is not possible
 */
export async function runSwarm(options: SwarmOptions, say: (text: string) => void): Promise<Run> {
  checkFiles(options.connections, options.processes, fileLimit());
  if (options.url !== "") return runAgainst(options.url, options.pid, options, say);
  const { market, ticks, connections } = options;
  // High enough that the gateway does not warn that it is nearly full.
  const most = String(connections * 2);
  const gateway = await GatewayProcess.start([
    ...["--feed", `sim:?symbols=${market}&rate=${ticks}${channelsOf(options)}`],
    ...["--max-connections", most, "--max-connections-per-address", most],
  ]);
  try {
    const url = `ws://127.0.0.1:${gateway.port}/v1/stream`;
    return await runAgainst(url, [gateway.pid, ...options.pid], options, say);
  } finally {
    await gateway.stop();
  }
}

function channelsOf({ trades, books, bars }: SwarmOptions): string {
  if (trades + books + bars === 0) return "";
  // Bars are made of trades.
  return `&channels=quote${trades + bars > 0 ? ",trade" : ""}${books > 0 ? ",book" : ""}${bars > 0 ? ",bar" : ""}`;
}

async function runAgainst(
  url: string,
  pids: readonly number[],
  options: SwarmOptions,
  say: (text: string) => void,
): Promise<Run> {
  const tokens = tokenSource(options, process.env);
  const headers = tokenHeaders(tokens, SUBJECT);
  const market = await Market.open(url, options.prefix, options.symbols, headers);
  const { hostname } = new URL(url);
  const clock = isLocal(hostname) ? undefined : await clockOffset(url, headers);
  const plan = planOf(url, market.symbols, options, clock, tokens);
  const measure = () => usageOf(pids);
  const before = measure();
  const coordinator = new SwarmCoordinator(plan, fileLimit());
  try {
    say(`opening ${plan.connections} connections, ${plan.rate} per second`);
    await coordinator.open();
    say(`all have subscribed; warming up for ${options.warm} s`);
    await sleep(options.warm * 1_000);
    say(`measuring for ${options.duration} s`);
    const begin = measure();
    const start = performance.now();
    await coordinator.startCounting();
    await sleep(options.duration * 1_000);
    const result = await coordinator.result();
    const end = measure();
    const seconds = (performance.now() - start) / 1_000;
    say("all clients read as fast as they can until they have the last ticks");
    const convergence = await converge(coordinator, market, plan, options);
    // Includes faults after the count.
    const { faults, closed } = await coordinator.result();
    await coordinator.close();
    const { market: _, tokens: __, ...rest } = plan;
    return {
      ...{ plan: rest, market: market.symbols.length, result: { ...result, faults, closed }, clock },
      ...{ usage: { before, begin, end }, seconds, convergence },
    };
  } finally {
    coordinator.kill();
  }
}

function planOf(
  url: string,
  market: readonly string[],
  options: SwarmOptions,
  clock: ClockOffset | undefined,
  tokens: TokenSource | undefined,
): Plan {
  const { hostname, port, protocol, pathname, search } = new URL(url);
  const secure = protocol === "wss:";
  const { connections, symbols, interval, rate, slow, stalled, stall, fresh, churn, processes, delay } = options;
  const { trades, books, bars, resolution } = options;
  const clockError = clock?.error ?? 0;
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? (secure ? 443 : 80) : Number(port),
    secure,
    protocol: {
      module: PROTOCOL,
      settings: { interval, path: pathname + search, delay, clockError, trades, books, bars, resolution },
    },
    ...{ market, connections, perConnection: symbols, rate, churn, processes },
    slow: slow.of(connections),
    slowBytes: options["slow-bytes"],
    stalled: stalled.of(connections),
    stallSeconds: stall,
    freshBound: fresh + delay,
    clockOffset: clock?.offset ?? 0,
    ...(tokens && { tokens }),
  };
}

function usageOf(pids: readonly number[]): Usage {
  return { processes: pids.flatMap(withChildren).map(processUsage), sockets: socketUsage() };
}

/** Waits until no slot is behind the market at the start, then checks that no slot is ahead of it. */
async function converge(
  coordinator: SwarmCoordinator,
  market: Market,
  plan: Plan,
  options: SwarmOptions,
): Promise<Convergence> {
  await coordinator.settle();
  const start = performance.now();
  const { seqs: least } = await market.state();
  const deadline = start + options.interval + SETTLE_TIME + (plan.stalled > 0 ? plan.stallSeconds * 1_000 : 0);
  let behind = await coordinator.behind(least);
  for (; behind.count > 0 && performance.now() < deadline; behind = await coordinator.behind(least))
    await sleep(CHECK_PAUSE);
  const took = performance.now() - start;
  const { streams, books, bars } = await convergeStreams(coordinator, market, plan, options, deadline);
  const aheadDeadline = performance.now() + AHEAD_TIME;
  let state = await market.state();
  let ahead = await coordinator.ahead(state.seqs);
  for (; ahead.count > 0 && performance.now() < aheadDeadline; ahead = await coordinator.ahead(state.seqs)) {
    await sleep(CHECK_PAUSE);
    state = await market.state();
  }
  const values = await coordinator.values(state.seqs, state.values);
  return { behind, ahead, values, streams, books, bars, took };
}

/** The same for trades, books and bars, and compares the content of books and bars. */
async function convergeStreams(
  coordinator: SwarmCoordinator,
  market: Market,
  plan: Plan,
  { trades, books, bars, resolution }: SwarmOptions,
  deadline: number,
): Promise<Pick<Convergence, "streams" | "books" | "bars">> {
  const found: Comparison[] = [];
  const queries = {
    trade: "last=1",
    book: `depth=${DEPTH}`,
    bar: `resolution=${resolution}&last=${COMPARED_BARS}`,
  };
  const stateOf = (channel: StreamChannel, count: number) =>
    market.channelState(channel, symbolsOf(plan, count), queries[channel]);
  for (const [channel, count] of [
    ["trade", trades],
    ["book", books],
    ["bar", bars],
  ] as const) {
    if (count === 0) continue;
    const { seqs: least } = await stateOf(channel, count);
    let behind = await coordinator.streamsBehind(channel, least);
    for (; behind.count > 0 && performance.now() < deadline; behind = await coordinator.streamsBehind(channel, least))
      await sleep(CHECK_PAUSE);
    found.push(behind);
  }
  const compare = async (channel: StreamChannel, count: number) => {
    const { seqs, contents } = await stateOf(channel, count);
    return coordinator.contents(channel, seqs, contents);
  };
  return { streams: combine(found), books: await compare("book", books), bars: await compare("bar", bars) };
}

/** The market indexes of the first symbols of as many connections as are compared. */
function symbolsOf({ market, connections, perConnection }: Plan, count: number): number[] {
  const symbols = new Set<number>();
  for (let index = 0; index < connections; index++) {
    const selection = new Selection(market, index, perConnection);
    for (let slot = 0; slot < count && symbols.size < MOST_ASKED; slot++) symbols.add(selection.symbolAt(slot));
    if (symbols.size === MOST_ASKED) break;
  }
  return [...symbols];
}

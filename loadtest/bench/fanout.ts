/**
 * CPU of a real gateway with many connections, and the age of its ticks on arrival. Then measures two reference
 * servers: send-only (as many frames of the same size) and a minimal gateway (the same ticks and nothing else). Each is
 * a process of its own. Compare ratios of one run; absolute times differ between machines.
 *
 *     node loadtest/bench/fanout.ts [--connections N] [--interval MS] … (--help)
 *
 * With --features it compares the gateway with itself: see fanout_features.ts.
 *
 * Exit code 1 when a promise is broken: p99 age above the interval plus 100 ms, growing memory, lost connections,
 * unreadable frames.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { UsageError } from "../../src/settings/option.ts";
import { Child } from "../child.ts";
import { GatewayProcess } from "../gateway_process.ts";
import type { SwarmCoordinator } from "../swarm/coordinator.ts";
import { type Summary, summaryOf } from "../swarm/report.ts";
import type { SwarmResult } from "../swarm/tally.ts";
import { reportFeatures } from "./fanout_features.ts";
import { help, type Options, readOptions } from "./fanout_options.ts";
import { loadOf } from "./load.ts";
import type { MinimalGatewayOrder } from "./minimal_gateway.ts";
import type { CountOrder, CountReport } from "./send_counter.ts";
import type { SendOnlyOrder } from "./send_only_server.ts";

/** How long the gateway is measured without connections, ms. */
const IDLE_TIME = 2_000;
/** How far the p99 age may exceed the interval, ms. */
const MARGIN = 100;
/** Memory may grow by this share plus these bytes during the measurement: garbage collection makes it vary. */
const GROWTH_SHARE = 0.1;
const GROWTH_BYTES = 32_000_000;
/** Later timers of the load, ms, show that the machine has other work. */
const LATE_TIMERS = 20;
/** Above this share of a core, the load itself limits the result. */
const LOAD_LIMIT = 0.9;

/** What all clients received. */
interface Received {
  readonly seconds: number;
  readonly frames: number;
  readonly ticks: number;
  readonly bytes: number;
  readonly age: Summary;
  readonly slowAge: Summary;
}

interface GatewayRun {
  readonly received: Received;
  readonly load: SwarmResult;
  /** CPU cores without connections: the simulator, the bus and the market table. */
  readonly idleCores: number;
  readonly cpuSeconds: number;
  readonly seconds: number;
  readonly framesOut: number;
  readonly pingsOut: number;
  readonly heldBack: number;
  readonly memory: readonly [begin: number, end: number];
}

function receivedOf({ seconds, classes: { healthy, slow } }: SwarmResult): Received {
  return {
    seconds,
    frames: healthy.frames + slow.frames,
    ticks: healthy.ticks + slow.ticks,
    bytes: healthy.bytes + slow.bytes,
    age: summaryOf(healthy.ages),
    slowAge: summaryOf(slow.ages),
  };
}

async function measureGateway(options: Options): Promise<GatewayRun> {
  const { connections, symbols, rate, profile } = options;
  const flags = [
    "--feed",
    `sim:?symbols=${symbols}&rate=${rate}`,
    "--max-connections-per-address",
    String(connections),
  ];
  const nodeFlags = profile === "" ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const gateway = await GatewayProcess.start(flags, nodeFlags);
  let load: SwarmCoordinator | undefined;
  try {
    load = loadOf(loadTarget(options, gateway.port));
    await sleep(1_000);
    const idle = [await gateway.metrics(), await sleep(IDLE_TIME), await gateway.metrics()] as const;
    await load.open();
    await sleep(options.warm * 1_000);
    const before = await gateway.metrics();
    await load.startCounting();
    const start = performance.now();
    await sleep(options.seconds * 1_000);
    const after = await gateway.metrics();
    const seconds = (performance.now() - start) / 1_000;
    const result = await load.result();
    const grown = (name: string) => (after.get(name) ?? Number.NaN) - (before.get(name) ?? Number.NaN);
    const memory = "process_resident_memory_bytes";
    const cpu = "process_cpu_seconds_total";
    return {
      received: receivedOf(result),
      load: result,
      idleCores: ((idle[2].get(cpu) ?? Number.NaN) - (idle[0].get(cpu) ?? Number.NaN)) / (IDLE_TIME / 1_000),
      cpuSeconds: grown(cpu),
      seconds,
      framesOut: grown("tickgate_frames_out_total"),
      pingsOut: grown("tickgate_pings_out_total"),
      heldBack: grown("tickgate_held_back_total"),
      memory: [before.get(memory) ?? Number.NaN, after.get(memory) ?? Number.NaN],
    };
  } finally {
    load?.kill();
    await gateway.stop();
  }
}

/** The cost of a reference server. */
interface ReferenceCost {
  /** CPU microseconds per frame. */
  readonly micros: number;
  readonly framesPerSecond: number;
}

async function measureSendOnly(options: Options, run: GatewayRun): Promise<ReferenceCost> {
  const frame = Buffer.alloc(Math.round(run.received.bytes / run.received.frames));
  const order: SendOnlyOrder = { order: "serve", frame, framesPerSecond: run.framesOut / run.seconds };
  return measureReference<SendOnlyOrder>(options, "bench/send_only_server.ts", order);
}

async function measureMinimalGateway(options: Options): Promise<ReferenceCost> {
  const { symbols, rate, interval } = options;
  const market = { symbols, rate, interval, perConnection: options["per-connection"] };
  return measureReference<MinimalGatewayOrder>(options, "bench/minimal_gateway.ts", { order: "serve", market });
}

/** Measures one reference server with the same connections. @param serve its first order */
async function measureReference<Order>(options: Options, script: string, serve: Order): Promise<ReferenceCost> {
  const server = new Child<Order | CountOrder, CountReport>(script);
  let load: SwarmCoordinator | undefined;
  try {
    const { port } = await server.order(serve, "serving");
    // No slow clients: an unread socket would change the cost of sending.
    load = loadOf({ ...loadTarget(options, port), perConnection: 0, slow: 0 });
    await load.open();
    await sleep(options.warm * 1_000);
    await load.startCounting();
    await server.order({ order: "count" }, "counting");
    await sleep(options.seconds * 1_000);
    const { frames, cpuSeconds } = await server.order({ order: "report" }, "result");
    return { micros: (cpuSeconds * 1_000_000) / frames, framesPerSecond: frames / options.seconds };
  } finally {
    load?.kill();
    server.stop();
  }
}

function loadTarget(options: Options, port: number) {
  const { connections, symbols, interval, slow } = options;
  return {
    ...{ port, connections, symbols, interval, slow },
    perConnection: options["per-connection"],
    slowRate: options["slow-rate"],
  };
}

function brokenPromises(options: Options, { received: { age }, load, memory }: GatewayRun): string[] {
  const [begin, end] = memory;
  const limit = options.interval + MARGIN;
  const checks: [boolean, string][] = [
    [age.count > 0 || options.slow === options.connections, "no tick arrived"],
    [age.p99 <= limit, `age p99 of ${age.p99.toFixed(1)} ms, more than ${limit} ms`],
    [end - begin <= begin * GROWTH_SHARE + GROWTH_BYTES, "memory grew"],
    [load.open === options.connections, `${options.connections - load.open} connections were refused or closed`],
    ...load.faults.map(({ name, count }): [boolean, string] => [false, `${name}: ${count} times`]),
  ];
  return checks.filter(([kept]) => !kept).map(([, broken]) => broken);
}

function report(options: Options, run: GatewayRun, sendOnly: ReferenceCost, minimal: ReferenceCost): string {
  const { received: arrived, load } = run;
  const perFrame = (run.cpuSeconds * 1_000_000) / run.framesOut;
  const aloneSeconds = run.idleCores * run.seconds;
  const fanOut = ((run.cpuSeconds - aloneSeconds) * 1_000_000) / run.framesOut;
  const ticksOut = arrived.ticks / arrived.seconds;
  const share = (cores: number) => `${(cores * 100).toFixed(1)} % of a core`;
  const megabytes = (bytes: number) => `${(bytes / 1_000_000).toFixed(1)} MB`;
  const ages = ({ p50, p99, p999 }: Summary) =>
    `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, p99.9 ${p999.toFixed(1)} ms`;
  const loadCores = load.cpuSeconds / load.seconds;
  const rows: [string, string][] = [
    ["arrived", `${(arrived.frames / arrived.seconds).toFixed(0)} frames/s, ${ticksOut.toFixed(0)} ticks/s`],
    [
      "",
      `${(arrived.ticks / arrived.frames).toFixed(1)} ticks and ${(arrived.bytes / arrived.frames).toFixed(0)} bytes per frame`,
    ],
    ["age", ages(arrived.age)],
    ...(options.slow > 0 ? ([["age, slow", ages(arrived.slowAge)]] as [string, string][]) : []),
    ["gateway", `${share(run.cpuSeconds / run.seconds)}, of which without connections ${share(run.idleCores)}`],
    [
      "total",
      `${perFrame.toFixed(2)} µs per frame, ${((perFrame * run.framesOut) / run.seconds / ticksOut).toFixed(3)} µs per tick`,
    ],
    [
      "fan-out",
      `${fanOut.toFixed(2)} µs per frame, ${((fanOut * run.framesOut) / run.seconds / ticksOut).toFixed(3)} µs per tick`,
    ],
    ["send-only", `${sendOnly.micros.toFixed(2)} µs per frame at ${sendOnly.framesPerSecond.toFixed(0)} frames/s`],
    ["minimal", `${minimal.micros.toFixed(2)} µs per frame at ${minimal.framesPerSecond.toFixed(0)} frames/s`],
    [
      "ratio",
      `fan-out ${(fanOut / sendOnly.micros).toFixed(2)}, total ${(perFrame / sendOnly.micros).toFixed(2)} times send-only; ` +
        `${(perFrame / minimal.micros).toFixed(2)} times the minimal gateway, which is ${(minimal.micros / sendOnly.micros).toFixed(2)} times send-only`,
    ],
    [
      "pings",
      `${(run.pingsOut / run.seconds).toFixed(0)}/s; flushes held back ${(run.heldBack / run.seconds).toFixed(0)}/s`,
    ],
    ["memory", `${megabytes(run.memory[0])} at the start, ${megabytes(run.memory[1])} at the end`],
    [
      "machine",
      `timers of the load late by ${load.loopLate.toFixed(1)} ms at p99${load.loopLate > LATE_TIMERS ? ": it has other work, do not trust the ages" : ""}`,
    ],
    ["notes", load.notes.map(([name, count]) => `${name}: ${count}`).join("; ") || "none"],
    ["load", `${share(loadCores)}${loadCores > LOAD_LIMIT ? ": saturated, so ages are too high" : ""}`],
  ];
  return rows.map(([name, text]) => `${name.padEnd(11)}${text}\n`).join("");
}

async function reportFanOut(options: Options): Promise<void> {
  const run = await measureGateway(options);
  process.stdout.write(report(options, run, await measureSendOnly(options, run), await measureMinimalGateway(options)));
  const broken = brokenPromises(options, run);
  process.stdout.write(broken.length === 0 ? "every promise kept\n" : `BROKEN: ${broken.join("; ")}\n`);
  if (broken.length > 0) process.exitCode = 1;
}

try {
  const options = readOptions();
  if (!options) process.stdout.write(help());
  else {
    const { connections, symbols, rate, interval } = options;
    process.stdout.write(
      `${connections} connections × ${options["per-connection"]} of ${symbols} symbols, ${rate} ticks/s, ${interval} ms` +
        `${options.slow > 0 ? `, ${options.slow} of them reading ${options["slow-rate"]} bytes/s` : ""}\n`,
    );
    if (options.features) process.exitCode = (await reportFeatures(options)) ? 0 : 1;
    else await reportFanOut(options);
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`bench_fanout: ${error.message}\n`);
  process.exitCode = 2;
}

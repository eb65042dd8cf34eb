/**
 * What a real gateway costs and how old its ticks are when they arrive, under many connections. The gateway, the load
 * and, after them, the floor (a server that does nothing but send as many frames of that size) are processes of their
 * own. Times differ between machines; what is compared is the ratio to the floor in the same run.
 *
 *     node loadtest/bench_fanout.ts [--connections N] [--interval MS] … (--help)
 *
 * Exit code 1 when a promise was broken: ages over the interval and 100 ms at p99, memory that grows, connections
 * lost, frames that cannot be read.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { UsageError } from "../src/option.ts";
import { Child } from "./child.ts";
import { help, type Options, readOptions } from "./fanout_options.ts";
import type { FloorOrder, FloorReport } from "./floor.ts";
import { GatewayProcess } from "./gateway_process.ts";
import type { LoadOrder, LoadReport } from "./load.ts";
import type { LoadResult } from "./load_tally.ts";

/** How long the market is measured alone, ms. */
const ALONE = 2_000;
/** What ages may be above the interval at p99, ms. */
const MARGIN = 100;
/** Memory may grow by this share and so many bytes while it is measured: a collector's ups and downs. */
const GROWTH_SHARE = 0.1;
const GROWTH_BYTES = 32_000_000;
/** From so late on, ms, timers of the load say that the machine has other work. */
const COMPANY = 20;
/** From this share of a core on, the load measures itself. */
const LOAD_LIMIT = 0.9;

interface GatewayRun {
  readonly load: LoadResult;
  /** Seconds of CPU a second, of the market alone: the simulator, the bus and the market table, with no connection. */
  readonly aloneCores: number;
  readonly cpuSeconds: number;
  readonly seconds: number;
  readonly framesOut: number;
  readonly pingsOut: number;
  readonly heldBack: number;
  readonly memory: readonly [begin: number, end: number];
}

type Load = Child<LoadOrder, LoadReport>;

async function measureGateway(options: Options, profile: string | undefined): Promise<GatewayRun> {
  const { connections, symbols, rate } = options;
  const flags = [
    "--feed",
    `sim:?symbols=${symbols}&rate=${rate}`,
    "--max-connections-per-address",
    String(connections),
  ];
  const nodeFlags = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const gateway = await GatewayProcess.start(flags, nodeFlags);
  const load: Load = new Child("load.ts");
  try {
    await sleep(1_000);
    const idle = [await gateway.metrics(), await sleep(ALONE), await gateway.metrics()] as const;
    await load.order({ order: "open", target: loadTarget(options, gateway.port) }, "open");
    await sleep(options.warm * 1_000);
    const before = await gateway.metrics();
    await load.order({ order: "count" }, "counting");
    const start = performance.now();
    await sleep(options.seconds * 1_000);
    const after = await gateway.metrics();
    const seconds = (performance.now() - start) / 1_000;
    const { result } = await load.order({ order: "tell" }, "result");
    const grown = (name: string) => (after.get(name) ?? Number.NaN) - (before.get(name) ?? Number.NaN);
    const memory = "process_resident_memory_bytes";
    const cpu = "process_cpu_seconds_total";
    return {
      load: result,
      aloneCores: ((idle[2].get(cpu) ?? Number.NaN) - (idle[0].get(cpu) ?? Number.NaN)) / (ALONE / 1_000),
      cpuSeconds: grown(cpu),
      seconds,
      framesOut: grown("tickgate_frames_out_total"),
      pingsOut: grown("tickgate_pings_out_total"),
      heldBack: grown("tickgate_held_back_total"),
      memory: [before.get(memory) ?? Number.NaN, after.get(memory) ?? Number.NaN],
    };
  } finally {
    load.stop();
    await gateway.stop();
  }
}

/** Microseconds of CPU a frame, of a server that only sends; and how many frames a second it sent. */
async function measureFloor(options: Options, run: GatewayRun): Promise<{ micros: number; framesPerSecond: number }> {
  const floor = new Child<FloorOrder, FloorReport>("floor.ts");
  const load: Load = new Child("load.ts");
  try {
    const framesPerSecond = run.framesOut / run.seconds;
    const serving = await floor.order({ order: "serve", frame: run.load.sample, framesPerSecond }, "serving");
    // Everyone reads: what a socket that is not read from costs is no floor.
    await load.order({ order: "open", target: { ...loadTarget(options, serving.port), slow: 0 } }, "open");
    await sleep(1_000);
    await load.order({ order: "count" }, "counting");
    await floor.order({ order: "count" }, "counting");
    await sleep(options.seconds * 1_000);
    const { frames, cpuSeconds } = await floor.order({ order: "tell" }, "result");
    return { micros: (cpuSeconds * 1_000_000) / frames, framesPerSecond: frames / options.seconds };
  } finally {
    load.stop();
    floor.stop();
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

function brokenPromises(options: Options, { load, memory }: GatewayRun): string[] {
  const [begin, end] = memory;
  const limit = options.interval + MARGIN;
  const checks: [boolean, string][] = [
    [load.age.count > 0 || options.slow === options.connections, "no tick has arrived"],
    [load.age.p99 <= limit, `age p99 of ${load.age.p99.toFixed(1)} ms, more than ${limit} ms`],
    [end - begin <= begin * GROWTH_SHARE + GROWTH_BYTES, "memory has grown"],
    [load.closed === 0, `${load.closed} connections were closed`],
    [load.malformed === 0, `${load.malformed} messages could not be read`],
    [load.errors === 0, `${load.errors} errors or rejected symbols`],
  ];
  return checks.filter(([kept]) => !kept).map(([, broken]) => broken);
}

function report(options: Options, run: GatewayRun, floor: { micros: number; framesPerSecond: number }): string {
  const { load } = run;
  const perFrame = (run.cpuSeconds * 1_000_000) / run.framesOut;
  const aloneSeconds = run.aloneCores * run.seconds;
  const fanOut = ((run.cpuSeconds - aloneSeconds) * 1_000_000) / run.framesOut;
  const ticksOut = load.ticks / load.seconds;
  const share = (cores: number) => `${(cores * 100).toFixed(1)} % of a core`;
  const megabytes = (bytes: number) => `${(bytes / 1_000_000).toFixed(1)} MB`;
  const ages = ({ p50, p99, p999 }: LoadResult["age"]) =>
    `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, p99.9 ${p999.toFixed(1)} ms`;
  const loadCores = load.cpuSeconds / load.seconds;
  const rows: [string, string][] = [
    ["arrived", `${(load.frames / load.seconds).toFixed(0)} frames/s, ${ticksOut.toFixed(0)} ticks/s`],
    ["", `${(load.ticks / load.frames).toFixed(1)} ticks and ${(load.bytes / load.frames).toFixed(0)} bytes a frame`],
    ["age", ages(load.age)],
    ...(options.slow > 0 ? ([["age, slow", ages(load.slowAge)]] as [string, string][]) : []),
    ["gateway", `${share(run.cpuSeconds / run.seconds)}, of it the market alone ${share(run.aloneCores)}`],
    [
      "all in all",
      `${perFrame.toFixed(2)} µs a frame, ${((perFrame * run.framesOut) / run.seconds / ticksOut).toFixed(3)} µs a tick`,
    ],
    [
      "fan-out",
      `${fanOut.toFixed(2)} µs a frame, ${((fanOut * run.framesOut) / run.seconds / ticksOut).toFixed(3)} µs a tick`,
    ],
    ["floor", `${floor.micros.toFixed(2)} µs a frame at ${floor.framesPerSecond.toFixed(0)} frames/s`],
    [
      "ratio",
      `fan-out ${(fanOut / floor.micros).toFixed(2)}, all in all ${(perFrame / floor.micros).toFixed(2)} times the floor`,
    ],
    [
      "pings",
      `${(run.pingsOut / run.seconds).toFixed(0)}/s; turns held back ${(run.heldBack / run.seconds).toFixed(0)}/s`,
    ],
    ["memory", `${megabytes(run.memory[0])} at the begin, ${megabytes(run.memory[1])} at the end`],
    [
      "machine",
      `timers of the load late by ${load.timerLate.toFixed(1)} ms at p99${load.timerLate > COMPANY ? ": it has other work, ages say little" : ""}`,
    ],
    ["quality", `${load.quality} messages`],
    [
      "load",
      `${share(loadCores)}${loadCores > LOAD_LIMIT ? ": saturated, it makes ages look older than they are" : ""}`,
    ],
  ];
  return rows.map(([name, text]) => `${name.padEnd(11)}${text}\n`).join("");
}

try {
  const read = readOptions();
  if (!read) process.stdout.write(help());
  else {
    const { options, profile } = read;
    const { connections, symbols, rate, interval } = options;
    process.stdout.write(
      `${connections} connections × ${options["per-connection"]} of ${symbols} symbols, ${rate} ticks/s, ${interval} ms` +
        `${options.slow > 0 ? `, ${options.slow} of them reading ${options["slow-rate"]} bytes/s` : ""}\n`,
    );
    const run = await measureGateway(options, profile);
    process.stdout.write(report(options, run, await measureFloor(options, run)));
    const broken = brokenPromises(options, run);
    process.stdout.write(broken.length === 0 ? "every promise kept\n" : `BROKEN: ${broken.join("; ")}\n`);
    if (broken.length > 0) process.exitCode = 1;
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`bench_fanout: ${error.message}\n`);
  process.exitCode = 2;
}

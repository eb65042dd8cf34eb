/**
 * What measuring costs: a real gateway under the load of bench_fanout.ts, with metrics and without (--no-metrics), turn and
 * turn about, each in a process of its own. With metrics it is scraped as Prometheus would. Times differ between machines,
 * and from one minute to the next: what is compared is one run with the one beside it.
 *
 *     node loadtest/bench_metrics.ts [--rounds N] [--seconds N] … (--help)
 *
 * Exit code 1 when it costs more than 2 %, with certainty.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { integer, UsageError } from "../src/option.ts";
import { loadOf } from "./bench_load.ts";
import { type FlagValues, flag, flagsHelp, readFlags } from "./flags.ts";
import { GatewayProcess } from "./gateway_process.ts";
import type { Crew } from "./swarm/crew.ts";
import { processUsage } from "./swarm/process_usage.ts";

/** What it may cost, as a share. */
const LIMIT = 0.02;
/** How often the page is asked for, ms: as config/prometheus.yml has it. */
const SCRAPE_TIME = 5_000;
/** Standard errors within which the truth is, but for one time in twenty. */
const CERTAINTY = 2;

const FLAGS = {
  rounds: flag(integer(2, 100), 6, "How often each is measured"),
  seconds: flag(integer(2, 3_600), 15, "How long each time"),
  warm: flag(integer(1, 600, "seconds"), 4, "How long to wait before, with everyone connected"),
  connections: flag(integer(1, 20_000), 1_000, "Connections"),
  symbols: flag(integer(1, 100_000), 1_000, "Symbols in the market"),
  "per-connection": flag(integer(1, 20_000), 50, "Symbols that each connection subscribes to"),
  rate: flag(integer(1, 1_000_000, "ticks a second"), 20_000, "Ticks of the whole market"),
  interval: flag(integer(0, 60_000, "ms"), 100, "The interval of every subscription"),
};
type Options = FlagValues<typeof FLAGS>;

interface Run {
  /** Seconds of CPU for a million ticks that arrived. */
  readonly cost: number;
  readonly ticksPerSecond: number;
  readonly cores: number;
  /** How long the page took to come, ms. */
  readonly scrapes: readonly number[];
}

async function run(options: Options, isOn: boolean): Promise<Run> {
  const { connections, symbols, rate, interval, seconds, warm } = options;
  const gateway = await GatewayProcess.start([
    ...["--feed", `sim:?symbols=${symbols}&rate=${rate}`, "--max-connections-per-address", String(connections)],
    ...(isOn ? [] : ["--no-metrics"]),
  ]);
  const target = { port: gateway.port, connections, symbols, interval, slow: 0, slowRate: 512 };
  let load: Crew | undefined;
  const scrapes: number[] = [];
  const scrape = async () => {
    const from = performance.now();
    await (await fetch(gateway.metricsUrl)).arrayBuffer();
    scrapes.push(performance.now() - from);
  };
  const timer = isOn ? setInterval(() => void scrape().catch(() => {}), SCRAPE_TIME) : undefined;
  try {
    load = loadOf({ ...target, perConnection: options["per-connection"] });
    await load.open();
    await sleep(warm * 1_000);
    await load.count();
    const before = processUsage(gateway.pid);
    await sleep(seconds * 1_000);
    const after = processUsage(gateway.pid);
    const result = await load.tell();
    const { ticks } = result.classes.healthy;
    const cpu = after.user + after.system - before.user - before.system;
    return {
      cost: (cpu / ticks) * 1e6,
      ticksPerSecond: ticks / result.seconds,
      cores: cpu / result.seconds,
      scrapes,
    };
  } finally {
    clearInterval(timer);
    load?.stop();
    await gateway.stop();
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** How far the mean of so many may be off, one time in three. */
function standardError(values: readonly number[]): number {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}

async function compare(options: Options): Promise<boolean> {
  const ratios: number[] = [];
  const runs: { off: Run; on: Run }[] = [];
  for (let round = 0; round < options.rounds; round++) {
    // Which is first changes: a machine that gets slower by and by does so to both.
    const isOnFirst = round % 2 === 1;
    const first = await run(options, isOnFirst);
    const second = await run(options, !isOnFirst);
    const [off, on] = isOnFirst ? [second, first] : [first, second];
    runs.push({ off, on });
    ratios.push(on.cost / off.cost);
    const shown = ({ cost, cores, ticksPerSecond }: Run) =>
      `${cost.toFixed(3)} s a million ticks (${(cores * 100).toFixed(1)} % of a core, ${ticksPerSecond.toFixed(0)} ticks/s)`;
    process.stdout.write(`off ${shown(off)}; on ${shown(on)}; ratio ${(on.cost / off.cost).toFixed(3)}\n`);
  }
  const percent = (share: number) => `${share >= 0 ? "+" : "−"}${Math.abs(share * 100).toFixed(1)} %`;
  const [cost, error] = [mean(ratios) - 1, standardError(ratios)];
  const sorted = ratios.toSorted((a, b) => a - b).map((ratio) => percent(ratio - 1));
  const scrapes = runs.flatMap(({ on }) => on.scrapes).toSorted((a, b) => a - b);
  process.stdout.write(
    `off ${mean(runs.map(({ off }) => off.cost)).toFixed(3)}, on ${mean(runs.map(({ on }) => on.cost)).toFixed(3)} s of CPU a million ticks\n` +
      `metrics cost ${percent(cost)} ± ${(error * CERTAINTY * 100).toFixed(1)} %; from ${sorted[0]} to ${sorted.at(-1)}\n` +
      `the page came within ${(scrapes[Math.floor(scrapes.length / 2)] ?? 0).toFixed(1)} ms (median of ${scrapes.length})\n`,
  );
  return cost - error * CERTAINTY <= LIMIT;
}

try {
  const read = readFlags(FLAGS, process.argv.slice(2));
  if (!read) process.stdout.write(`node loadtest/bench_metrics.ts\n${flagsHelp(FLAGS)}`);
  else {
    const { connections, symbols, rate, interval } = read.values;
    if (read.values["per-connection"] > symbols)
      throw new UsageError("--per-connection must not be more than --symbols");
    process.stdout.write(
      `${connections} connections × ${read.values["per-connection"]} of ${symbols} symbols, ${rate} ticks/s, ${interval} ms\n`,
    );
    if (!(await compare(read.values))) {
      process.stdout.write(`BROKEN: metrics cost more than ${LIMIT * 100} %\n`);
      process.exitCode = 1;
    }
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`bench_metrics: ${error.message}\n`);
  process.exitCode = 2;
}

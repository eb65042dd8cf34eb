/**
 * What measuring costs: two real gateways, one with metrics and one without (--no-metrics), side by side under the load of
 * bench_fanout.ts, in new processes each round. What a machine has for one of them at a time it has for the other: run one
 * after the other they differ by more than what is measured. The one with metrics is scraped as Prometheus would.
 *
 *     node loadtest/bench_metrics.ts [--rounds N] [--seconds N] … (--help)
 *
 * Exit code 1 when it costs more than 2 %, with certainty.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { integer, UsageError } from "../../src/settings/option.ts";
import { GatewayProcess } from "../gateway_process.ts";
import { type OptionValues, option, readTable, tableHelp } from "../option_table.ts";
import type { SwarmCoordinator } from "../swarm/coordinator.ts";
import { processUsage } from "../swarm/process_usage.ts";
import { loadOf } from "./load.ts";

/** What it may cost, as a share. */
const LIMIT = 0.02;
/** How often the page is asked for, ms: as config/prometheus.yml has it. */
const SCRAPE_TIME = 5_000;
/** Standard errors within which the truth is, but for one time in twenty. */
const CERTAINTY = 2;

const OPTIONS = {
  rounds: option(integer(2, 100), 6, "How often the two are measured"),
  seconds: option(integer(2, 3_600), 20, "How long each time"),
  warm: option(integer(1, 600, "seconds"), 4, "How long to wait before, with everyone connected"),
  connections: option(integer(1, 20_000), 1_000, "Connections"),
  symbols: option(integer(1, 100_000), 1_000, "Symbols in the market"),
  "per-connection": option(integer(1, 20_000), 50, "Symbols that each connection subscribes to"),
  rate: option(integer(1, 1_000_000, "ticks a second"), 20_000, "Ticks of the whole market"),
  interval: option(integer(0, 60_000, "ms"), 100, "The interval of every subscription"),
};
type Options = OptionValues<typeof OPTIONS>;

interface Run {
  /** Seconds of CPU for a million ticks that arrived. */
  readonly cost: number;
  readonly ticksPerSecond: number;
  readonly cores: number;
}

/** A gateway and its load. */
class Side {
  readonly #gateway: GatewayProcess;
  readonly #load: SwarmCoordinator;
  #cpu = 0;

  private constructor(gateway: GatewayProcess, load: SwarmCoordinator) {
    this.#gateway = gateway;
    this.#load = load;
  }

  static async start(options: Options, more: readonly string[]): Promise<Side> {
    const { symbols, rate, connections, interval, "per-connection": perConnection } = options;
    const feed = ["--feed", `sim:?symbols=${symbols}&rate=${rate}`];
    const limit = ["--max-connections-per-address", String(connections)];
    const gateway = await GatewayProcess.start([...feed, ...limit, "--log-level", "error", ...more]);
    const { port } = gateway;
    return new Side(gateway, loadOf({ port, connections, symbols, perConnection, interval, slow: 0, slowRate: 512 }));
  }

  async open(): Promise<void> {
    await this.#load.open();
  }

  /** From now on what arrives counts, and what it costs. */
  async begin(): Promise<void> {
    await this.#load.startCounting();
    this.#cpu = this.#used();
  }

  async end(): Promise<Run> {
    const cpu = this.#used() - this.#cpu;
    const { classes, seconds } = await this.#load.result();
    const { ticks } = classes.healthy;
    return { cost: (cpu / ticks) * 1e6, ticksPerSecond: ticks / seconds, cores: cpu / seconds };
  }

  /** @returns how long it took, ms */
  async scrape(): Promise<number> {
    const from = performance.now();
    await (await fetch(this.#gateway.metricsUrl)).arrayBuffer();
    return performance.now() - from;
  }

  async stop(): Promise<void> {
    this.#load.kill();
    await this.#gateway.stop();
  }

  #used(): number {
    const { user, system } = processUsage(this.#gateway.pid);
    return user + system;
  }
}

/** @param scrapes how long the page took, ms, is added to these */
async function round(options: Options, isOnFirst: boolean, scrapes: number[]): Promise<{ off: Run; on: Run }> {
  const sides: Side[] = [];
  let timer: NodeJS.Timeout | undefined;
  try {
    for (const isOn of isOnFirst ? [true, false] : [false, true])
      sides.push(await Side.start(options, isOn ? [] : ["--no-metrics"]));
    const [on, off] = isOnFirst ? sides : sides.toReversed();
    for (const side of sides) await side.open();
    await sleep(options.warm * 1_000);
    timer = setInterval(() => {
      on.scrape().then(
        (took) => scrapes.push(took),
        () => {},
      );
    }, SCRAPE_TIME);
    await Promise.all(sides.map((side) => side.begin()));
    await sleep(options.seconds * 1_000);
    const [onRun, offRun] = await Promise.all([on.end(), off.end()]);
    return { off: offRun, on: onRun };
  } finally {
    clearInterval(timer);
    await Promise.all(sides.map((side) => side.stop()));
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
  const scrapes: number[] = [];
  const runs: { off: Run; on: Run }[] = [];
  for (let index = 0; index < options.rounds; index++) {
    const { off, on } = await round(options, index % 2 === 1, scrapes);
    runs.push({ off, on });
    ratios.push(on.cost / off.cost);
    const shown = ({ cost, cores, ticksPerSecond }: Run) =>
      `${cost.toFixed(3)} s a million ticks (${(cores * 100).toFixed(1)} % of a core, ${ticksPerSecond.toFixed(0)} ticks/s)`;
    process.stdout.write(`off ${shown(off)}; on ${shown(on)}; ratio ${(on.cost / off.cost).toFixed(3)}\n`);
  }
  const percent = (share: number) => `${share >= 0 ? "+" : "−"}${Math.abs(share * 100).toFixed(1)} %`;
  const shares = runs.map(({ off, on }) => on.cores - off.cores);
  const [cost, error] = [mean(shares), standardError(shares) * CERTAINTY];
  const sorted = ratios.toSorted((a, b) => a - b).map((ratio) => percent(ratio - 1));
  scrapes.sort((a, b) => a - b);
  process.stdout.write(
    `off ${mean(runs.map(({ off }) => off.cost)).toFixed(3)}, on ${mean(runs.map(({ on }) => on.cost)).toFixed(3)} s of CPU a million ticks\n` +
      `metrics cost ${(cost * 100).toFixed(1)} ± ${(error * 100).toFixed(1)} % of a core: ` +
      `${percent(mean(ratios) - 1)} of what this gateway used, from ${sorted[0]} to ${sorted.at(-1)}\n` +
      `the page came within ${(scrapes[Math.floor(scrapes.length / 2)] ?? 0).toFixed(1)} ms (median of ${scrapes.length})\n`,
  );
  return cost - error <= LIMIT;
}

try {
  const read = readTable(OPTIONS, process.argv.slice(2));
  if (!read) process.stdout.write(`node loadtest/bench_metrics.ts\n${tableHelp(OPTIONS)}`);
  else {
    const { connections, symbols, rate, interval } = read.values;
    if (read.values["per-connection"] > symbols)
      throw new UsageError("--per-connection must not be more than --symbols");
    process.stdout.write(
      `${connections} connections × ${read.values["per-connection"]} of ${symbols} symbols, ${rate} ticks/s, ${interval} ms\n`,
    );
    if (!(await compare(read.values))) {
      process.stdout.write(`BROKEN: metrics cost more than ${LIMIT * 100} % of a core\n`);
      process.exitCode = 1;
    }
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`bench_metrics: ${error.message}\n`);
  process.exitCode = 2;
}

/**
 * The cost of metrics: two real gateways, with metrics and without (--no-metrics), under the same load in new processes
 * each round. They run at once, because a machine's speed changes by more between runs than metrics cost. The one with
 * metrics is scraped as often as Prometheus would.
 *
 *     node loadtest/bench/metrics.ts [--rounds N] [--seconds N] … (--help)
 *
 * Exit code 1 when metrics cost more than 2 % of a core beyond the measurement error.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { integer, UsageError } from "../../src/settings/option.ts";
import { GatewayProcess } from "../gateway_process.ts";
import { type OptionValues, option, readTable, tableHelp } from "../option_table.ts";
import type { SwarmCoordinator } from "../swarm/coordinator.ts";
import { processUsage } from "../swarm/process_usage.ts";
import { loadOf } from "./load.ts";

/** The limit, as a share of a core. */
const LIMIT = 0.02;
/** The scrape interval of config/prometheus.yml, ms. */
const SCRAPE_TIME = 5_000;
/** Standard errors of a 95 % confidence interval. */
const CONFIDENCE = 2;

const OPTIONS = {
  rounds: option(integer(2, 100), 6, "Measurements of both"),
  seconds: option(integer(2, 3_600), 20, "Length of each measurement, seconds"),
  warm: option(integer(1, 600, "seconds"), 4, "Wait between the last connection and the measurement"),
  connections: option(integer(1, 20_000), 1_000, "Connections"),
  symbols: option(integer(1, 100_000), 1_000, "Symbols in the market"),
  "per-connection": option(integer(1, 20_000), 50, "Symbols that each connection subscribes to"),
  rate: option(integer(1, 1_000_000, "ticks a second"), 20_000, "Tick rate of the whole market"),
  interval: option(integer(0, 60_000, "ms"), 100, "The interval of every subscription"),
};
type Options = OptionValues<typeof OPTIONS>;

interface Run {
  /** CPU seconds per million received ticks. */
  readonly cost: number;
  readonly ticksPerSecond: number;
  readonly cores: number;
}

/** A gateway with its load. */
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

  /** Starts the measurement. */
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

  /** @returns the time to load the metrics page, ms */
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

/** @param scrapes gets the load times of the metrics page, ms */
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

/** The standard error of the mean. */
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
      `${cost.toFixed(3)} s per million ticks (${(cores * 100).toFixed(1)} % of a core, ${ticksPerSecond.toFixed(0)} ticks/s)`;
    process.stdout.write(`off ${shown(off)}; on ${shown(on)}; ratio ${(on.cost / off.cost).toFixed(3)}\n`);
  }
  const percent = (share: number) => `${share >= 0 ? "+" : "−"}${Math.abs(share * 100).toFixed(1)} %`;
  const shares = runs.map(({ off, on }) => on.cores - off.cores);
  const [cost, error] = [mean(shares), standardError(shares) * CONFIDENCE];
  const sorted = ratios.toSorted((a, b) => a - b).map((ratio) => percent(ratio - 1));
  scrapes.sort((a, b) => a - b);
  process.stdout.write(
    `off ${mean(runs.map(({ off }) => off.cost)).toFixed(3)}, on ${mean(runs.map(({ on }) => on.cost)).toFixed(3)} CPU s per million ticks\n` +
      `metrics cost ${(cost * 100).toFixed(1)} ± ${(error * 100).toFixed(1)} % of a core: ` +
      `${percent(mean(ratios) - 1)} of this gateway's CPU, from ${sorted[0]} to ${sorted.at(-1)}\n` +
      `the page loaded in ${(scrapes[Math.floor(scrapes.length / 2)] ?? 0).toFixed(1)} ms (median of ${scrapes.length})\n`,
  );
  return cost - error <= LIMIT;
}

try {
  const read = readTable(OPTIONS, process.argv.slice(2));
  if (!read) process.stdout.write(`node loadtest/bench/metrics.ts\n${tableHelp(OPTIONS)}`);
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

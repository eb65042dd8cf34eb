/**
 * CPU and bytes of clients that have an order book and a tape beside their quotes, and then bars too, as ratios to
 * clients with quotes alone. Three gateways simulate the same market: with quotes alone, with books and trades, and
 * with bars too. Short rounds alternate between them, each with new connections; those to be compared follow one
 * another, in either order, so that a machine that becomes slower affects all. The clients check every guarantee of
 * every channel.
 *
 *     npm run bench:channels -- [flags] (--help)
 *
 * Exit code 1 when a promise is broken.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { integer, UsageError } from "../../src/settings/option.ts";
import { GatewayProcess } from "../gateway_process.ts";
import { type OptionValues, option, readTable, tableHelp } from "../option_table.ts";
import { loadOf } from "./load.ts";
import { quartilesOf } from "./quartiles.ts";

/** The wait between the last connection and the measurement, ms. */
const WARM_TIME = 2_000;
/** How long the gateways are measured without connections, ms. */
const IDLE_TIME = 2_000;

const OPTIONS = {
  connections: option(integer(1, 10_000), 1_000, "Connections"),
  symbols: option(integer(1, 100_000), 1_000, "Symbols in the market"),
  "per-connection": option(integer(1, 1_000), 20, "Symbols of each connection, with their quotes"),
  trades: option(integer(0, 100), 1, "Of how many of them it has the trades too"),
  books: option(integer(0, 100), 1, "Of how many of them it has the books of 10 levels too"),
  bars: option(
    integer(0, 100),
    1,
    "Of how many of them it has the bars of a second too, in a line of their own; 0: none",
  ),
  rate: option(integer(1, 1_000_000, "ticks a second"), 20_000, "Tick rate of the whole market"),
  interval: option(integer(0, 60_000, "ms"), 100, "The interval of every subscription"),
  seconds: option(integer(1, 600), 4, "Length of each measurement, seconds"),
  rounds: option(integer(1, 100), 4, "Measurements of each"),
} as const;
type Options = OptionValues<typeof OPTIONS>;

interface Side {
  readonly gateway: GatewayProcess;
  readonly trades: number;
  readonly books: number;
  readonly bars: number;
  /** CPU cores without connections. */
  idleCores: number;
  readonly rounds: Costs[];
}

/** What a client costs in a second. */
interface Costs {
  /** CPU microseconds of the gateway, without what it uses by itself. */
  readonly micros: number;
  readonly bytes: number;
  readonly frames: number;
  /** Of all clients, in a second. */
  readonly streams: {
    readonly quotes: number;
    readonly trades: number;
    readonly missed: number;
    readonly books: number;
    readonly bars: number;
  };
}

/** @param counts of the symbols of each connection with trades, books and bars */
async function start(options: Options, channels: string, counts: readonly [number, number, number]): Promise<Side> {
  const [trades, books, bars] = counts;
  const feed = `sim:?symbols=${options.symbols}&rate=${options.rate}&channels=${channels}`;
  const most = String(options.connections * 2);
  const gateway = await GatewayProcess.start(["--feed", feed, "--max-connections-per-address", most]);
  return { gateway, trades, books, bars, idleCores: 0, rounds: [] };
}

async function read({ gateway }: Side) {
  const metrics = await gateway.metrics();
  const value = (name: string) => metrics.get(name) ?? Number.NaN;
  return {
    time: performance.now() / 1_000,
    cpu: value("process_cpu_seconds_total"),
    bytes: value("tickgate_bytes_out_total"),
    frames: value("tickgate_frames_out_total"),
  };
}

async function measureIdle(side: Side): Promise<void> {
  const before = await read(side);
  await sleep(IDLE_TIME);
  const after = await read(side);
  side.idleCores = (after.cpu - before.cpu) / (after.time - before.time);
}

/** One round: opens the connections, measures, and ends them. */
async function measure(options: Options, side: Side): Promise<Costs> {
  const { connections, symbols, interval } = options;
  const { trades, books, bars } = side;
  const load = loadOf({
    ...{ port: side.gateway.port, connections, symbols, interval, trades, books, bars, slow: 0, slowRate: 0 },
    perConnection: options["per-connection"],
  });
  try {
    await load.open();
    await sleep(WARM_TIME);
    await load.startCounting();
    const before = await read(side);
    await sleep(options.seconds * 1_000);
    const after = await read(side);
    const { open, refused, faults, classes, seconds } = await load.result();
    if (open !== connections)
      throw new UsageError(`${open} of ${connections} connections are open (${refused.flat().join(" ")})`);
    for (const { name, count, examples } of faults) {
      process.stdout.write(`BROKEN: ${name}: ${count} times (${examples.join("; ")})\n`);
      process.exitCode = 1;
    }
    const time = after.time - before.time;
    const { ticks, missed, ...healthy } = classes.healthy;
    return {
      micros: ((after.cpu - before.cpu - side.idleCores * time) * 1e6) / connections / time,
      bytes: (after.bytes - before.bytes) / connections / time,
      frames: (after.frames - before.frames) / connections / time,
      streams: {
        ...{ quotes: ticks / seconds, trades: healthy.trades / seconds },
        ...{ missed: missed / seconds, books: healthy.books / seconds, bars: healthy.bars / seconds },
      },
    };
  } finally {
    load.kill();
    await side.gateway.untilEmpty();
  }
}

async function run(options: Options): Promise<void> {
  const ends: (() => Promise<void>)[] = [];
  try {
    const { trades, books, bars } = options;
    const sides: Side[] = [];
    const open = async (channels: string, ...counts: [number, number, number]) => {
      const side = await start(options, channels, counts);
      ends.push(() => side.gateway.stop());
      sides.push(side);
      return side;
    };
    const quotes = await open("quote", 0, 0, 0);
    const all = await open("quote,trade,book", trades, books, 0);
    const withBars = bars > 0 ? await open("quote,trade,book,bar", trades, books, bars) : undefined;
    // The first connections of a process compile its code.
    for (const side of sides) await measure(options, side);
    for (const side of sides) await measureIdle(side);
    for (let round = 0; round < options.rounds; round++)
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) side.rounds.push(await measure(options, side));
    process.stdout.write(report(quotes, all, withBars));
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

function report(quotes: Side, all: Side, withBars: Side | undefined): string {
  const median = (side: Side, of: (costs: Costs) => number) => quartilesOf(side.rounds.map(of)).median;
  const ratio = (side: Side, of: (costs: Costs) => number) => {
    const { low, median, high } = quartilesOf(side.rounds.map((costs, round) => of(costs) / of(quotes.rounds[round])));
    return `${median.toFixed(2)} (half of the pairs from ${low.toFixed(2)} to ${high.toFixed(2)})`;
  };
  const row = (name: string, side: Side) =>
    `${name.padEnd(11)}${median(side, ({ micros }) => micros).toFixed(1)} µs, ` +
    `${median(side, ({ bytes }) => bytes).toFixed(0)} bytes and ` +
    `${median(side, ({ frames }) => frames).toFixed(1)} frames per client and second; ` +
    `${(side.idleCores * 100).toFixed(1)} % of a core without clients\n`;
  const rate = (side: Side, name: keyof Costs["streams"]) => median(side, ({ streams }) => streams[name]).toFixed(0);
  const ratios = (side: Side) =>
    `${"ratio".padEnd(11)}CPU ${ratio(side, ({ micros }) => micros)}, bytes ${ratio(side, ({ bytes }) => bytes)}\n`;
  const arrived = (side: Side, names: readonly (keyof Costs["streams"])[]) =>
    `${"arrived".padEnd(11)}${names.map((name) => `${rate(side, name)} ${name}/s`).join(", ")}\n`;
  const streams = ["quotes", "trades", "missed", "books"] as const;
  return (
    row("quotes", quotes) +
    row("all", all) +
    ratios(all) +
    arrived(all, streams) +
    (withBars ? row("with bars", withBars) + ratios(withBars) + arrived(withBars, [...streams, "bars"]) : "")
  );
}

try {
  const options = readTable(OPTIONS, process.argv.slice(2))?.values;
  if (options === undefined) process.stdout.write(`npm run bench:channels -- [flags]\n\n${tableHelp(OPTIONS)}`);
  else if (options["per-connection"] > options.symbols)
    throw new UsageError("--per-connection must not be more than --symbols");
  else if (Math.max(options.trades, options.books, options.bars) > options["per-connection"])
    throw new UsageError("--trades, --books and --bars must not be more than --per-connection");
  else await run(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`bench_channels: ${error.message}\n`);
  process.exitCode = 2;
}

/**
 * The cost of TLS: the server's CPU per frame and per new connection, plain, with TLS at the gateway, and with TLS at
 * HAProxy (config/haproxy.cfg) before a plain gateway, whose CPU is counted too. Short rounds alternate between the
 * three, in changing order; the results are medians, as ratios to plain.
 *
 *     npm run bench:tls -- [--connections N] [--rounds N] … (--help)
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createTls } from "../../scripts/cluster/security.ts";
import { integer, UsageError } from "../../src/settings/option.ts";
import { GatewayProcess } from "../gateway_process.ts";
import { type OptionValues, option, readTable, tableHelp } from "../option_table.ts";
import { processUsage } from "../swarm/process_usage.ts";
import { loadOf } from "./load.ts";
import { quartilesOf } from "./quartiles.ts";
import { startBalancer } from "./servers.ts";

const OPTIONS = {
  connections: option(integer(1, 10_000), 500, "Connections"),
  symbols: option(integer(1, 100_000), 1_000, "Symbols in the market"),
  "per-connection": option(integer(1, 20_000), 50, "Symbols that each connection subscribes to"),
  rate: option(integer(1, 1_000_000, "ticks a second"), 20_000, "Tick rate of the whole market"),
  interval: option(integer(0, 60_000, "ms"), 100, "The interval of every subscription"),
  seconds: option(integer(1, 60), 3, "Length of a measurement, seconds"),
  rounds: option(integer(1, 100), 5, "Measurements of each server"),
} as const;
type Options = OptionValues<typeof OPTIONS>;

/** Wait between the last connection and the measurement, ms. */
const WARM_TIME = 1_000;
/** How long servers are measured without connections, ms. */
const IDLE_TIME = 2_000;

const NAMES = ["plain", "TLS at the gateway", "TLS at HAProxy"] as const;

interface Side {
  readonly name: (typeof NAMES)[number];
  readonly port: number;
  readonly secure: boolean;
  readonly gateway: GatewayProcess;
  /** The process before the gateway. */
  readonly balancer: number | undefined;
  /** CPU cores without connections. */
  idleCores: number;
  /** CPU microseconds, of each round. */
  readonly perFrame: number[];
  readonly perConnection: number[];
}

/** The CPU and frames of a side so far, at a time in seconds. */
interface Reading {
  readonly time: number;
  readonly cpu: number;
  readonly frames: number;
}

async function read({ gateway, balancer }: Side): Promise<Reading> {
  const metrics = await gateway.metrics();
  const value = (name: string) => metrics.get(name) ?? Number.NaN;
  const { user, system } = balancer === undefined ? { user: 0, system: 0 } : processUsage(balancer);
  return {
    time: performance.now() / 1_000,
    cpu: value("process_cpu_seconds_total") + user + system,
    frames: value("tickgate_frames_out_total"),
  };
}

/** CPU seconds between two readings, without what the servers use by themselves. */
function cpuBetween(before: Reading, after: Reading, { idleCores }: Side): number {
  return after.cpu - before.cpu - idleCores * (after.time - before.time);
}

async function measureIdle(side: Side): Promise<void> {
  const before = await read(side);
  await sleep(IDLE_TIME);
  const after = await read(side);
  side.idleCores = (after.cpu - before.cpu) / (after.time - before.time);
}

/** Opens connections that subscribe to nothing, and ends them. @returns CPU microseconds of each */
async function measureConnecting(options: Options, side: Side): Promise<number> {
  const load = createLoad(options, side, 0);
  try {
    const before = await read(side);
    await load.open();
    const after = await read(side);
    await checkOpen(load, options);
    return (cpuBetween(before, after, side) * 1e6) / options.connections;
  } finally {
    load.kill();
    await side.gateway.untilEmpty();
  }
}

/** @returns CPU microseconds of each frame */
async function measureFrames(options: Options, side: Side): Promise<number> {
  const load = createLoad(options, side, options["per-connection"]);
  try {
    await load.open();
    await sleep(WARM_TIME);
    const before = await read(side);
    await sleep(options.seconds * 1_000);
    const after = await read(side);
    await checkOpen(load, options);
    return (cpuBetween(before, after, side) * 1e6) / (after.frames - before.frames);
  } finally {
    load.kill();
    await side.gateway.untilEmpty();
  }
}

function createLoad({ connections, symbols, interval }: Options, { port, secure }: Side, perConnection: number) {
  return loadOf({ ...{ port, secure, connections, symbols, interval, perConnection }, slow: 0, slowRate: 0 });
}

async function checkOpen(load: ReturnType<typeof loadOf>, { connections }: Options): Promise<void> {
  const { open, refused } = await load.result();
  if (open !== connections)
    throw new UsageError(`${open} of ${connections} connections are open (${refused.flat().join(" ")})`);
}

async function run(options: Options): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-tls-"));
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true })];
  try {
    const tls = createTls(folder);
    // For the processes of the load.
    process.env.NODE_EXTRA_CA_CERTS = tls.cert;
    const flags = [
      ...["--feed", `sim:?symbols=${options.symbols}&rate=${options.rate}`],
      ...["--max-connections-per-address", String(options.connections * 2)],
    ];
    const plain = await GatewayProcess.start(flags);
    ends.push(() => plain.stop());
    const own = ["--tls-cert", tls.cert, "--tls-key", tls.key];
    const native = await GatewayProcess.start([...flags, ...own], [], { ca: tls.ca });
    ends.push(() => native.stop());
    const balancer = await startBalancer(plain.port, plain.adminPort, `ssl crt ${tls.both} ssl-min-ver TLSv1.2`);
    ends.push(() => balancer.process.stop());
    const empty = () => ({ idleCores: 0, perFrame: [], perConnection: [] });
    const sides: Side[] = [
      { name: NAMES[0], port: plain.port, secure: false, gateway: plain, balancer: undefined, ...empty() },
      { name: NAMES[1], port: native.port, secure: true, gateway: native, balancer: undefined, ...empty() },
      { name: NAMES[2], port: balancer.port, secure: true, gateway: plain, balancer: balancer.process.pid, ...empty() },
    ];
    // The first connections of a process compile its code.
    for (const side of sides) await measureFrames(options, side);
    for (const side of sides) await measureIdle(side);
    for (let round = 0; round < options.rounds; round++)
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        side.perConnection.push(await measureConnecting(options, side));
        side.perFrame.push(await measureFrames(options, side));
      }
    process.stdout.write(report(sides));
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

function report([plain, ...others]: readonly Side[]): string {
  const rows = [plain, ...others].map((side) => {
    const frame = quartilesOf(side.perFrame);
    const connection = quartilesOf(side.perConnection);
    const ratio = (kind: "perFrame" | "perConnection") => {
      const { low, median, high } = quartilesOf(side[kind].map((micros, round) => micros / plain[kind][round]));
      return side === plain ? "" : `, ${median.toFixed(2)} times plain (${low.toFixed(2)} to ${high.toFixed(2)})`;
    };
    return (
      `${side.name.padEnd(20)}${frame.median.toFixed(2)} µs per frame${ratio("perFrame")}\n` +
      `${"".padEnd(20)}${connection.median.toFixed(0)} µs per connection${ratio("perConnection")}\n`
    );
  });
  return rows.join("");
}

try {
  const options = readTable(OPTIONS, process.argv.slice(2))?.values;
  if (options === undefined) process.stdout.write(`npm run bench:tls -- [flags]\n\n${tableHelp(OPTIONS)}`);
  else if (options["per-connection"] > options.symbols)
    throw new UsageError("--per-connection must not be more than --symbols");
  else await run(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`bench_tls: ${error.message}\n`);
  process.exitCode = 2;
}

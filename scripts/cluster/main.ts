/**
 * `npm run cluster`: the topology of docker-compose.yml as plain processes on this machine, until Ctrl-C. The
 * environment (TICKGATE_…) has the settings of gateways and feeds.
 */
import { parseArgs } from "node:util";
import { SAME_SIGNAL } from "../../src/command/serve/signals.ts";
import { integer, UsageError } from "../../src/settings/option.ts";
import { Cluster } from "./cluster.ts";
import type { ClusterProcess } from "./cluster_process.ts";

const HELP = `Usage: npm run cluster -- [--port N] [--feed FEED]… [--tls] [--tokens]

Starts Redis, two feeds (one standing by), three gateways and HAProxy, and ends them on Ctrl-C.

  --port N      The port for clients; 0 takes a free one. Default: 8080.
  --feed FEED   A feed, as for tickgate feed. Default: sim:?symbols=1000&rate=20000.
  --tls         All ports for clients and for administration speak TLS, with a certificate of the cluster's own.
  --tokens      Clients need a token, which is printed.
  --help
`;

/** How long the first price may take, in milliseconds: a venue needs time to connect, and its stream may pause. */
const PRICE_TIME = 15_000;
/** The pause before a process is restarted, in milliseconds. */
const RESTART_DELAY = 1_000;
/** More restarts than this within the window, in milliseconds, end the cluster: the process will never run. */
const RESTARTS = 5;
const RESTART_WINDOW = 30_000;

async function main(): Promise<void> {
  const { port, feeds, tls, tokens } = readOptions();
  const cluster = await Cluster.create({
    ...{ port, feeds, tls, tokens },
    env: { TICKGATE_LOG_FORMAT: process.env.TICKGATE_LOG_FORMAT ?? (process.stderr.isTTY ? "pretty" : "json") },
    line: (part, line) => say(process.stderr, `${part.name.padEnd(8)} | ${line}\n`),
    lost: (part, how) => restart(cluster, part, how),
  });
  stopOnSignal(cluster);
  try {
    await cluster.start();
  } catch (error) {
    if (!stopping) throw error;
  }
  if (stopping) return;
  const hasPrices = await cluster.untilPriced(PRICE_TIME);
  if (!stopping) say(process.stdout, greeting(cluster, hasPrices));
}

let stopping = false;
const restarts: number[] = [];

function readOptions(): { port: number; feeds: string[]; tls: boolean; tokens: boolean } {
  const options = {
    port: { type: "string" },
    feed: { type: "string", multiple: true },
    tls: { type: "boolean", default: false },
    tokens: { type: "boolean", default: false },
    help: { type: "boolean" },
  } as const;
  try {
    const { values } = parseArgs({ options });
    if (values.help) {
      process.stdout.write(HELP);
      process.exit(0);
    }
    const kind = integer(0, 65_535);
    const port = kind.read(values.port ?? "8080");
    if (port === undefined) throw new UsageError(`--port must be ${kind.range}, not ${JSON.stringify(values.port)}`);
    const { feed = ["sim:?symbols=1000&rate=20000"], tls, tokens } = values;
    return { port, feeds: feed, tls, tokens };
  } catch (error) {
    throw error instanceof UsageError
      ? error
      : new UsageError((error as Error).message.split(". ")[0], { cause: error });
  }
}

function stopOnSignal(cluster: Cluster): void {
  let first = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping && performance.now() - first > SAME_SIGNAL) {
      say(process.stderr, `${signal} again: killing what still runs\n`);
      cluster.kill();
    }
    if (stopping) return;
    stopping = true;
    first = performance.now();
    say(process.stderr, `${signal}: ending; once more to end at once\n`);
    cluster.stop();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  // The terminal may close before its signal arrives.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}

function restart(cluster: Cluster, part: ClusterProcess, how: string): void {
  const now = performance.now();
  while (restarts.length > 0 && restarts[0] < now - RESTART_WINDOW) restarts.shift();
  if (restarts.push(now) > RESTARTS) {
    say(process.stderr, `${part.name} has ended (${how}); too often, so everything ends\n`);
    process.exitCode = 1;
    stopping = true;
    cluster.stop();
    return;
  }
  say(process.stderr, `${part.name} has ended (${how}); starting it again\n`);
  setTimeout(() => {
    if (stopping) return;
    // A process that fails to start calls `lost` again, which leads back here.
    part.start().catch((error: unknown) => say(process.stderr, `${(error as Error).message}\n`));
  }, RESTART_DELAY);
}

/** @param hasPrices whether subscribers get live prices */
function greeting(cluster: Cluster, hasPrices: boolean): string {
  const gateways = cluster.gateways.map((gateway, index) => {
    const url = cluster.gatewayUrl(index);
    return `  ${gateway.name} ${url}  metrics ${cluster.gatewayAdminUrl(index)}/metrics  pid ${gateway.pid}`;
  });
  const feeds = cluster.feeds.map(
    (feed, index) => `  ${feed.name}    metrics ${cluster.feedAdminUrl(index)}/metrics  pid ${feed.pid}`,
  );
  const { tls, tokens } = cluster;
  const trust = tls ? `NODE_EXTRA_CA_CERTS=${tls.cert} ` : "";
  return [
    hasPrices
      ? "The cluster is running."
      : `All parts of the cluster are ready, but no live price has come from its feeds within ${PRICE_TIME / 1_000} s.`,
    "",
    `  page     http${tls ? "s" : ""}://${new URL(cluster.url).host}/`,
    `  stream   ${cluster.url}`,
    `  haproxy  ${cluster.adminUrl}/  pid ${cluster.balancer.pid}`,
    `  redis    redis://127.0.0.1:${cluster.redisPort}  pid ${cluster.redis.pid}`,
    ...feeds,
    ...gateways,
    ...(tls ? [`  cert     ${tls.cert}`] : []),
    ...(tokens ? [`  secret   ${tokens.secretFile}`, `  token    ${tokens.token}`] : []),
    "",
    `Watch it in another terminal: ${trust}${tokens ? "TICKGATE_TOKEN=… " : ""}npx tickgate watch --url ${cluster.url} 'SIM:*'`,
    `See how its nodes do: ${trust}npx tickgate top ${adminPorts(cluster)}`,
    "Ctrl-C ends everything.",
    "",
  ].join("\n");
}

/** The admin ports of all nodes, as `tickgate top` takes them. */
function adminPorts(cluster: Cluster): string {
  const urls = [
    ...cluster.gateways.map((_, index) => cluster.gatewayAdminUrl(index)),
    ...cluster.feeds.map((_, index) => cluster.feedAdminUrl(index)),
  ];
  return (cluster.tls ? urls : urls.map((url) => new URL(url).host)).join(" ");
}

function say(stream: NodeJS.WriteStream, text: string): void {
  stream.write(text);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`cluster: ${error.message}\n`);
  process.exitCode = 2;
}

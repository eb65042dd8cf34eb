/** The server commands `all`, `gateway` and `feed`: each runs some of the same parts. */

import { AdminAccess } from "../../admin/access.ts";
import { createMetrics } from "../../admin/metrics/metrics.ts";
import { AdminServer, type AdminSource } from "../../admin/server.ts";
import { Reporter } from "../../admin/status/reporter.ts";
import { SystemClock } from "../../base/clock.ts";
import { VERSION } from "../../base/version.ts";
import { openBus } from "../../bus/open.ts";
import { RunningFeed } from "../../feed/running_feed.ts";
import { parseFeeds } from "../../feed/spec.ts";
import { Gateway } from "../../gateway/gateway.ts";
import { RedirectServer } from "../../gateway/http/redirect.ts";
import { planSockets } from "../../gateway/http/socket_plan.ts";
import { openCertificate } from "../../gateway/http/tls_certificate.ts";
import { createAuthority } from "../../identity/authority.ts";
import { createLog } from "../../log/log.ts";
import { RateLimitedLog } from "../../log/rate_limited_log.ts";
import type { CommandLine } from "../../settings/command_line.ts";
import { UsageError } from "../../settings/option.ts";
import { SETTINGS, type Settings } from "../../settings/settings.ts";
import { announce, endOnFault } from "./announce.ts";
import { untilSignal } from "./signals.ts";
import { WorkerLink, workerNumber } from "./worker_link.ts";

/** The feed of `tickgate all` when none is named. */
const DEFAULT_FEED = "sim:?symbols=1000&rate=20000";

/** The time for a stopped process to end by itself, ms. */
const LINGER = 1_000;

/** The parts of a command. */
export interface Parts {
  readonly gateway: boolean;
  readonly feeds: boolean;
}

/**
 * Runs the parts until SIGTERM or SIGINT; then stops them in an order in which nothing is lost. A second signal ends
 * the process at once.
 * @throws UsageError for a mistake that the user can correct
 */
export async function runServers(line: CommandLine, parts: Parts): Promise<void> {
  if (line.operands.length > 0) throw new UsageError(`${JSON.stringify(line.operands[0])} is no setting; see --help`);
  const worker = workerNumber();
  if (line.settings.workers > 1 && worker === undefined) return (await import("./workers.ts")).runWorkers(line);

  const settings = ownSettings(line.settings, worker);
  if (!(parts.gateway && parts.feeds) && settings.redisUrl === "")
    throw new UsageError(
      "gateways and feeds in processes of their own meet at Redis: --redis-url or TICKGATE_REDIS_URL",
    );
  const specs = parts.feeds ? parseFeeds(wantedFeeds(settings, parts)) : [];
  const log = worker === undefined ? createLog(settings) : createLog(settings).child({ worker });
  endOnFault(log);
  if (parts.gateway && settings.maxConnections < line.settings.maxConnections)
    log.warn(
      { connections: settings.maxConnections, wanted: line.settings.maxConnections },
      "the limit on open files leaves room for fewer connections: raise it (ulimit -n)",
    );
  for (const name of line.unknownEnv) log.warn({ name }, "a name in the environment is no setting");
  const certificate = openCertificate(settings, log);
  const clock = new SystemClock();
  const events = new RateLimitedLog(log, clock);
  const access = new AdminAccess(settings, events, clock);
  const bus = openBus(settings, clock, log);
  const identity = parts.gateway ? createAuthority(settings, clock, log, bus.revocations()) : undefined;
  const gateway = identity && new Gateway(settings, bus.reader(), clock, log, identity.authority, certificate);
  const feeds = specs.map((spec) => new RunningFeed(spec, settings, bus.writer(spec.name), clock, log));

  const unready = () => (gateway ? (gateway.unready() ?? identity?.unready()) : bus.unready());
  const labels: Record<string, string> = worker === undefined ? {} : { worker: String(worker) };
  const metrics = createMetrics({
    settings,
    access,
    bus,
    certificate,
    gateway,
    feeds,
    unready,
    labels,
    identity,
    now: () => clock.millis(),
  });
  const reporter = new Reporter({ node: settings.node, clock, certificate, gateway, identity, feeds, bus, unready });
  const source: AdminSource = {
    unready,
    metrics,
    report: () => reporter.report(),
    ...(gateway && { trace: async (request, output) => gateway.trace(request, output) }),
  };
  const link = worker === undefined ? undefined : new WorkerLink(source);
  const admin = new AdminServer(source, settings.adminNames, access, link ? undefined : certificate);

  const redirect = gateway && !link ? new RedirectServer(settings, events) : undefined;

  const stop = async () => {
    certificate?.close();
    redirect?.close();
    gateway?.close();
    identity?.close();
    await Promise.all(feeds.map((feed) => feed.close()));
    await bus.close();
    reporter.close();
    admin.close();
    access.close();
    events.close();
    link?.close();
  };
  const ended = link ? link.untilStop() : untilSignal(log);
  try {
    // The admin port opens first: a process that reports "started" must answer health checks.
    const adminPort = link ? undefined : await admin.listen(settings.adminHost, settings.adminPort);
    await identity?.start();
    const port = await gateway?.start(link !== undefined);
    const redirectPort = port === undefined ? undefined : await redirect?.listen(port);
    for (const feed of feeds) feed.start();
    reporter.start();
    certificate?.watch();
    access.watch();
    if (link) link.listening();
    else announce(startMessage({ settings, port, redirectPort, adminPort, feeds: specs.map((spec) => spec.text) }));
    log.info({ version: VERSION, port, adminPort, feeds: specs.map((spec) => spec.name) }, "started");
  } catch (error) {
    await stop();
    throw error;
  }
  await ended;
  await gateway?.drain();
  await stop();
  log.info("stopped");
  // Everything is closed; a connection of a library that stays open must not keep the process running.
  setTimeout(() => process.exit(), LINGER).unref();
}

/** The settings of this process: a worker has its own name, and connections fit into the limit on open files. */
function ownSettings(settings: Settings, worker: number | undefined): Settings {
  const node = worker === undefined ? settings.node : `${settings.node}-${worker}`;
  return { ...settings, node, maxConnections: planSockets(settings.maxConnections).connections };
}

function wantedFeeds(settings: Settings, parts: Parts): readonly string[] {
  if (settings.feeds.length > 0) return settings.feeds;
  if (parts.gateway) return [DEFAULT_FEED];
  throw new UsageError("no feed is named: --feed ADAPTER:SYMBOLS?option=value, or TICKGATE_FEEDS; see --help");
}

interface StartedServer {
  readonly settings: Settings;
  readonly port: number | undefined;
  readonly redirectPort: number | undefined;
  readonly adminPort: number | undefined;
  readonly feeds: readonly string[];
}

function startMessage({ settings, port, redirectPort, adminPort, feeds }: StartedServer): string[] {
  const [host, adminHost] = [settings.host, settings.adminHost].map((each) =>
    each.includes(":") ? `[${each}]` : each,
  );
  const s = settings.tlsCert === "" ? "" : "s";
  const lines = ["Tickgate is running.", ""];
  if (port !== undefined) {
    if (settings.watchlist) lines.push(`  page     http${s}://${host}:${port}/`);
    lines.push(`  stream   ws${s}://${host}:${port}/v1/stream`);
    lines.push(`  market   http${s}://${host}:${port}/v1/symbols`);
    if (redirectPort !== undefined) lines.push(`  redirect http://${host}:${redirectPort}/`);
  }
  lines.push(`  metrics  http${s}://${adminHost}:${adminPort}/metrics`);
  lines.push(`  status   http${s}://${adminHost}:${adminPort}/status`);
  for (const feed of feeds) lines.push(`  feed     ${feed}`);
  if (port !== undefined) {
    const isDefault = SETTINGS.url.default === `ws${s}://${host}:${port}/v1/stream`;
    lines.push(
      "",
      `Watch it in another terminal: npx tickgate watch '*'${isDefault ? "" : ` --url ws${s}://${host}:${port}/v1/stream`}`,
    );
  }
  return lines;
}

/** The commands that serve: `all`, `gateway` and `feed` are the same parts, more or fewer of them. */
import type { Logger } from "pino";
import { AdminServer } from "../admin.ts";
import { openBus } from "../bus/open.ts";
import { SystemClock } from "../clock.ts";
import { RunningFeed } from "../feed/running.ts";
import { parseFeeds } from "../feed/spec.ts";
import { Gateway } from "../gateway/gateway.ts";
import { createLog } from "../log.ts";
import { Metrics } from "../metrics.ts";
import { UsageError } from "../option.ts";
import type { CommandLine, Settings } from "../settings.ts";

/** What `tickgate all` runs when no feed is named. */
const DEFAULT_FEED = "sim:?symbols=1000&rate=20000";

/** Which parts a command has. */
export interface Parts {
  readonly gateway: boolean;
  readonly feeds: boolean;
}

/**
 * Runs the parts until SIGTERM or SIGINT; then ends in the order in which nothing is lost. A second signal ends at once.
 * @throws UsageError when something is wrong that the user can put right
 */
export async function runServers(line: CommandLine, parts: Parts): Promise<void> {
  const { settings } = line;
  if (line.operands.length > 0) throw new UsageError(`${JSON.stringify(line.operands[0])} is no setting; see --help`);
  const specs = parts.feeds ? parseFeeds(wantedFeeds(settings, parts)) : [];
  const log = createLog(settings);
  for (const name of line.unknownEnv) log.warn(`the environment names ${name}, which is no setting`);
  const clock = new SystemClock();
  const bus = openBus(settings, parts, clock, log);
  const gateway = parts.gateway ? new Gateway(settings, bus.reader(), clock, log) : undefined;
  const feeds = specs.map((spec) => new RunningFeed(spec, settings, bus.writer(spec.name), clock, log));

  const metrics = new Metrics();
  if (gateway) metrics.gateway(gateway);
  if (feeds.length > 0) metrics.feeds(new Map(feeds.map((feed) => [feed.name, feed.counts])));
  const admin = new AdminServer({ unready: () => gateway?.unready(), metrics: () => metrics.page() });

  const stop = async () => {
    await gateway?.drain();
    gateway?.close();
    await Promise.all(feeds.map((feed) => feed.close()));
    await bus.close();
    admin.close();
  };
  const ended = untilSignal(log);
  try {
    const port = await gateway?.start();
    const adminPort = await admin.listen(settings.host, settings.adminPort);
    for (const feed of feeds) feed.start();
    announce(
      settings,
      port,
      adminPort,
      specs.map((spec) => spec.text),
    );
  } catch (error) {
    await stop();
    throw error;
  }
  await ended;
  await stop();
  log.info("stopped");
}

function wantedFeeds(settings: Settings, parts: Parts): readonly string[] {
  if (settings.feeds.length > 0) return settings.feeds;
  if (parts.gateway) return [DEFAULT_FEED];
  throw new UsageError("no feed is named: --feed ADAPTER:SYMBOLS?option=value, or TICKGATE_FEEDS; see --help");
}

/** Resolves on the first signal to end; the second one ends the process. */
function untilSignal(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      if (++signals > 1) process.exit(1);
      log.info(`${signal}: ending; once more to end at once`);
      resolve();
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}

function announce(settings: Settings, port: number | undefined, adminPort: number, feeds: readonly string[]): void {
  const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host;
  const lines = ["Tickgate is running.", ""];
  if (port !== undefined) {
    lines.push(`  stream   ws://${host}:${port}/v1/stream`);
    lines.push(`  market   http://${host}:${port}/v1/symbols`);
  }
  lines.push(`  metrics  http://${host}:${adminPort}/metrics`);
  for (const feed of feeds) lines.push(`  feed     ${feed}`);
  if (port !== undefined) lines.push("", "Watch it in another terminal: npx tickgate watch 'SIM:*'");
  process.stdout.write(`${lines.join("\n")}\n`);
}

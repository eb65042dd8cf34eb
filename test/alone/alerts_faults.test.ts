/**
 * Faults of real processes, with a real Prometheus and the deployed rules and intervals: each raises its own alert
 * within a minute and no other, and the alert ends after the fault. These tests measure time, so `npm test` runs them
 * alone.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { Cluster } from "../../scripts/cluster/cluster.ts";
import { waitUntil } from "../../scripts/cluster/probe.ts";
import { Crowd } from "../support/crowd.ts";
import { redOn } from "../support/dashboard.ts";
import { Prometheus, type Series } from "../support/prometheus.ts";
import { SlowLink } from "../support/slow_link.ts";
import { Throttle } from "../support/throttle.ts";
import { TickWriter } from "../support/tick_writer.ts";

/** The longest time until a fault has raised its alert, in milliseconds. */
const RAISED = 60_000;
/** The longest time from the end of a fault to the end of its alert, in milliseconds. */
const CALM = 120_000;
/** The time without a fault before the first one, by Prometheus' clock, in seconds. */
const WELL = 30;
const HEALTHY = 40;
/** What Grafana inserts for `$__rate_interval` at a scrape interval of 5 s. */
const RATE_INTERVAL = "20s";
const SYMBOLS = ["SIM:*", "TEST:*"];
/** The feed that the tests write, and its ticks per second. */
const WRITTEN = Array.from({ length: 20 }, (_, index) => `TEST:S${index}`);
const RATE = 200;

interface Scene {
  readonly cluster: Cluster;
  readonly prometheus: Prometheus;
  readonly crowd: Crowd;
  readonly writer: TickWriter;
}

/** A cluster that has served clients for a while without an alert. */
async function quietDay(t: TestContext): Promise<Scene> {
  const cluster = await Cluster.create({
    port: 0,
    feeds: ["sim:?symbols=100&rate=1000", "ndjson:-?name=lines"],
    feedInput: true,
    env: { TICKGATE_LOG_LEVEL: "warn", TICKGATE_LOG_FORMAT: "json" },
  });
  const crowd = new Crowd();
  const inputs = () => cluster.feeds.filter((feed) => feed.isRunning).map((feed) => feed.input);
  const writer = new TickWriter(inputs, WRITTEN, RATE);
  t.after(async () => {
    writer.rest();
    crowd.leave();
    // A process that a failed test has left stopped would not receive the signal to end.
    for (const part of cluster.processes) part.signal("SIGCONT");
    await cluster.stop();
  });
  await cluster.start();
  writer.start();
  const prometheus = await Prometheus.start(cluster);
  await crowd.join(HEALTHY, { url: cluster.url, symbols: SYMBOLS, interval: 100 });
  const hasSeen = `count_over_time(tickgate:server_stage_seconds:mean[5m]) >= ${WELL / 5}`;
  assert.ok(
    await waitUntil(async () => (await prometheus.query(hasSeen)).length === cluster.gateways.length, RAISED),
    "Prometheus has scraped all gateways for a while",
  );
  assert.deepEqual(await firing(prometheus), []);
  return { cluster, prometheus, crowd, writer };
}

async function firing(prometheus: Prometheus): Promise<string[]> {
  const alerts = await prometheus.alerts();
  return [...new Set(alerts.filter(({ state }) => state === "firing").map(({ name }) => name))];
}

/** The expected effects of a fault. */
interface Told {
  readonly alert: string;
  /** The labels of the alert, for each process concerned. */
  readonly where: readonly Readonly<Record<string, string>>[];
  /** The panel where these, and no others, are red: the uid of its dashboard, and its title. */
  readonly panels: readonly (readonly [uid: string, title: string])[];
}

/**
 * Waits for the alert of a fault that has just begun, checks the dashboard, ends the fault, and waits for the end of
 * the alert.
 */
async function raises(
  t: TestContext,
  { prometheus }: Scene,
  { alert, where, panels }: Told,
  end: () => unknown,
): Promise<void> {
  const from = performance.now();
  const since = Date.now() / 1_000;
  const isRaised = async () => (await firing(prometheus)).includes(alert);
  const wasRaised = await waitUntil(isRaised, RAISED);
  const raised = performance.now() - from;
  if (!wasRaised) assert.fail(`${alert} is not raised: ${JSON.stringify(await prometheus.alerts())}`);
  const red = new Set<string>();
  for (const panel of panels)
    for (const series of await redOn(prometheus, ...panel, RATE_INTERVAL)) red.add(blamed(series));
  const shown = panels.map(([, title]) => title).join(", ");
  assert.deepEqual([...red].toSorted(), where.map((labels) => blamed({ labels })).toSorted(), shown);

  await end();
  const over = performance.now();
  assert.ok(await waitUntil(async () => !(await isRaised()), CALM), `${alert} goes`);
  t.diagnostic(`${alert}: raised after ${seconds(raised)} s, gone after ${seconds(performance.now() - over)} s`);

  const lasted = Math.ceil(Date.now() / 1_000 - since);
  const told = await prometheus.query(
    `count by (alertname, instance, feed) (max_over_time(ALERTS{alertstate="firing"}[${lasted}s]))`,
  );
  assert.deepEqual(
    told.map(({ labels }) => JSON.stringify(labels)).toSorted(),
    where.map((labels) => JSON.stringify({ alertname: alert, ...labels })).toSorted(),
    "this alert and no other",
  );
}

/** The labels that identify the process or feed. */
function blamed({ labels: { instance, feed } }: Pick<Series, "labels">): string {
  return `${instance ?? ""} ${feed ?? ""}`;
}

function seconds(millis: number): string {
  return (millis / 1_000).toFixed(1);
}

const SILENT: Told = {
  alert: "TickgateFeedSilent",
  where: [{ feed: "lines" }, { feed: "sim" }],
  panels: [["tickgate-feeds", "Silent at"]],
};
const SATURATED: Told = {
  alert: "TickgateSaturated",
  where: [{ instance: "gateway1:9090" }],
  // One for each process or feed with the alert.
  panels: [
    ["tickgate-node", "Wait for a turn, mean"],
    ["tickgate-node", "Clients it holds back"],
    ["tickgate-node", "Busy"],
  ],
};
const DOWN: Told = {
  alert: "TickgateGatewayDown",
  where: [{ instance: "gateway2:9090" }],
  panels: [["tickgate-overview", "Who answers"]],
};
const QUIET: Told = {
  alert: "TickgateSourceSilent",
  where: [{ feed: "lines" }],
  panels: [["tickgate-feeds", "Since the last tick"]],
};
const REDIS: Told = { alert: "TickgateRedisDown", where: [{}], panels: [["tickgate-feeds", "Without Redis"]] };
const SLOW: Told = { alert: "TickgateSlowClients", where: [{}], panels: [["tickgate-clients", "Slow clients"]] };
const OLD: Told = {
  alert: "TickgatePricesOld",
  where: [{ feed: "lines" }],
  panels: [["tickgate-overview", "Age at the gateways by feed, p99"]],
};

const options = { timeout: 600_000, skip: process.platform !== "linux" };

// Two clusters in parallel: they mostly wait.
describe("faults", { concurrency: 2 }, () => {
  test(
    "feeds are killed; a gateway gets too little CPU; a gateway is killed; a source becomes silent",
    options,
    async (t) => {
      const scene = await quietDay(t);
      const { cluster, writer } = scene;
      const { feeds, gateways } = cluster;
      await Promise.all(feeds.map((feed) => feed.kill()));
      await raises(t, scene, SILENT, () => Promise.all(feeds.map((feed) => feed.start())));

      // A fifteenth of a core, in periods that do not look like a slow network.
      const throttle = new Throttle(gateways[0].pid, 30, 420);
      t.after(() => throttle.end());
      await raises(t, scene, SATURATED, () => throttle.end());

      await gateways[1].kill();
      await raises(t, scene, DOWN, () => gateways[1].start());

      writer.rest();
      await raises(t, scene, QUIET, () => writer.start());
    },
  );

  test("Redis hangs; clients read slowly; a source is late", options, async (t) => {
    const scene = await quietDay(t);
    const { cluster, crowd, writer } = scene;
    cluster.redis.signal("SIGSTOP");
    await raises(t, scene, REDIS, () => cluster.redis.signal("SIGCONT"));

    const link = await SlowLink.open(cluster.port, 3_000);
    t.after(() => link.close());
    await crowd.join(8, { url: link.url, symbols: SYMBOLS, interval: 100 });
    await raises(t, scene, SLOW, () => link.close());

    writer.age = 3_000;
    await raises(t, scene, OLD, () => {
      writer.age = 0;
    });
  });
});

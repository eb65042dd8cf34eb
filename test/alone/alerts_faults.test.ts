/**
 * Faults of real processes, watched by a real Prometheus with the rules, times and intervals that are deployed: each
 * raises its own alert within a minute and no other, and the alert goes when the fault does. These tests measure time,
 * so `npm test` gives them the machine for themselves.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { Cluster } from "../../scripts/cluster/cluster.ts";
import { comesTrue } from "../../scripts/cluster/probe.ts";
import { Crowd } from "../crowd.ts";
import { Prometheus } from "../prometheus.ts";
import { SlowLink } from "../slow_link.ts";
import { Throttle } from "../throttle.ts";
import { TickWriter } from "../tick_writer.ts";

/** How soon a fault must have raised its alert, in milliseconds. */
const RAISED = 60_000;
/** How soon the alert must be gone when the fault is over, in milliseconds. */
const CALM = 120_000;
/** How long all must have been well before the first fault, by Prometheus' own clock, in seconds. */
const WELL = 30;
const HEALTHY = 40;
const SYMBOLS = ["SIM:*", "TEST:*"];
/** Of the feed that the tests write themselves, and its ticks a second. */
const WRITTEN = Array.from({ length: 20 }, (_, index) => `TEST:S${index}`);
const RATE = 200;

interface Scene {
  readonly cluster: Cluster;
  readonly prometheus: Prometheus;
  readonly crowd: Crowd;
  readonly writer: TickWriter;
}

/** A cluster that serves clients, and has done so for a while without an alert. */
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
    // A part that a failed test has left stopped would not hear that it is to end.
    for (const part of cluster.parts) part.signal("SIGCONT");
    await cluster.stop();
  });
  await cluster.start();
  writer.start();
  const prometheus = await Prometheus.start(cluster);
  await crowd.join(HEALTHY, { url: cluster.url, symbols: SYMBOLS, interval: 100 });
  const hasSeen = `count_over_time(tickgate:server_stage_seconds:mean[5m]) >= ${WELL / 5}`;
  assert.ok(
    await comesTrue(async () => (await prometheus.query(hasSeen)).length === cluster.gateways.length, RAISED),
    "Prometheus has seen all gateways serve for a while",
  );
  assert.deepEqual(await firing(prometheus), []);
  return { cluster, prometheus, crowd, writer };
}

async function firing(prometheus: Prometheus): Promise<string[]> {
  const alerts = await prometheus.alerts();
  return [...new Set(alerts.filter(({ state }) => state === "firing").map(({ name }) => name))];
}

/**
 * Waits for the alert of a fault that has just begun, ends the fault, and waits for the alert to go.
 * @param where the labels that the alert has, each once: what it blames
 */
async function raises(
  t: TestContext,
  { prometheus }: Scene,
  alert: string,
  where: readonly Readonly<Record<string, string>>[],
  end: () => unknown,
): Promise<void> {
  const from = performance.now();
  const since = Date.now() / 1_000;
  const isRaised = async () => (await firing(prometheus)).includes(alert);
  const wasRaised = await comesTrue(isRaised, RAISED);
  const raised = performance.now() - from;
  if (!wasRaised) assert.fail(`${alert} is not raised: ${JSON.stringify(await prometheus.alerts())}`);

  await end();
  const over = performance.now();
  assert.ok(await comesTrue(async () => !(await isRaised()), CALM), `${alert} goes`);
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

function seconds(millis: number): string {
  return (millis / 1_000).toFixed(1);
}

const options = { timeout: 600_000, skip: process.platform !== "linux" };

// Two clusters side by side: they wait more than they work.
describe("faults", { concurrency: 2 }, () => {
  test(
    "feeds are killed; a gateway gets too little CPU; a gateway is killed; a source falls silent",
    options,
    async (t) => {
      const scene = await quietDay(t);
      const { cluster, writer } = scene;
      const { feeds, gateways } = cluster;
      await Promise.all(feeds.map((feed) => feed.kill()));
      await raises(t, scene, "TickgateFeedSilent", [{ feed: "lines" }, { feed: "sim" }], () =>
        Promise.all(feeds.map((feed) => feed.start())),
      );

      // A fifteenth of a core, in periods that cannot be taken for a slow network.
      const throttle = new Throttle(gateways[0].pid, 30, 420);
      t.after(() => throttle.end());
      await raises(t, scene, "TickgateSaturated", [{ instance: "gateway1:9090" }], () => throttle.end());

      await gateways[1].kill();
      await raises(t, scene, "TickgateGatewayDown", [{ instance: "gateway2:9090" }], () => gateways[1].start());

      writer.rest();
      await raises(t, scene, "TickgateSourceSilent", [{ feed: "lines" }], () => writer.start());
    },
  );

  test("Redis hangs; clients read slowly; a source is late", options, async (t) => {
    const scene = await quietDay(t);
    const { cluster, crowd, writer } = scene;
    cluster.redis.signal("SIGSTOP");
    await raises(t, scene, "TickgateRedisDown", [{}], () => cluster.redis.signal("SIGCONT"));

    const link = await SlowLink.open(cluster.port, 3_000);
    t.after(() => link.close());
    await crowd.join(8, { url: link.url, symbols: SYMBOLS, interval: 100 });
    await raises(t, scene, "TickgateSlowClients", [{}], () => link.close());

    writer.age = 3_000;
    await raises(t, scene, "TickgatePricesOld", [{ feed: "lines" }], () => {
      writer.age = 0;
    });
  });
});

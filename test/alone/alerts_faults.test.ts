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

/** How soon a fault must have raised its alert, in milliseconds. */
const RAISED = 60_000;
/** How soon the alert must be gone when the fault is over, in milliseconds. */
const CALM = 120_000;
/** How long all must have been well before the first fault, by Prometheus' own clock, in seconds. */
const WELL = 30;
const HEALTHY = 40;
const SYMBOLS = ["SIM:*"];

interface Scene {
  readonly cluster: Cluster;
  readonly prometheus: Prometheus;
  readonly crowd: Crowd;
}

/** A cluster that serves clients, and has done so for a while without an alert. */
async function quietDay(t: TestContext): Promise<Scene> {
  const cluster = await Cluster.create({
    port: 0,
    feeds: ["sim:?symbols=100&rate=1000"],
    env: { TICKGATE_LOG_LEVEL: "warn", TICKGATE_LOG_FORMAT: "json" },
  });
  const crowd = new Crowd();
  t.after(async () => {
    crowd.leave();
    // A part that a failed test has left stopped would not hear that it is to end.
    for (const part of cluster.parts) part.signal("SIGCONT");
    await cluster.stop();
  });
  await cluster.start();
  const prometheus = await Prometheus.start(cluster);
  await crowd.join(HEALTHY, { url: cluster.url, symbols: SYMBOLS, interval: 100 });
  const hasSeen = `count_over_time(tickgate:server_stage_seconds:mean[5m]) >= ${WELL / 5}`;
  assert.ok(
    await comesTrue(async () => (await prometheus.query(hasSeen)).length === cluster.gateways.length, RAISED),
    "Prometheus has seen all gateways serve for a while",
  );
  assert.deepEqual(await firing(prometheus), []);
  return { cluster, prometheus, crowd };
}

async function firing(prometheus: Prometheus): Promise<string[]> {
  const alerts = await prometheus.alerts();
  return [...new Set(alerts.filter(({ state }) => state === "firing").map(({ name }) => name))];
}

/** Waits for the alert of a fault that has just begun, ends the fault, and waits for the alert to go. */
async function raises(t: TestContext, { prometheus }: Scene, alert: string, end: () => unknown): Promise<void> {
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

  const now = Date.now() / 1_000;
  const told = await prometheus.query(
    `count by (alertname) (max_over_time(ALERTS{alertstate="firing"}[${Math.ceil(now - since)}s]))`,
  );
  assert.deepEqual(
    told.map(({ labels }) => labels.alertname),
    [alert],
    "no other alert",
  );
}

function seconds(millis: number): string {
  return (millis / 1_000).toFixed(1);
}

const options = { timeout: 600_000, skip: process.platform !== "linux" };

// Two clusters side by side: they wait more than they work.
describe("faults", { concurrency: 2 }, () => {
  test("all feeds are killed; then a gateway gets too little CPU", options, async (t) => {
    const scene = await quietDay(t);
    const { cluster, prometheus } = scene;
    await Promise.all(cluster.feeds.map((feed) => feed.kill()));
    await raises(t, scene, "TickgateFeedSilent", () => Promise.all(cluster.feeds.map((feed) => feed.start())));

    // A fifteenth of a core, in periods that cannot be taken for a slow network.
    const throttle = new Throttle(cluster.gateways[0].pid, 30, 420);
    t.after(() => throttle.end());
    await raises(t, scene, "TickgateSaturated", () => throttle.end());
    const [saturated] = await prometheus.query('max_over_time(ALERTS{alertname="TickgateSaturated"}[5m])');
    assert.equal(saturated.labels.instance, "gateway1:9090", "it names the node");
  });

  test("Redis hangs; then clients read slowly", options, async (t) => {
    const scene = await quietDay(t);
    const { cluster, crowd } = scene;
    cluster.redis.signal("SIGSTOP");
    await raises(t, scene, "TickgateRedisDown", () => cluster.redis.signal("SIGCONT"));

    const link = await SlowLink.open(cluster.port, 3_000);
    t.after(() => link.close());
    await crowd.join(8, { url: link.url, symbols: SYMBOLS, interval: 100 });
    await raises(t, scene, "TickgateSlowClients", () => link.close());
  });
});

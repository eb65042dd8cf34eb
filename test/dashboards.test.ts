/**
 * The dashboards: valid files for Grafana, and the query of each panel at a real Prometheus.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { setTimeout as pass } from "node:timers/promises";
import { Cluster } from "../scripts/cluster/cluster.ts";
import { waitUntil } from "../scripts/cluster/probe.ts";
import { ROOT, read } from "./support/compose.ts";
import { Crowd } from "./support/crowd.ts";
import { dashboards, substituted } from "./support/dashboard.ts";
import { Prometheus } from "./support/prometheus.ts";
import { SlowLink } from "./support/slow_link.ts";

/** The length of the run in milliseconds, and Prometheus' scrape interval. */
const RUN = 25_000;
const INTERVAL = "1s";
/** What Grafana inserts for `$__rate_interval`: at least four scrape intervals. */
const RATE_INTERVAL = "10s";

test("there are four dashboards, each with a fixed uid and links to the others", () => {
  assert.deepEqual(dashboards.map(({ uid }) => uid).toSorted(), [
    "tickgate-clients",
    "tickgate-feeds",
    "tickgate-node",
    "tickgate-overview",
  ]);
  for (const { uid, title, description, schemaVersion, tags, links } of dashboards) {
    assert.match(title, /^Tickgate: /, uid);
    assert.ok(description.length > 40, uid);
    // The version of Grafana 10 and 11.
    assert.equal(schemaVersion, 39, uid);
    assert.ok(links.some((link) => link.type === "dashboards" && link.tags.some((tag) => tags.includes(tag))));
  }
});

test("every panel has a description, a unit and queries", () => {
  for (const { uid, panels } of dashboards) {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length, `${uid}: ids differ`);
    const titles = panels.map(({ title }) => title);
    assert.deepEqual([...new Set(titles)], titles, `${uid}: titles differ`);
    for (const { title, description = "", type, fieldConfig, targets = [], datasource } of panels) {
      assert.ok(title.length > 2);
      if (type === "row") continue;
      assert.ok(["stat", "timeseries", "table"].includes(type), `${title}: ${type}`);
      assert.ok(description.length >= 30, `${uid}, ${title}: ${description}`);
      assert.ok(fieldConfig?.defaults.unit, title);
      assert.ok(targets.length > 0, title);
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
      // The Prometheus that the user selects in the dashboard.
      for (const used of [datasource, ...targets.map((target) => target.datasource)])
        assert.deepEqual(used, { type: "prometheus", uid: `\${datasource}` }, title);
    }
  }
});

test("a panel of one number never shows an old value", () => {
  for (const { panels } of dashboards)
    for (const { title, type, options, targets = [] } of panels) {
      if (type !== "stat") continue;
      // Grafana's lastNotNull would show a value of half an hour ago.
      assert.deepEqual(options?.reduceOptions?.calcs, ["last"], title);
      for (const { expr, instant } of targets) assert.ok(instant || /or on \(\) vector\((0|NaN)\)$/.test(expr), title);
    }
});

test("panels do not overlap", () => {
  for (const { uid, panels } of dashboards) {
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(!taken.has(`${x} ${y}`), `${uid}: ${title} overlaps another panel`);
          taken.add(`${x} ${y}`);
        }
    }
  }
});

/** A complete topology with clients, and a Prometheus that scrapes all of it. */
async function observedRun(t: TestContext): Promise<{ cluster: Cluster; prometheus: Prometheus; crowd: Crowd }> {
  const cluster = await Cluster.create({ port: 0, feeds: ["sim:?symbols=50&rate=1000"] });
  const crowd = new Crowd();
  t.after(async () => {
    crowd.leave();
    await cluster.stop();
  });
  await cluster.start();
  const prometheus = await Prometheus.start(cluster, INTERVAL);
  await crowd.join(6, { url: cluster.url, symbols: ["SIM:*"], interval: 0, measure: true });
  await crowd.join(12, { url: cluster.url, symbols: ["SIM:*"], interval: 100, measure: true });
  return { cluster, prometheus, crowd };
}

/** Prometheus has the ages that clients have measured, and the stages add up to them. */
async function assertAges(t: TestContext, prometheus: Prometheus, crowd: Crowd): Promise<void> {
  const stages = await prometheus.number("sum(tickgate_tick_stage_seconds_sum) / sum(tickgate_tick_age_seconds_sum)");
  assert.ok(Math.abs(stages - 1) < 0.1, `the stages are ${stages} of the age`);
  const shown = await prometheus.number("sum(tickgate_tick_age_seconds_sum) / sum(tickgate_tick_age_seconds_count)");
  const measured = crowd.ages / crowd.ticks / 1_000_000;
  t.diagnostic(`mean age: ${shown} s by Prometheus, ${measured} s by clients; its stages are ${stages} of it`);
  // A busy machine delays both, but at different moments.
  const allowed = measured * 0.25 + 0.005;
  assert.ok(Math.abs(shown - measured) < allowed, `Prometheus has ${shown} s, clients have ${measured} s`);
}

test("every panel's query has a result, ages are those of clients, and every named metric exists", {
  timeout: 180_000,
}, async (t) => {
  const { cluster, prometheus, crowd } = await observedRun(t);
  await pass(RUN);
  await assertAges(t, prometheus, crowd);

  const link = await SlowLink.open(cluster.port, 3_000);
  t.after(() => link.close());
  await crowd.join(1, { url: link.url, symbols: ["SIM:*"], interval: 50 });
  const isSlow = () => prometheus.number('sum(tickgate_connections_conflating{by="client"})');
  assert.ok(await waitUntil(async () => (await isSlow()) > 0, RUN), "Prometheus sees a slow client");

  const silent: string[] = [];
  let asked = 0;
  for (const { uid, panels, templating, annotations } of dashboards) {
    const variables = templating.list;
    for (const { title, targets = [] } of panels)
      for (const { expr, refId } of targets) {
        asked++;
        const answer = await prometheus.query(substituted(expr, variables, RATE_INTERVAL));
        if (!answer.some(({ value }) => !Number.isNaN(value))) silent.push(`${uid}: ${title} ${refId}: ${expr}`);
      }
    // In a healthy run it has no result, but it must be a valid query.
    for (const { expr } of annotations.list) await prometheus.query(expr);
    for (const { name, type, query } of variables) {
      if (type !== "query" || typeof query === "string") continue;
      const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(query.query) ?? [];
      assert.ok((await prometheus.values(label, metric)).length > 0, `${uid}: ${name}`);
    }
  }
  assert.deepEqual(silent, []);
  assert.ok(asked > 100, `${asked} queries were asked`);

  const names = new Set(await prometheus.values("__name__"));
  const named = [read("dashboards/alerts.yml"), ...runbook()].flatMap(metricsIn);
  assert.deepEqual(
    // The cluster has no certificate; test/tls.test.ts checks these.
    [...new Set(named)].filter((name) => !names.has(name) && !name.startsWith("tickgate_certificate_")),
    [],
  );
});

/** The pages of the runbook. */
function runbook(): string[] {
  return readdirSync(`${ROOT}docs/runbook`).map((name) => read(`docs/runbook/${name}`));
}

/** The metrics that a text names. */
function metricsIn(text: string): string[] {
  return text.match(/\b(tickgate|nodejs|process|haproxy)_\w+/g) ?? [];
}

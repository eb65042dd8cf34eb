/** Dashboards and alert rules name metrics that exist, and the rules speak when they should. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { Cluster } from "../scripts/cluster/cluster.ts";
import { ROOT, read, readYaml } from "./compose.ts";

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
}

const dashboards = readdirSync(`${ROOT}dashboards`)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(read(`dashboards/${name}`)) as Dashboard);
const rules = readYaml<{ groups: { rules: Rule[] }[] }>("dashboards/alerts.yml").groups.flatMap((group) => group.rules);

/** The metrics that an expression names. */
function metricsIn(expression: string): string[] {
  return expression.match(/\b(tickgate|nodejs|process|haproxy)_\w+/g) ?? [];
}

async function metricsOf(t: TestContext): Promise<Set<string>> {
  const cluster = await Cluster.create({ port: 0, feeds: ["sim:?symbols=10&rate=100"] });
  t.after(() => cluster.stop());
  await cluster.start();
  const urls = [cluster.gatewayAdminUrl(0), cluster.feedAdminUrl(0), cluster.adminUrl];
  const pages = await Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()));
  const names = new Set<string>();
  for (const [, name, type] of pages.join("\n").matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
    names.add(name);
    if (type === "histogram") for (const part of ["bucket", "sum", "count"]) names.add(`${name}_${part}`);
  }
  assert.match(pages[2], /^haproxy_backend_active_servers\{proxy="gateways"\} 3$/m);
  assert.match(pages[2], /^haproxy_server_status\{proxy="gateways",server="gateway1",state="UP"\} 1$/m);
  return names;
}

test("every metric that a dashboard or an alert names is on the page of a running process", async (t) => {
  const names = await metricsOf(t);
  const expressions = [
    ...dashboards.flatMap(({ panels }) => panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))),
    ...rules.map(({ expr }) => expr),
  ];
  assert.ok(expressions.length > 40);
  const missing = expressions.flatMap(metricsIn).filter((name) => !names.has(name));
  assert.deepEqual([...new Set(missing)], []);
});

test("no panel lies on another, and each says something", () => {
  for (const { panels } of dashboards) {
    const taken = new Set<string>();
    for (const { title, type, gridPos, targets = [] } of panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      if (type !== "row") assert.ok(targets.length > 0, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(!taken.has(`${x} ${y}`), `${title} lies on another panel`);
          taken.add(`${x} ${y}`);
        }
    }
  }
});

test("Prometheus accepts its configuration, and the alerts speak when they should and not when they should not", () => {
  for (const args of [
    ["check", "config", "config/prometheus.yml"],
    ["test", "rules", "test/alerts_test.yml"],
  ]) {
    const result = spawnSync("promtool", args, { cwd: ROOT, encoding: "utf8" });
    assert.equal(result.status, 0, `${result.error ?? ""}${result.stdout}${result.stderr}`);
  }
});

test("the operations page says what to do about every alert", () => {
  const page = read("docs/operations.md");
  for (const { alert, labels } of rules) {
    assert.ok(page.includes(`\`${alert}\``), alert);
    assert.match(labels.severity, /^(critical|warning)$/);
  }
});

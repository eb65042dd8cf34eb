/** The alert rules and the runbook: alerts fire when they should, and each has a page whose statements are true. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SETTINGS } from "../src/settings/settings.ts";
import { ROOT, read, readYaml } from "./support/compose.ts";

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: { readonly severity?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Scenes {
  readonly tests: readonly { readonly promql_expr_test?: readonly { readonly exp_samples: { labels: string }[] }[] }[];
}

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly { readonly title: string; readonly type: string }[];
}

const rules = readYaml<{ groups: { rules: Rule[] }[] }>("dashboards/alerts.yml").groups.flatMap((group) => group.rules);
const alerts = rules.filter((rule): rule is Rule & { alert: string } => rule.alert !== undefined);
const scenes = readYaml<Scenes>("test/alerts_test.yml");
const dashboards = readdirSync(`${ROOT}dashboards`)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(read(`dashboards/${name}`)) as Dashboard);
const pages = readdirSync(`${ROOT}docs/runbook`).map((name) => ({ name, text: read(`docs/runbook/${name}`) }));
/** The page with what several alerts share. */
const SHARED = "README.md";

/** The names of the dashboards in the runbook. */
const DASHBOARD_UIDS: Readonly<Record<string, string>> = {
  Overview: "tickgate-overview",
  Node: "tickgate-node",
  "Feeds and Redis": "tickgate-feeds",
  Clients: "tickgate-clients",
};
/** Flags of other programs in the runbook. */
const FOREIGN_FLAGS = ["--latency", "--scan", "--pattern", "--cpu-prof", "--heapsnapshot-signal"];

function promtool(...args: string[]): void {
  const result = spawnSync("promtool", args, { cwd: ROOT, encoding: "utf8" });
  assert.equal(result.status, 0, `${result.error ?? ""}${result.stdout}${result.stderr}`);
}

test("Prometheus accepts its configuration", (t) => {
  // promtool looks for the token that the container is given.
  const folder = mkdtempSync(join(tmpdir(), "tickgate-prometheus-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const token = join(folder, "admin-token");
  writeFileSync(token, "a token");
  const config = read("config/prometheus.yml")
    .replaceAll("/run/secrets/admin-token", token)
    .replace("../dashboards/", join(ROOT, "dashboards/"));
  writeFileSync(join(folder, "prometheus.yml"), config);
  promtool("check", "config", join(folder, "prometheus.yml"));
});

test("alerts fire when they should, and not otherwise", () => promtool("test", "rules", "test/alerts_test.yml"));

test("there is a scene for every alert in which it fires", () => {
  const fired = new Set<string>();
  for (const { promql_expr_test = [] } of scenes.tests)
    for (const { exp_samples } of promql_expr_test)
      for (const { labels } of exp_samples) fired.add(/alertname="(\w+)"/.exec(labels)?.[1] ?? "");
  assert.deepEqual([...fired].toSorted(), alerts.map(({ alert }) => alert).toSorted());
});

test("every alert has a severity, a summary, a description, a page and a dashboard", () => {
  assert.ok(alerts.length >= 20);
  for (const { alert, labels, annotations = {} } of alerts) {
    assert.match(labels?.severity ?? "", /^(critical|warning)$/, alert);
    assert.ok(annotations.summary.length > 10, alert);
    assert.ok(annotations.description.length > 10, alert);
    assert.equal(annotations.runbook_url, `docs/runbook/${alert}.md`);
    assert.ok(
      dashboards.some(({ uid }) => uid === annotations.dashboard),
      alert,
    );
  }
});

test("every alert has its page, and every page its alert; the operations page lists them", () => {
  const names = [...alerts.map(({ alert }) => `${alert}.md`), SHARED];
  assert.deepEqual(pages.map(({ name }) => name).toSorted(), names.toSorted());
  const operations = read("docs/operations.md");
  for (const { alert, labels } of alerts) {
    const page = read(`docs/runbook/${alert}.md`);
    assert.ok(page.startsWith(`# ${alert}\n\n**${labels?.severity}**: `), alert);
    for (const part of ["**Users notice:** ", "## Check\n", "## Act\n\n| cause | sign | action |\n"])
      assert.ok(page.includes(part), `${alert}: ${part}`);
    const [list] = new RegExp(`^- ${labels?.severity}\\b.*?(?=\n(?! ))`, "ms").exec(operations) ?? [""];
    assert.ok(list.includes(`[\`${alert}\`](runbook/${alert}.md)`), alert);
  }
});

test("the runbook names panels, alerts, settings and words of the log that exist", () => {
  const code = sources();
  const flags = new Set(Object.values(SETTINGS).map(({ flag }) => `--${flag}`));
  const panels = new Set(dashboards.flatMap(({ uid, panels: own }) => own.map(({ title }) => `${uid} ${title}`)));
  let logged = 0;
  for (const { name, text } of pages) {
    const named = [...text.matchAll(/\*([A-Z][\w ]+) \/ ([^*]+)\*/g)];
    assert.ok(named.length > 0, `${name} names a panel`);
    for (const [whole, dashboard, title] of named)
      assert.ok(panels.has(`${DASHBOARD_UIDS[dashboard]} ${title}`), `${name}: there is no panel ${whole}`);
    for (const [flag] of text.matchAll(/--[a-z][a-z-]+/g))
      assert.ok(flags.has(flag) || FOREIGN_FLAGS.includes(flag), `${name}: there is no setting ${flag}`);
    for (const [alert] of text.matchAll(/\bTickgate[A-Z]\w+/g))
      assert.ok(
        alerts.some((rule) => rule.alert === alert),
        `${name}: there is no alert ${alert}`,
      );
    for (const [, words] of text.matchAll(/\blog (?:contains|ends with) `([^`]+)`/g)) {
      assert.ok(code.includes(words), `${name}: no log contains ${words}`);
      logged++;
    }
  }
  assert.ok(logged >= 5, `${logged} messages of the log are named`);
});

/** All the code, as one text. */
function sources(): string {
  return readdirSync(`${ROOT}src`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(`${ROOT}src/${name}`, "utf8"))
    .join("\n");
}

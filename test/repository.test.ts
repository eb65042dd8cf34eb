/** The files around the code: tools can read them, and they agree with each other. */
import assert from "node:assert/strict";
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parseDocument } from "yaml";
import { ROOT, read, readYaml } from "./support/compose.ts";

/** Folders that are not checked: those in .gitignore, and Git's own. */
const FOREIGN = new Set([".git", ...Array.from(read(".gitignore").matchAll(/^\/?(\S+)\/$/gm), ([, path]) => path)]);

/** The project's files with one of these endings, as paths from its root. */
function files(endings: readonly string[], folder = ""): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (FOREIGN.has(path) || FOREIGN.has(entry.name)) return [];
    if (entry.isDirectory()) return files(endings, path);
    return endings.some((ending) => path.endsWith(ending)) ? [path] : [];
  });
}

test("every YAML file is valid, without a warning", () => {
  const paths = files([".yml", ".yaml"]);
  assert.ok(paths.includes(".github/workflows/ci.yml") && paths.includes("docker-compose.yml"));
  for (const path of paths) {
    const { errors, warnings } = parseDocument(read(path));
    assert.deepEqual([...errors, ...warnings].map(String), [], path);
  }
});

test("every JSON file is valid, and matches its schema if a package provides that", () => {
  const paths = files([".json"]);
  let checked = 0;
  for (const path of paths) {
    const content = JSON.parse(read(path)) as { $schema?: string };
    const schemaPath = join(dirname(path), content.$schema ?? "");
    if (!schemaPath.startsWith("node_modules/")) continue;
    const schema = JSON.parse(read(schemaPath)) as { $schema: string };
    // Formats are for editors; the rest of a schema is checked.
    const options = { strict: false, validateFormats: false };
    const ajv = schema.$schema.includes("2020-12") ? new Ajv2020(options) : new Ajv(options);
    assert.ok(ajv.validate(schema, content), `${path}: ${ajv.errorsText()}`);
    checked++;
  }
  assert.ok(paths.length > 10 && checked >= 1, `${checked} of ${paths.length} have a schema`);
});

interface Workflow {
  readonly on: Record<string, unknown>;
  readonly permissions: Record<string, string>;
  readonly jobs: Record<string, Job>;
}

interface Job {
  readonly container: { readonly image: string };
  readonly "timeout-minutes": number;
  readonly permissions?: unknown;
  readonly steps: readonly { readonly uses?: string; readonly run?: string; readonly with?: Record<string, unknown> }[];
}

test("the workflow runs .ci/run on Debian 12, may only read, and uses actions of a major version", () => {
  const { on, permissions, jobs } = readYaml<Workflow>(".github/workflows/ci.yml");
  assert.deepEqual(Object.keys(on), ["push", "pull_request", "workflow_dispatch"]);
  assert.deepEqual(permissions, { contents: "read" });
  const [job, ...others] = Object.values(jobs);
  assert.equal(others.length, 0);
  assert.equal(job.permissions, undefined);
  assert.equal(job.container.image, "debian:12");
  assert.ok(job["timeout-minutes"] <= 90);
  assert.deepEqual(
    job.steps.flatMap(({ run }) => run ?? []),
    [".ci/run"],
  );
  accessSync(join(ROOT, ".ci/run"), constants.X_OK);
  const actions = job.steps.flatMap(({ uses }) => uses ?? []);
  assert.deepEqual(
    actions.map((action) => action.replace(/@v\d+$/, "")),
    ["actions/checkout", "actions/cache"],
  );
  const checkout = job.steps.find(({ uses }) => uses?.startsWith("actions/checkout@"));
  assert.equal(checkout?.with?.["persist-credentials"], false);
  // A cache key of missing files would never change.
  const cache = job.steps.find(({ uses }) => uses?.startsWith("actions/cache@"));
  const [, hashed = ""] = /hashFiles\(([^)]*)\)/.exec(String(cache?.with?.key)) ?? [];
  const keys = Array.from(hashed.matchAll(/'([^']+)'/g), ([, path]) => path);
  assert.ok(keys.length > 0);
  for (const path of keys) assert.ok(existsSync(join(ROOT, path)), path);
});

interface Form {
  readonly name: string;
  readonly description: string;
  readonly body: readonly Field[];
}

interface Field {
  readonly type: string;
  readonly id?: string;
  readonly attributes: { readonly label?: string; readonly value?: string; readonly options?: readonly unknown[] };
}

/** GitHub's kinds of fields, and what each must have: https://docs.github.com/communities (form schema). */
const FIELDS: Readonly<Record<string, readonly (keyof Field["attributes"])[]>> = {
  markdown: ["value"],
  textarea: ["label"],
  input: ["label"],
  dropdown: ["label", "options"],
  checkboxes: ["label", "options"],
};

for (const name of ["bug_report", "feature_request"])
  test(`the form ${name} is valid for GitHub`, () => {
    const form = readYaml<Form>(`.github/ISSUE_TEMPLATE/${name}.yml`);
    assert.ok(form.name && form.description);
    const asked = form.body.filter(({ type }) => type !== "markdown");
    assert.ok(asked.length > 2);
    const ids = asked.map(({ id = "" }) => id);
    assert.equal(new Set(ids).size, ids.length, "each has an id of its own");
    for (const id of ids) assert.match(id, /^[\w-]+$/);
    for (const { type, id, attributes } of form.body)
      for (const key of FIELDS[type] ?? assert.fail(`${type} is no field`))
        assert.ok(attributes[key] !== undefined, `${id ?? type} has ${key}`);
  });

test("the changelog has its structure: Unreleased first, then a section for each version", () => {
  const lines = read("CHANGELOG.md").split("\n");
  assert.equal(lines[0], "# Changelog");
  const [first, ...versions] = lines.filter((line) => line.startsWith("## "));
  assert.equal(first, "## [Unreleased]");
  for (const version of versions) assert.match(version, /^## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$/);
  for (const kind of lines.filter((line) => line.startsWith("### ")))
    assert.match(kind, /^### (Added|Changed|Deprecated|Removed|Fixed|Security)$/);
});

/** The anchor that GitHub makes of a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(" ", "-");
}

test("every link from a page to a file or a heading has its target", () => {
  const anchors = (path: string) => new Set(Array.from(read(path).matchAll(/^#+ (.*)$/gm), ([, text]) => anchor(text)));
  for (const page of files([".md"]))
    for (const [, link] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [target, heading] = link.split("#");
      const path = target === "" ? page : join(dirname(page), target);
      assert.ok(existsSync(join(ROOT, path)), `${page}: ${link}`);
      if (heading !== undefined) assert.ok(anchors(path).has(heading), `${page}: ${link}`);
    }
});

test("the Node that runs it is the same everywhere: engines, .nvmrc, the launcher, the package node, the types", () => {
  interface Package {
    readonly engines: { readonly node: string };
    readonly devEngines: { readonly runtime: { readonly name: string; readonly version: string } };
    readonly devDependencies: Record<string, string>;
  }
  const { engines, devEngines, devDependencies } = JSON.parse(read("package.json")) as Package;
  const [, major, minor] = /^\^(\d+)\.(\d+)\.0$/.exec(engines.node) ?? [];
  assert.equal(read(".nvmrc"), `${major}\n`);
  const launcher = read("bin/tickgate.js");
  assert.ok(launcher.includes(`major === ${major} && minor >= ${minor}`));
  assert.ok(launcher.includes(`tickgate needs Node ${major}.${minor} or a later ${major}`));
  for (const name of ["node", "@types/node"]) assert.match(devDependencies[name], new RegExp(`^\\^${major}\\.`), name);
  // The Node that npm ci runs on, before it has installed the other one.
  const { name, version } = devEngines.runtime;
  assert.equal(name, "node");
  assert.match(version, /^>=\d+$/);
});

/** The API docs of the client library: built without a warning, with everything that the library exports. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TYPEDOC = fileURLToPath(new URL("bin/typedoc", import.meta.resolve("typedoc/package.json")));
const { scripts, exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
  exports: Record<string, string | { types: string }>;
};

/** A part of typedoc's JSON output. */
interface Reflection {
  readonly name: string;
  readonly children?: readonly Reflection[];
}

let folder: string;
let run: { status: number | null; output: string };
before(() => {
  folder = mkdtempSync(join(tmpdir(), "tickgate-docs-"));
  const [program, ...options] = scripts["docs:client"].split(" ");
  assert.equal(program, "typedoc");
  const targets = ["--out", join(folder, "html"), "--json", join(folder, "docs.json")];
  const { status, stdout, stderr } = spawnSync(process.execPath, [TYPEDOC, ...options, ...targets], {
    cwd: ROOT,
    encoding: "utf8",
  });
  run = { status, output: `${stdout}${stderr}` };
});
after(() => rmSync(folder, { recursive: true }));

/** What a module exports, types included, as its source has it. */
function exportsOf(path: string): string[] {
  const source = readFileSync(join(ROOT, path), "utf8");
  const declared = source.matchAll(/^export (?:abstract )?(?:class|interface|type|function|const) (\w+)/gm);
  const lists = source.matchAll(/^export (?:type )?\{([^}]*)\}/gm);
  return [
    ...Array.from(declared, ([, name]) => name),
    ...Array.from(lists, ([, names]) => names.split(",").map((name) => name.trim().replace("type ", ""))).flat(),
  ].filter((name) => name !== "");
}

test("they are built without an error or a warning", () => {
  assert.equal(run.status, 0, run.output);
  assert.doesNotMatch(run.output, /warning/);
  assert.ok(existsSync(join(folder, "html/index.html")));
});

test("each module that the package exports is in them, with everything that it exports", () => {
  const { children: modules = [] } = JSON.parse(readFileSync(join(folder, "docs.json"), "utf8")) as Reflection;
  const built = Object.entries(exports).filter((entry): entry is [string, { types: string }] => {
    return typeof entry[1] !== "string";
  });
  assert.deepEqual(
    modules.map(({ name }) => name).toSorted(),
    built.map(([path]) => path.replace(".", "tickgate")).toSorted(),
  );
  for (const [path, { types }] of built) {
    const source = types.replace("./dist/client/types/", "src/").replace(".d.ts", ".ts");
    const names = exportsOf(source);
    assert.ok(names.length > 0, source);
    const documented = modules.find(({ name }) => name === path.replace(".", "tickgate"))?.children ?? [];
    assert.deepEqual(documented.map(({ name }) => name).toSorted(), names.toSorted(), path);
  }
});

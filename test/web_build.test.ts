/** The output of `npm run build` for the watchlist. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildWeb, FIRST_LOAD_BUDGET } from "../scripts/build_web.ts";
import { readSite } from "../src/gateway/http/site.ts";

const SOURCE = fileURLToPath(new URL("../src/web", import.meta.url));

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tickgate-build-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function contents(path: string): Map<string, string> {
  const names = readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(names.toSorted().map((name) => [name.slice(path.length), readFileSync(name, "base64")]));
}

test("the same sources give identical files, and old files are deleted", async (t) => {
  const [first, second] = [join(folder(t), "web"), join(folder(t), "web")];
  await buildWeb(SOURCE, first);
  await buildWeb(SOURCE, second);
  await buildWeb(SOURCE, second);
  assert.deepEqual(contents(first), contents(second));
});

test("the page loads little at first, and the chart later; all of it is served", async (t) => {
  const target = join(folder(t), "web");
  const files = await buildWeb(SOURCE, target);
  const first = files.filter((file) => file.isFirst);
  assert.ok(first.reduce((sum, file) => sum + file.gzip, 0) <= FIRST_LOAD_BUDGET);
  assert.ok(!first.some((file) => file.name.includes("chart")));
  assert.ok(files.some((file) => file.name.includes("chart")));

  const index = readFileSync(join(target, "index.html"), "utf8");
  const linked = [...index.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
  const served = new Map(readSite(target)?.map((file) => [file.path, file]));
  for (const path of linked) assert.ok(served.get(path)?.isHashed, path);
  assert.ok(served.has("/"));
  for (const { path, bodies } of served.values())
    if (path.endsWith(".js") && bodies.at(-1)!.bytes.length > 512)
      assert.deepEqual(
        bodies.map((body) => body.encoding),
        ["br", "gzip", undefined],
        path,
      );
});

test("it needs nothing that the page's policy forbids, and has the licences", async (t) => {
  const target = join(folder(t), "web");
  await buildWeb(SOURCE, target);
  const index = readFileSync(join(target, "index.html"), "utf8");
  assert.doesNotMatch(index, /<script>|<style>|style=|https?:|onload=/);
  for (const name of readdirSync(join(target, "assets")).filter((name) => name.endsWith(".js")))
    assert.doesNotMatch(readFileSync(join(target, "assets", name), "utf8"), /new Function\(|[^.\w]eval\(/, name);
  const licenses = readFileSync(join(target, "licenses.txt"), "utf8");
  for (const name of ["lightweight-charts", "preact", "@tanstack/virtual-core"])
    assert.match(licenses, new RegExp(`^${name} \\d`, "m"), name);
});

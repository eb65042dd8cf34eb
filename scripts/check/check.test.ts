/** The rules for imports and comments, with files that follow them and files that break them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { longCommentLines } from "./comments.ts";
import { importedPaths, importProblems } from "./imports.ts";

test("imports, exports, types, dynamic imports and the files of workers are found, and packages are not", () => {
  const text = `import { a } from "../base/a.ts";
import type { B } from "./b.ts";
import "./c.ts";
export * from "./d.ts";
const e = await import("./e.ts");
type F = import("./f.ts").F;
const worker = new URL("./g.ts", import.meta.url);
import { pino } from "pino";
import { join } from "node:path";
import {
  h,
} from "../../h.ts";`;
  const found = importedPaths("src/log/log.ts", text);
  const inFolder = ["b", "c", "d", "e", "f", "g"].map((name) => `src/log/${name}.ts`);
  assert.deepEqual(found, ["src/base/a.ts", ...inFolder, "h.ts"]);
});

const ALLOWED: readonly [path: string, imported: string][] = [
  ["src/bus/redis/a.ts", "../../market/b.ts"],
  ["src/bus/redis/a.ts", "../memory.ts"],
  ["src/gateway/a.ts", "../bus/bus.ts"],
  ["src/command/watch/a.ts", "../../client/client.ts"],
  ["src/main.ts", "./command/a.ts"],
  ["src/web/grid/a.tsx", "../../client/client.ts"],
  ["src/web/grid/a.tsx", "../chart/b.tsx"],
  ["src/base/version.ts", "../../package.json"],
  ["src/base/a.test.ts", "../command/b.ts"],
  ["src/base/a.test.ts", "../../test/support/b.ts"],
  ["loadtest/a.ts", "../src/gateway/b.ts"],
];

const FORBIDDEN: readonly [path: string, imported: string][] = [
  ["src/base/a.ts", "../log/b.ts"],
  ["src/market/a.ts", "../bus/b.ts"],
  ["src/feed/a.ts", "../gateway/b.ts"],
  ["src/gateway/http/a.ts", "../../feed/b.ts"],
  ["src/gateway/a.ts", "../bus/redis/reader.ts"],
  ["src/gateway/a.ts", "../bus/memory.ts"],
  ["src/gateway/a.ts", "../admin/status/b.ts"],
  ["src/protocol/a.ts", "../settings/b.ts"],
  ["src/client/a.ts", "../settings/b.ts"],
  ["src/web/a.ts", "../protocol/b.ts"],
  ["src/command/a.ts", "../main.ts"],
  ["src/base/a.ts", "../../test/support/b.ts"],
  ["src/base/a.ts", "./b.test.ts"],
  ["loadtest/a.ts", "../test/support/b.ts"],
  ["scripts/a.ts", "../test/support/b.ts"],
];

for (const [path, imported] of ALLOWED)
  test(`${path} may import ${imported}`, () => {
    assert.deepEqual(importProblems(path, `import "${imported}";`), []);
  });

for (const [path, imported] of FORBIDDEN)
  test(`${path} may not import ${imported}`, () => {
    const [problem, ...others] = importProblems(path, `import type { B } from "${imported}";`);
    assert.ok(problem.startsWith(`${path} may not import `), problem);
    assert.deepEqual(others, []);
  });

test("a new folder of src/ must be listed with its allowed imports", () => {
  assert.equal(importProblems("src/new/a.ts", "").length, 1);
  assert.equal(importProblems("src/new.ts", "").length, 1);
});

test("comment lines have 120 characters at most; code, links and instructions to tools are not counted", () => {
  const fits = `// ${"x".repeat(117)}`;
  assert.equal(fits.length, 120);
  const lines = [
    fits,
    `${fits}x`,
    ` * ${fits}`,
    `/** ${fits} */`,
    `const a = 1; ${fits}`,
    `// https://${fits.replaceAll(" ", "")}`,
  ];
  assert.deepEqual(longCommentLines(lines.join("\n")), [2, 3, 4]);
  assert.deepEqual(longCommentLines(`// biome-ignore lint/style/x: ${fits}`), []);
  // Characters, not bytes.
  assert.deepEqual(longCommentLines(`// ${"é".repeat(117)}`), []);
});

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { LiveGateway } from "./gateway.testing.ts";

const DOCS = new URL("../../docs/", import.meta.url);

test("the first example of docs/client.md runs as it stands", async (t) => {
  const [, program] = /```ts\n(.*?)```/s.exec(readFileSync(new URL("client.md", DOCS), "utf8")) ?? [];
  assert.ok(program);
  const gateway = await LiveGateway.open();
  t.after(() => gateway.cut());
  gateway.tick("SIM:A", 10, 10.5);
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", program], {
    cwd: fileURLToPath(DOCS),
    env: { ...process.env, TICKGATE_URL: gateway.url },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const deadline = setTimeout(() => child.kill("SIGKILL"), 20_000);
  t.after(() => clearTimeout(deadline));
  assert.equal((await lines.next()).value, "SIM:A 10 10.5 seq 1 live");
  gateway.publisher.stale("silent");
  assert.equal((await lines.next()).value, "SIM:A stale silent");
  child.kill("SIGINT");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("the library imports nothing of Node's, and of the server only what is shared", () => {
  const folder = new URL("./", import.meta.url);
  const files = readdirSync(folder).filter((name) => /^[a-z]+\.ts$/.test(name));
  assert.ok(files.includes("client.ts"));
  const allowed = [/^\.\/[a-z]+\.ts$/, /^\.\.\/protocol\/(codes|messages)\.ts$/, /^\.\.\/(tick|backoff)\.ts$/];
  for (const file of files) {
    const text = readFileSync(new URL(file, folder), "utf8");
    for (const [, from] of text.matchAll(/\bfrom "([^"]+)"/g))
      assert.ok(
        allowed.some((pattern) => pattern.test(from)),
        `${file} imports ${from}`,
      );
    assert.doesNotMatch(text, /\b(NodeJS|Buffer|process|require)\b[.(]/, file);
  }
});

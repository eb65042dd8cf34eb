/** The publisher in Python, which knows docs/bus.md only: a gateway takes it in like any other. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { busSettings, TestGateway, until } from "./bus.testing.ts";
import { RedisServer, requireProgram } from "./redis_server.testing.ts";

/** A Python that has what the example needs, made in `dir` where this machine's own has not. */
function python(dir: string): string {
  requireProgram("python3", "apt-get install python3 python3-venv");
  const has = (program: string) => spawnSync(program, ["-c", "import redis, msgpack"]).status === 0;
  if (has("python3")) return "python3";
  const own = join(dir, "bin", "python3");
  spawnSync("python3", ["-m", "venv", dir]);
  const installed = spawnSync(own, ["-m", "pip", "install", "--quiet", "redis", "msgpack"], { encoding: "utf8" });
  if (!has(own)) throw new Error(`the example's modules are missing: pip install redis msgpack; ${installed.stderr}`);
  return own;
}

test("the example in Python is heard, and falls silent when it ends", async () => {
  const dir = mkdtempSync(join(tmpdir(), "tickgate-python-"));
  const server = await RedisServer.start();
  const gateway = new TestGateway(busSettings(server.url, { busShards: 32 }));
  const example = new URL("../../examples/publisher.py", import.meta.url).pathname;
  const symbols = Array.from({ length: 40 }, (_, index) => `PY:${index}-USD`);
  const publisher = spawn(python(dir), [example, server.url, ...symbols], { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  publisher.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  try {
    await gateway.started;
    await until("all symbols are here", () => gateway.table.knownCount === 40 || errors !== "");
    assert.equal(errors, "");
    const row = gateway.table.rowOf("PY:7-USD");
    const seq = gateway.table.seq[row];
    await until("they tick", () => gateway.table.seq[row] >= seq + 3);
    assert.ok(gateway.table.values[row * 10] > 50);
    assert.ok(Number.isNaN(gateway.table.values[row * 10 + 6]));
    assert.equal(gateway.counts.malformed + gateway.counts.gaps + gateway.counts.mismatched, 0);
    const late = new TestGateway(busSettings(server.url, { busShards: 32 }));
    await late.started;
    assert.equal(late.table.knownCount, 40);
    await late.close();
    const exited = once(publisher, "exit");
    publisher.kill();
    await exited;
    await until("they are silent", () => gateway.isSilent, 3_000);
  } finally {
    publisher.kill("SIGKILL");
    await gateway.close();
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});

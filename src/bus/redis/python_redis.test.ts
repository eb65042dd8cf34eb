/** The publisher in Python, which uses only docs/bus.md and its script: a gateway accepts it like any other. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { busSettings, TestGateway, until } from "../../../test/support/bus_bench.ts";
import { RedisServer } from "../../../test/support/redis_server.ts";
import { SETTINGS } from "../../settings/settings.ts";

/** A Python that has what the example needs: the first on the path, or Debian's. */
function python(): string {
  const has = (program: string) => spawnSync(program, ["-c", "import redis, msgpack"]).status === 0;
  const found = ["python3", "/usr/bin/python3"].find(has);
  if (!found) throw new Error("the example's modules are missing: apt-get install python3-redis python3-msgpack");
  return found;
}

test("the example in Python is heard, and falls silent when it ends", async () => {
  const server = await RedisServer.start();
  const gateway = new TestGateway(busSettings(server.url, { busShards: SETTINGS.busShards.default }));
  const example = new URL("../../../examples/publisher.py", import.meta.url).pathname;
  const symbols = Array.from({ length: 40 }, (_, index) => `PY:${index}-USD`);
  const publisher = spawn(python(), [example, server.url, ...symbols], { stdio: ["ignore", "ignore", "pipe"] });
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
    assert.ok(gateway.table.payload.values[row * 10] > 50);
    assert.ok(Number.isNaN(gateway.table.payload.values[row * 10 + 6]));
    assert.equal(gateway.counts.malformed.total + gateway.counts.gaps + gateway.counts.mismatched, 0);
    const late = new TestGateway(busSettings(server.url, { busShards: SETTINGS.busShards.default }));
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
  }
});

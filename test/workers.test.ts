/** `tickgate gateway --workers N`: several processes on one port that act as one. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import type { NodeReport } from "../src/admin/status/report.ts";
import { polled, runTickgate, ServerProcess } from "./support/gateway_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { assertReport } from "./support/status_schema.ts";
import { WireClient } from "./support/wire_client.ts";

let redis: RedisServer;
let feed: ServerProcess;

before(async () => {
  redis = await RedisServer.start();
  feed = await ServerProcess.open(
    "feed",
    "--redis-url",
    redis.url,
    "--admin-port",
    "0",
    "--feed",
    "sim:?symbols=20&rate=500",
  );
});

after(async () => {
  feed.signal("SIGTERM");
  await feed.ended();
  await redis.stop();
});

function openWorkers(): Promise<ServerProcess> {
  return ServerProcess.open("gateway", "--workers", "2", "--redis-url", redis.url, "--port", "0", "--admin-port", "0");
}

async function pageOf(workers: ServerProcess): Promise<string> {
  return (await workers.admin("/metrics")).text();
}

/** The processes of the workers, by number, from the metrics page. */
function connectionsOf(page: string): Map<string, number> {
  return new Map(
    Array.from(page.matchAll(/^tickgate_connections\{worker="(\d+)"\} (\d+)$/gm), ([, worker, count]) => [
      worker,
      Number(count),
    ]),
  );
}

/** The processes that a process has started. */
function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.split(" ").filter(Boolean).map(Number);
}

test("clients are spread over the workers, each gets prices, and one scrape shows them all", async (t) => {
  const workers = await openWorkers();
  t.after(() => workers.signal("SIGKILL"));
  await polled(
    async () => (await workers.admin("/readyz")).status,
    (status) => status === 200,
    "readiness",
  );
  const clients = await Promise.all(Array.from({ length: 24 }, () => WireClient.open(workers.url)));
  for (const client of clients) client.say({ op: "subscribe", symbols: ["SIM:*"] });
  for (const client of clients) await client.until(() => client.ticks.length > 20, "prices");

  const page = await pageOf(workers);
  const connections = connectionsOf(page);
  assert.deepEqual([...connections.keys()].sort(), ["1", "2"]);
  assert.equal(
    [...connections.values()].reduce((sum, count) => sum + count),
    24,
  );
  assert.ok(
    [...connections.values()].every((count) => count > 0),
    "the kernel spreads 24 connections",
  );
  assert.match(page, /^tickgate_workers\{worker="supervisor"\} 2$/m);
  // The names of Node's own metrics are given.
  const own = page.split("\n").filter((line) => /^(# (HELP|TYPE) )?tickgate_/.test(line));
  execFileSync("promtool", ["check", "metrics"], { input: `${own.join("\n")}\n` });

  workers.signal("SIGTERM");
  for (const client of clients) {
    assert.equal((await client.heard("bye")).code, 1012);
    assert.equal((await client.untilClosed()).code, 1012);
  }
  assert.equal((await workers.ended()).code, 0);
});

test("/status shows their sums, and each of them", async (t) => {
  const workers = await openWorkers();
  t.after(() => workers.signal("SIGKILL"));
  const clients = await Promise.all(Array.from({ length: 6 }, () => WireClient.open(workers.url)));
  for (const client of clients) await client.subscribe(["SIM:*"]);
  const status = async () => {
    const report: unknown = await (await workers.admin("/status.json")).json();
    assertReport(report);
    return report;
  };
  const is = ({ workers: each, feeds }: NodeReport) =>
    each.every(({ unready }) => unready === null) && (feeds[0]?.heard?.ticks ?? 0) > 0;
  const report = await polled(status, is, "the feed at each worker");
  assert.equal(report.gateway?.connections, 6);
  assert.equal(report.gateway?.clients.length, 6);
  assert.deepEqual(
    report.workers.map(({ worker, unready }) => [worker, unready]),
    [
      [1, null],
      [2, null],
    ],
  );
  assert.equal(
    report.workers.reduce((sum, { connections }) => sum + connections, 0),
    6,
  );
  const [one] = report.workers;
  process.kill(one.pid, "SIGSTOP");
  t.after(() => process.kill(one.pid, "SIGCONT"));
  const partial = await status();
  assert.equal(partial.workers[0].unready, "does not run, or does not answer");
  assert.equal(partial.workers[1].unready, null);
});

test("a killed worker is restarted; the others' clients are not affected", async (t) => {
  const workers = await openWorkers();
  t.after(() => workers.signal("SIGKILL"));
  const clients = await Promise.all(Array.from({ length: 24 }, () => WireClient.open(workers.url)));
  const [victim, survivor] = childrenOf(workers.pid);
  process.kill(victim, "SIGKILL");
  const restarted = async () =>
    /^tickgate_worker_restarts_total\{worker="supervisor"\} 1$/m.test(await pageOf(workers));
  await polled(restarted, Boolean, "the restart to be counted");
  await polled(
    async () => connectionsOf(await pageOf(workers)).size,
    (size) => size === 2,
    "both workers",
  );
  const children = childrenOf(workers.pid);
  assert.ok(children.includes(survivor) && !children.includes(victim) && children.length === 2);
  assert.ok(clients.some((client) => client.closed) && clients.some((client) => !client.closed));
  workers.signal("SIGTERM");
  assert.equal((await workers.ended()).code, 0);
});

test("workers end when their supervisor is killed", async () => {
  const workers = await openWorkers();
  const children = childrenOf(workers.pid);
  assert.equal(children.length, 2);
  workers.signal("SIGKILL");
  const living = async () => children.filter((pid) => isAlive(pid)).length;
  await polled(living, (count) => count === 0, "the workers to end");
});

test("a port in use is one line and exit code 2, before any worker", async (t) => {
  const blocker = createServer().listen(0, "127.0.0.1");
  await once(blocker, "listening");
  t.after(() => blocker.close());
  const { port } = blocker.address() as { port: number };
  const args = ["gateway", "--workers", "2", "--redis-url", redis.url, "--port", String(port), "--admin-port", "0"];
  const { code, stderr } = await runTickgate(...args);
  assert.equal(code, 2);
  assert.match(stderr, new RegExp(`^tickgate: cannot listen on 127\\.0\\.0\\.1:${port} .*in use.*\n$`));
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

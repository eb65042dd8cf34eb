/** The log of real processes: its lines, its secrets, and a log that is not read. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { EVENT_LIMIT } from "../src/log/rate_limited_log.ts";
import { GatewayProcess, polled, runTickgate } from "./support/gateway_process.ts";
import { frame, RawSocket } from "./support/raw_socket.ts";
import { WireClient } from "./support/wire_client.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MAIN = `${ROOT}src/main.ts`;

type Line = Readonly<Record<string, unknown>>;

/** The lines of a process's log; each must be one JSON object. */
function linesOf(stderr: string): Line[] {
  return stderr
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** Starts `tickgate all` with a standard error of the test's own. */
function start(t: TestContext, stderr: "pipe" | number, ...args: string[]): ChildProcess {
  const own = ["all", "--port", "0", "--admin-port", "0", "--feed", "sim:?symbols=10&rate=100", "--log-level", "debug"];
  const child = spawn(process.execPath, [MAIN, ...own, ...args], { stdio: ["ignore", "pipe", stderr] });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

/** The addresses that a process prints. */
async function addresses(child: ChildProcess): Promise<{ port: number; adminPort: number }> {
  let port = 0;
  for await (const line of createInterface(child.stdout as Readable)) {
    const [, name, found] = /^ +(stream|metrics) +\w+:\/\/[^/]+:(\d+)\//.exec(line) ?? [];
    if (name === "stream") port = Number(found);
    if (name === "metrics") return { port, adminPort: Number(found) };
  }
  throw new Error("the process did not say where it is");
}

test("start, end, closed and refused clients are a line each, and clients cannot flood the log", async (t) => {
  const gateway = await GatewayProcess.open("--node", "gateway1", "--origin", "https://ours.example");
  t.after(() => gateway.close());
  const origin = "https://theirs.example";
  for (let count = 0; count < 30; count++) await WireClient.refused(gateway.url, { origin });
  const raw = await RawSocket.open(gateway.port, "tickgate.v1.json");
  for (let count = 0; count < 40; count++) raw.socket.write(frame(1, "nonsense"));
  await raw.untilClosed();
  gateway.signal("SIGTERM");
  const { code, stderr } = await gateway.ended();
  assert.equal(code, 0);
  const lines = linesOf(stderr);
  const said = (message: string) => lines.filter(({ msg }) => msg === message);
  for (const line of lines) assert.equal(line.node, "gateway1");
  const [started] = said("started");
  assert.deepEqual([started.port, started.adminPort], [gateway.port, gateway.adminPort]);
  for (const message of ["ready", "draining", "stopped"]) assert.equal(said(message).length, 1, message);

  const refusals = said("refusing a connection");
  assert.equal(refusals.length, EVENT_LIMIT.lines);
  assert.deepEqual([refusals[0].reason, refusals[0].address], ["origin", "127.0.0.1"]);
  const [closing] = said("closing a connection");
  assert.deepEqual([closing.code, closing.address, typeof closing.session], [4400, "127.0.0.1", "string"]);
  assert.deepEqual(
    said("and more of these").map(({ of, more }) => [of, more]),
    [["refusing a connection", 30 - EVENT_LIMIT.lines]],
  );
});

test("a process continues when its log and output are not read, or the disk is full", async (t) => {
  const piped = start(t, "pipe");
  const full = start(t, openSync("/dev/full", "w"));
  for (const child of [piped, full]) {
    const { port, adminPort } = await addresses(child);
    child.stdout?.destroy();
    child.stderr?.destroy();
    const url = `ws://127.0.0.1:${port}/v1/stream`;
    for (let count = 0; count < 10; count++) {
      const client = new WireClient(url, { protocols: ["nothing.known"] });
      await client.until(() => client.refused !== undefined, "a refusal, which is logged");
    }
    const client = await WireClient.open(url);
    await client.subscribe(["SIM:*"]);
    await client.tick(() => true, "prices");
    client.close();
    assert.equal((await fetch(`http://127.0.0.1:${adminPort}/healthz`)).status, 200);
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    const [code, signal] = await ended;
    assert.deepEqual([code, signal], [0, null]);
  }
});

test("the messages that the operations page lists are the ones that are logged", () => {
  const page = readFileSync(`${ROOT}docs/operations.md`, "utf8");
  const [, section] = page.split("\n## Logs\n");
  const lists = section.match(/^- `.*\n(?: {2}.*\n)*/gm) ?? [];
  const quoted = lists.flatMap((text) => text.match(/`[^`]+`/g) ?? []).map((text) => text.slice(1, -1));
  const listed = quoted.filter((text) => !text.startsWith("--"));
  assert.ok(listed.length > 15, `${listed.length} messages`);
  const files = readdirSync(`${ROOT}src`, { recursive: true, encoding: "utf8" });
  const sources = files.filter((file) => /(?<!\.test|\.testing)\.ts$/.test(file));
  const code = sources.map((file) => readFileSync(`${ROOT}src/${file}`, "utf8")).join("\n");
  for (const message of listed) assert.ok(code.includes(`"${message}"`), message);
});

test("secrets are in no line, whatever fails", { timeout: 60_000 }, async (t) => {
  const secrets = ["hunter2", "feed-token", "venue-login"];
  const child = start(
    t,
    "pipe",
    ...["--log-level", "trace", "--redis-url", "redis://app:hunter2@127.0.0.1:1"],
    ...["--feed", "binance:BTCUSDT?url=ws%3A%2F%2Fme%3Avenue-login%40127.0.0.1%3A1%2F%3Ftoken%3Dfeed-token"],
  );
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (text += chunk));
  await polled(
    async () => text,
    (said) => said.includes("Redis is not reachable") && said.includes("connection lost") && said.includes("binance"),
    "failures of Redis and the venue",
  );
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
  for (const secret of secrets) assert.ok(!text.includes(secret), text);

  const dir = mkdtempSync(join(tmpdir(), "tickgate-log-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const [badConfig, worseConfig] = [join(dir, "bad.json"), join(dir, "worse.json")];
  writeFileSync(badConfig, '{"redis-password": hunter2}');
  writeFileSync(worseConfig, '{"redis-password": "hunter2" "port": 1}');
  for (const args of [
    ["gateway", "--redis-url", "redis://:hunter2@h ost"],
    ["gateway", "--redis-url", "http://:hunter2@host"],
    ["gateway", "--redis-url", "redis://u:1/hunter2@host"],
    ["gateway", "--redis-url", "redis://u:hunter2/1@host"],
    ["gateway", "--redis-url", "redis://u:x?hunter2=1@host"],
    ["gateway", "redis://u:x/hunter2?@host"],
    ["gateway", "--config", badConfig],
    ["gateway", "--config", worseConfig],
    ["feed", "--redis-url", "redis://a:1", "--feed", "binance:X?url=http://me:venue-login@h/?token=feed-token"],
  ]) {
    const { code, stderr, stdout } = await runTickgate(...args);
    assert.equal(code, 2, stderr);
    for (const secret of secrets) assert.ok(!`${stdout}${stderr}`.includes(secret), stderr);
  }
});

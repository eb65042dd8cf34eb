/**
 * The report of a node at /status, and `tickgate top`, while something is wrong.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { problemsOf } from "../src/admin/status/problems.ts";
import type { NodeReport } from "../src/admin/status/report.ts";
import { GatewayProcess, polled, runTickgate, ServerProcess } from "./support/gateway_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { SlowLink } from "./support/slow_link.ts";
import { assertReport } from "./support/status_schema.ts";
import { WireClient } from "./support/wire_client.ts";

async function statusOf(server: ServerProcess): Promise<NodeReport> {
  const response = await server.admin("/status.json");
  assert.equal(response.headers.get("content-type"), "application/json; charset=utf-8");
  const report: unknown = await response.json();
  assertReport(report);
  return report;
}

/** Waits until a node's report is as expected. */
function told(server: ServerProcess, is: (report: NodeReport) => boolean, what: string): Promise<NodeReport> {
  return polled(() => statusOf(server), is, what);
}

function texts(report: NodeReport): string[] {
  return problemsOf(report).map(({ text }) => text);
}

async function top(...servers: ServerProcess[]) {
  return runTickgate("top", "--once", ...servers.map(({ adminPort }) => `127.0.0.1:${adminPort}`));
}

/** A market that moves until the test is over. */
function pump(t: TestContext, gateway: GatewayProcess): void {
  const symbols = Array.from({ length: 300 }, (_, index) => `V:${index}`);
  let price = 0;
  const beat = () => {
    price++;
    gateway.ticks(symbols.map((symbol) => ({ symbol, bid: price, ask: price + 1, last: price })));
  };
  beat();
  const timer = setInterval(beat, 100);
  t.after(() => clearInterval(timer));
}

/** A client through the balancer, with the header of its address. */
async function visit(t: TestContext, url: string, address: string, agent: string): Promise<WireClient> {
  const headers = { "X-Forwarded-For": address, "User-Agent": agent };
  const client = await WireClient.open(url, "tickgate.v1.json", { headers });
  t.after(() => client.close());
  await client.subscribe(["V:*"], { interval: 100 });
  return client;
}

test("a slow client among healthy ones is named: address, user agent, how far behind, and why", {
  timeout: 60_000,
}, async (t) => {
  const gateway = await GatewayProcess.open("--trusted-proxy", "127.0.0.1", "--node", "gateway1");
  t.after(() => gateway.close());
  pump(t, gateway);
  await gateway.known("V:299");
  for (let index = 1; index <= 5; index++) await visit(t, gateway.url, `203.0.113.${index}`, "healthy/1.0");
  const link = await SlowLink.open(gateway.port, 10_000);
  t.after(() => link.close());
  await visit(t, link.url, "198.51.100.7", "acme <terminal>/3.1");

  // On a busy machine any client is behind for a moment.
  const isNamed = ({ gateway }: NodeReport) => {
    const [first] = gateway?.clients ?? [];
    return first?.address === "198.51.100.7" && /^client: reads .*B\/s/.test(first.why);
  };
  const report = await told(gateway, isNamed, "the slow client to be the first");
  const [slowest, ...others] = report.gateway!.clients;
  assert.equal(slowest.agent, "acme <terminal>/3.1");
  assert.ok(slowest.behind > 100, `${slowest.behind} ms behind`);
  assert.ok(slowest.reads! > 2_000 && slowest.reads! < 50_000, `reads ${slowest.reads} bytes a second`);
  assert.equal(others.length, 5);
  assert.deepEqual(new Set(others.map(({ agent }) => agent)), new Set(["healthy/1.0"]));
  assert.ok(texts(report).some((text) => /slow.*198\.51\.100\.7 \(acme <terminal>\/3\.1\)/.test(text)));

  const page = await gateway.admin("/status", { Accept: "text/html,application/xhtml+xml" });
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'none'/);
  const html = await page.text();
  assert.ok(html.includes("198.51.100.7") && html.includes("acme &lt;terminal&gt;/3.1"));
  assert.equal((await gateway.admin("/status.js")).headers.get("content-type"), "text/javascript; charset=utf-8");

  const { stdout } = await polled(
    () => top(gateway),
    ({ code, stdout }) => code === 0 && /^ ! gateway1: .*slow.*198\.51\.100\.7 \(acme <terminal>\/3\.1\)/m.test(stdout),
    "top to name the slow client",
  );
  const rows = stdout.slice(stdout.indexOf("clients, by behind")).split("\n");
  assert.match(rows[2], /198\.51\.100\.7 +acme <terminal>\/3\.1 +client: /);
});

test("the nodes report a feed that has stopped, and a Redis that does not answer", { timeout: 60_000 }, async (t) => {
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  const own = ["--redis-url", redis.url, "--admin-port", "0"];
  const feed = await ServerProcess.open("feed", ...own, "--node", "feed1", "--feed", "sim:?symbols=20&rate=500");
  t.after(() => feed.close());
  const gateway = await ServerProcess.open("gateway", ...own, "--node", "gateway1", "--port", "0");
  t.after(() => gateway.close());
  const client = await WireClient.open(gateway.url);
  t.after(() => client.close());
  await client.subscribe(["SIM:*"]);

  const leading = await told(feed, ({ feeds }) => (feeds[0].published?.ticks ?? 0) > 400, "the feed to tick");
  assert.deepEqual([leading.node, leading.gateway, leading.feeds[0].heard], ["feed1", null, null]);
  assert.equal(leading.feeds[0].published?.role, "leading");
  const well = await told(gateway, ({ feeds }) => (feeds[0]?.heard?.ticks ?? 0) > 300, "the gateway to hear the feed");
  assert.equal(well.feeds[0].heard?.epoch, leading.feeds[0].published?.epoch);
  assert.ok(well.feeds[0].heard!.shards.every(({ batch, age }) => batch > 0 && age < 5_000));
  assert.deepEqual([well.redis?.connected, well.unready], [true, null]);
  const both = await top(gateway, feed);
  assert.match(both.stdout, /^sim +feed1 +leading +connected/m);
  assert.match(both.stdout, /^sim +gateway1 +heard/m);

  feed.signal("SIGSTOP");
  const deaf = await told(gateway, ({ feeds }) => (feeds[0].heard?.stale ?? 0) === 20, "the symbols to be stale");
  assert.ok(
    texts(deaf).some((text) => text.startsWith("feed sim: nothing heard")),
    `${texts(deaf)}`,
  );
  const silent = await top(gateway, feed);
  assert.match(silent.stdout, /^!! gateway1: feed sim: nothing heard/m);
  assert.match(silent.stdout, /has not answered for .*: no answer within 2 s$/m, "a process that hangs");
  feed.signal("SIGCONT");
  await told(gateway, (report) => texts(report).length === 0, "all to be well again");

  await redis.kill();
  const lost = await told(gateway, ({ redis }) => redis?.connected === false, "Redis to be missed");
  assert.match(lost.unready ?? "", /^Redis is not connected/);
  assert.ok(texts(lost)[0].startsWith("not ready: Redis is not connected"));
  const waiting = await told(feed, ({ redis }) => redis?.connected === false, "the feed to miss Redis");
  assert.ok(texts(waiting).some((text) => text.includes("Redis")));
});

test("on a terminal top restores the screen, and reacts to its keys", async (t) => {
  const gateway = await GatewayProcess.open("--node", "gateway1");
  t.after(() => gateway.close());
  const client = await WireClient.open(gateway.url);
  t.after(() => client.close());
  const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
  const command = `stty cols 100 rows 20; exec '${process.execPath}' '${main}' top 127.0.0.1:${gateway.adminPort}`;
  const child = spawn("script", ["-qefc", command, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, TERM: "xterm", SHELL: "/bin/sh" },
  });
  t.after(() => child.kill("SIGKILL"));
  let shown = "";
  child.stdout.on("data", (text) => (shown += text));
  const shows = (text: string) =>
    polled(
      async () => shown,
      (all) => all.includes(text),
      text,
    );
  await shows("1 client, by behind");
  assert.ok(shown.includes("\x1b[?1049h") && shown.includes("1 node: all is well"));
  child.stdin.write("s");
  await shows("1 client, by trip");
  const ended = once(child, "close");
  child.stdin.write("\x1b[B\x1b[Aq");
  const [code] = await ended;
  assert.equal(code, 0);
  assert.ok(shown.endsWith("\x1b[?7h\x1b[?25h\x1b[?1049l"), JSON.stringify(shown.slice(-80)));
});

test("when no node answers, top says so in one line for each, with exit code 1", async () => {
  const { code, stdout, stderr } = await runTickgate("top", "127.0.0.1:1", "http://127.0.0.1:2/status");
  assert.deepEqual([code, stdout], [1, ""]);
  const lines = stderr.trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => /^tickgate: (http:\/\/127\.0\.0\.1:\d): \S/.exec(line)?.[1]),
    ["http://127.0.0.1:1", "http://127.0.0.1:2"],
  );
  const wrong = await runTickgate("top", "no such address");
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /^tickgate: "no such address" is no address of an admin port/);
});

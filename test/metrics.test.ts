/**
 * The metrics page of every kind of process: Prometheus' conventions, the labels, and the names as the manual has them.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { type TestContext, test } from "node:test";
import { STAGES } from "../src/gateway/counts.ts";
import { CHANNELS } from "../src/protocol/messages.ts";
import { AgeClient } from "./support/age_client.ts";
import { read } from "./support/compose.ts";
import { GatewayProcess, polled, ServerProcess } from "./support/gateway_process.ts";
import { Scrape } from "./support/metrics_page.ts";
import { RedisServer, requireProgram } from "./support/redis_server.ts";
import { WireClient } from "./support/wire_client.ts";

/** The allowed labels: none whose values grow with symbols or clients. */
const LABELS = new Set(["stage", "feed", "reason", "by", "code", "worker", "le", "role", "channel"]);
/** Prometheus' program that checks a page; part of its package. */
const LINTER = "promtool";

async function pageOf(process: ServerProcess): Promise<string> {
  const response = await process.admin("/metrics");
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  return response.text();
}

/** A feed, a gateway, and a gateway of two workers, and their pages once everything has been received. */
async function openPages(t: TestContext): Promise<{ feed: string; gateway: string; workers: string }> {
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  const bus = ["--redis-url", redis.url, "--admin-port", "0"];
  const processes = await Promise.all([
    ServerProcess.open("feed", ...bus, "--feed", "sim:?symbols=20&rate=1000"),
    ServerProcess.open("gateway", ...bus, "--port", "0"),
    ServerProcess.open("gateway", ...bus, "--port", "0", "--workers", "2"),
  ]);
  t.after(() => Promise.all(processes.map((process) => process.close())));
  const heard = async () => {
    const [, ...gateways] = await Promise.all(processes.map(pageOf));
    const isHeard = (page: string) =>
      page.includes("tickgate_feed_clock_skew_seconds{") && !/^tickgate_ready.* 0$/m.test(page);
    return gateways.every(isHeard);
  };
  await polled(heard, (isHeard) => isHeard, "the feed's ticks");
  const [feed, gateway, workers] = await Promise.all(processes.map(pageOf));
  return { feed, gateway, workers };
}

function namesOf(page: string): Set<string> {
  return new Set(Array.from(page.matchAll(/^# TYPE (\S+) /gm), ([, name]) => name));
}

test("the pages follow Prometheus' conventions, have a help text each, and docs/operations.md names no other", async (t) => {
  requireProgram(LINTER, "apt-get install prometheus");
  const pages = await openPages(t);
  const all = new Set<string>();
  for (const [kind, page] of Object.entries(pages)) {
    const { stdout, stderr } = spawnSync(LINTER, ["check", "metrics"], { input: page, encoding: "utf8" });
    assert.equal(stdout + stderr, "", kind);
    for (const [, labels] of page.matchAll(/^tickgate_\w+\{(.*)\} /gm))
      for (const [, label] of labels.matchAll(/(\w+)="/g)) assert.ok(LABELS.has(label), `${kind}: ${label}`);
    for (const name of namesOf(page)) {
      if (name.startsWith("tickgate_")) all.add(name);
      assert.match(page, new RegExp(`^# HELP ${name} \\S`, "m"), name);
    }
  }
  const [manual] = /^## Metrics$.*?^## /ms.exec(read("docs/operations.md")) ?? [""];
  const told = new Set(manual.match(/\btickgate_\w+/g));
  assert.deepEqual(
    [...told].filter((name) => !all.has(name)),
    [],
    "not on a page",
  );
});

test("each worker has its samples, and known label values begin at 0", async (t) => {
  const { workers, gateway } = await openPages(t);
  const [page, single] = [new Scrape(workers), new Scrape(gateway)];
  for (const worker of ["1", "2"]) {
    for (const stage of STAGES) {
      assert.equal(page.value("tickgate_tick_stage_seconds_count", { stage, worker }), 0);
      assert.equal(page.value("tickgate_tick_stage_seconds_bucket", { stage, worker, le: "0.0001" }), 0);
    }
    assert.ok(page.value("tickgate_bus_transit_seconds_count", { feed: "sim", worker }) > 0);
    assert.equal(page.value("tickgate_ready", { worker }), 1);
  }
  assert.equal(page.value("tickgate_workers", { worker: "supervisor" }), 2);
  for (const by of ["interval", "server", "client"])
    assert.equal(single.value("tickgate_ticks_conflated_total", { by }), 0);
  for (const channel of CHANNELS) assert.equal(single.value("tickgate_channel_ticks_out_total", { channel }), 0);
  for (const reason of ["tooSlow", "restarting", "client"])
    assert.equal(single.value("tickgate_closes_total", { reason }), 0);
});

test("closed connections are counted by their cause", async (t) => {
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  gateway.tick("A", { bid: 1 });
  const closes = async (reason: string) =>
    (await Scrape.of(`http://127.0.0.1:${gateway.adminPort}`)).value("tickgate_closes_total", { reason });
  const client = new AgeClient(gateway.url, ["A"], 100);
  await client.served;
  client.close();
  await polled(
    () => closes("client"),
    (count) => count === 1,
    "the client's close",
  );
  for (const reason of ["restarting", "tooSlow"]) assert.equal(await closes(reason), 0);
});

test("ticks sent are counted by channel, broadcast or not; bars of all resolutions together", async (t) => {
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  const client = await WireClient.open(gateway.url);
  t.after(() => client.close());
  const page = () => Scrape.of(`http://127.0.0.1:${gateway.adminPort}`);
  for (const interval of [0, 1])
    for (const command of [{}, { channel: "trade" }, { channel: "book" }] as const)
      client.say({ op: "subscribe", symbols: [interval === 0 ? "A" : "B"], interval, ...command });
  for (const resolution of ["1s", "1m"] as const)
    client.say({ op: "subscribe", symbols: ["A"], channel: "bar", resolution });
  let id = 0;
  const all = await polled(
    async () => {
      for (const symbol of ["A", "B"]) {
        gateway.tick(symbol, { bid: ++id });
        const book = { bids: [[id, 1]], asks: [] };
        gateway.ticks([
          { symbol, trade: { price: id, size: 1, side: "buy", id } },
          { symbol, book },
        ]);
      }
      return page();
    },
    (scrape) =>
      CHANNELS.every((channel) => scrape.value("tickgate_channel_ticks_out_total", { channel }) > 10) &&
      scrape.value("tickgate_ticks_broadcast_total") > 0,
    "ticks of all channels",
  );
  const counts = CHANNELS.map((channel) => all.value("tickgate_channel_ticks_out_total", { channel }));
  assert.equal(
    counts.reduce((total, count) => total + count, 0),
    all.value("tickgate_ticks_out_total"),
  );
});

test("--no-metrics serves no metrics, and still prices", async (t) => {
  const gateway = await GatewayProcess.open("--no-metrics");
  t.after(() => gateway.close());
  assert.equal(await pageOf(gateway), "# Metrics are off (--no-metrics).\n");
  gateway.tick("A", { bid: 1 });
  const client = new AgeClient(gateway.url, ["A"], 0);
  t.after(() => client.close());
  await client.served;
  client.begin();
  await polled(
    async () => {
      gateway.tick("A", { bid: 2 });
      return client.ages.length;
    },
    (count) => count > 0,
    "a tick",
  );
});

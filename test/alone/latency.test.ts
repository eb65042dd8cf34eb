/**
 * The stages of a tick's age in real processes, compared with the measurements of clients. All run on one machine with
 * one clock, and the machine affects both measurements alike, so they are compared with each other and not with a
 * limit.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SystemClock } from "../../src/base/clock.ts";
import { STAGES } from "../../src/gateway/counts.ts";
import { AgeClient } from "../support/age_client.ts";
import { polled, ServerProcess } from "../support/gateway_process.ts";
import { merged, quantileBucket, Scrape } from "../support/metrics_page.ts";
import { RedisProxy } from "../support/redis_proxy.ts";
import { RedisServer } from "../support/redis_server.ts";
import { SlowLink } from "../support/slow_link.ts";

const SYMBOLS = Array.from({ length: 100 }, (_, index) => `V:${index}`);
/** The time before the measurement, and its length, ms: pings are at most two seconds apart. */
const WARM = 4_500;
const MEASURED = 16_000;

const clock = new SystemClock();

type Stage = (typeof STAGES)[number];

/** A feed process whose lines the test writes. */
class Feed extends ServerProcess {
  /** The age of ticks by their event time when they are written, microseconds. */
  delay = 0;
  #timer: NodeJS.Timeout | undefined;
  #round = 0;

  static override async open(redisUrl: string): Promise<Feed> {
    const feed = new Feed(["feed", "--redis-url", redisUrl, "--feed", "ndjson:-?name=pump", "--admin-port", "0"]);
    await feed.untilListening();
    return feed;
  }

  /** Every symbol ticks at an interval, ms, at different times. */
  pump(every: number): void {
    const PARTS = 10;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      const part = this.#round++ % PARTS;
      let lines = "";
      for (let index = part; index < SYMBOLS.length; index += PARTS)
        lines += `${JSON.stringify({ symbol: SYMBOLS[index], time: clock.micros() - this.delay, last: this.#round })}\n`;
      this.input.write(lines);
    }, every / PARTS);
  }

  override async close(): Promise<void> {
    clearInterval(this.#timer);
    await super.close();
  }
}

function gateway(redisUrl: string): Promise<ServerProcess> {
  return ServerProcess.open("gateway", "--redis-url", redisUrl, "--port", "0", "--admin-port", "0");
}

async function start(t: TestContext): Promise<{ redis: RedisServer; feed: Feed }> {
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  const feed = await Feed.open(redis.url);
  t.after(() => feed.close());
  feed.pump(50);
  return { redis, feed };
}

/** Waits until the gateway has had a tick of every symbol. */
async function whole(process: ServerProcess): Promise<void> {
  const symbols = async () => (await Scrape.of(adminOf(process))).value("tickgate_symbols") === SYMBOLS.length;
  await polled(symbols, (isWhole) => isWhole, "all symbols to be known");
}

async function join(t: TestContext, url: string, intervals: readonly number[]): Promise<AgeClient[]> {
  const clients = intervals.map((interval) => new AgeClient(url, SYMBOLS, interval));
  t.after(() => {
    for (const client of clients) client.close();
  });
  await Promise.all(clients.map((client) => client.served));
  return clients;
}

const adminOf = (process: ServerProcess) => `http://127.0.0.1:${process.adminPort}`;

/** Seconds of each stage, the mean of the ticks that arrived meanwhile; and of their whole age. */
async function measure(process: ServerProcess, millis = MEASURED): Promise<Record<Stage | "age", number>> {
  await sleep(WARM);
  const before = await Scrape.of(adminOf(process));
  await sleep(millis);
  const after = await Scrape.of(adminOf(process));
  const age = after.histogram(before, "tickgate_tick_age_seconds");
  assert.ok(age.count > 0, "ticks were confirmed");
  const means = STAGES.map((stage) => {
    const { sum, count } = after.histogram(before, "tickgate_tick_stage_seconds", { stage });
    assert.equal(count, age.count, stage);
    return [stage, sum / count] as const;
  });
  return { ...(Object.fromEntries(means) as Record<Stage, number>), age: age.sum / age.count };
}

const milli = (seconds: number) => Math.round(seconds * 10_000) / 10;

test("stages add up to the age, and clients measure the same age", {
  timeout: 120_000,
}, async (t) => {
  const { redis } = await start(t);
  const gateways = await Promise.all([gateway(redis.url), gateway(redis.url)]);
  t.after(() => Promise.all(gateways.map((one) => one.close())));
  await Promise.all(gateways.map(whole));
  const clients: AgeClient[] = [];
  for (const one of gateways) clients.push(...(await join(t, one.url, [0, 50, 100, 100, 250, 1_000])));
  await sleep(WARM);
  const before = await Promise.all(gateways.map((one) => Scrape.of(adminOf(one))));
  for (const client of clients) client.begin();
  await sleep(MEASURED);
  const own = clients.flatMap(({ ages }) => ages).sort((a, b) => a - b);
  const after = await Promise.all(gateways.map((one) => Scrape.of(adminOf(one))));
  const all = (name: string, labels = {}) =>
    merged(after.map((scrape, index) => scrape.histogram(before[index], name, labels)));
  const age = all("tickgate_tick_age_seconds");
  const stages = STAGES.map((stage) => all("tickgate_tick_stage_seconds", { stage }));
  const sum = stages.reduce((total, stage) => total + stage.sum, 0);
  const shown = STAGES.map((stage, index) => `${stage} ${milli(stages[index].sum / age.count)}`);
  t.diagnostic(`means, ms: ${shown.join(", ")}; age ${milli(age.sum / age.count)}`);
  assert.ok(Math.abs(sum - age.sum) <= 0.01 * age.sum, `${sum} instead of ${age.sum}`);

  const sent = after.reduce(
    (total, scrape, index) => total + scrape.gain(before[index], "tickgate_ticks_out_total"),
    0,
  );
  assert.ok(age.count > 0.5 * sent && age.count < 1.5 * sent, `${age.count} of ${sent} were confirmed`);

  const mean = own.reduce((total, one) => total + one, 0) / own.length / 1e6;
  const [p50, p99] = [0.5, 0.99].map((share) => own[Math.floor(own.length * share)] / 1e6);
  t.diagnostic(`clients' own, ms: mean ${milli(mean)}, p50 ${milli(p50)}, p99 ${milli(p99)}; ${own.length} ticks`);
  const measured = age.sum / age.count;
  // The gateway samples one in about thirty ticks; clients measure all.
  assert.ok(Math.abs(measured - mean) <= 0.25 * mean + 0.002, `${measured} s instead of ${mean} s`);
  // Ranks are compared, not ages: one tick in a hundred is from clients with long intervals, so that at p99 the ages
  // jump from 50 ms to some hundred, and a sample may be on either side. It has some hundred ticks of unequal weight.
  const rank = (seconds: number) => own.filter((micros) => micros / 1e6 <= seconds).length / own.length;
  for (const [share, tolerance] of [
    [0.5, 0.2],
    [0.99, 0.04],
  ] as const) {
    const [from, to] = quantileBucket(age, share);
    const [least, most] = [rank(from - 0.002), rank(to + 0.002)];
    t.diagnostic(
      `p${share * 100} between ${milli(from)} and ${milli(to)} ms, for clients p${least * 100} and p${most * 100}`,
    );
    assert.ok(
      least <= share + tolerance && most >= share - tolerance,
      `p${share * 100} is p${least * 100} to p${most * 100}`,
    );
  }
});

test("each delay appears in its own stage: the source, the bus, the interval, the client", {
  timeout: 180_000,
}, async (t) => {
  const { redis, feed } = await start(t);
  const proxy = await RedisProxy.start(redis.port);
  t.after(() => proxy.close());
  const one = await gateway(proxy.url);
  t.after(() => one.close());
  await whole(one);
  const report = (what: string, means: Record<string, number>) =>
    t.diagnostic(
      `${what}: ${Object.entries(means)
        .map(([name, mean]) => `${name} ${milli(mean)}`)
        .join(", ")}`,
    );

  const [client] = await join(t, one.url, [100]);
  feed.delay = 300_000;
  const source = await measure(one, 5_000);
  report("source", source);
  assert.ok(source.source >= 0.3 && source.source < 0.5, "the source's 300 ms");
  assert.ok(source.age > source.source);
  assert.ok(source.bus < 0.15);
  feed.delay = 0;

  proxy.delay = 200;
  const bus = await measure(one, 5_000);
  report("bus", bus);
  assert.ok(bus.bus >= 0.195, "the bus's 200 ms");
  assert.ok(bus.source < 0.15);
  proxy.delay = 0;
  client.close();

  // The latest tick is sent: its mean age is half of the time between two ticks, if flushes come at any time between
  // them. If one interval were a multiple of the other, they would always come at the same time.
  feed.pump(370);
  // Each client samples a tick in two seconds, with an age from 0 to 370 ms: the mean of sixty is within 15 ms of the
  // half.
  const patient = await join(t, one.url, Array<number>(20).fill(500));
  const interval = await measure(one, 6_000);
  report("interval", interval);
  assert.ok(interval.interval > 0.125 && interval.interval < 0.245, `about half of 370 ms, not ${interval.interval} s`);
  assert.ok(interval.interval > 0.7 * interval.age);
  for (const each of patient) each.close();
  feed.pump(50);

  const link = await SlowLink.open(one.port, 8_000);
  t.after(() => link.close());
  const before = await Scrape.of(adminOf(one));
  await join(t, link.url, [100]);
  const slow = await measure(one);
  report("client", slow);
  // When there is room the latest ticks are sent: most of the time is in the network, and little in waiting for room.
  assert.ok(slow.client > 0, "held back");
  assert.ok(slow.client + slow.network > 0.7 * slow.age, "and the rest is in the network");
  assert.ok(slow.network > 0.1);
  const after = await Scrape.of(adminOf(one));
  const by = (cause: string) => after.gain(before, "tickgate_ticks_conflated_total", { by: cause });
  assert.ok(by("client") > by("server"), `${by("client")} by the client, ${by("server")} by the server`);
  assert.equal(after.value("tickgate_connections_conflating", { by: "client" }), 1);
});

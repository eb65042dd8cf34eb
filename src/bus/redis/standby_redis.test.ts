/** The same feed started twice: one leads, the other takes over, and a former leader that wakes up does no harm. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { busSettings, TestFeed, TestGateway, until } from "../../../test/support/bus_bench.ts";
import { FeedProcess, type Told } from "../../../test/support/feed_process.ts";
import { RedisServer } from "../../../test/support/redis_server.ts";

let server: RedisServer;
before(async () => {
  server = await RedisServer.start();
});
after(() => server.stop());

/** Where the prices of the second feed begin. */
const SECOND = 1_000_000_000;

function bid(gateway: TestGateway): number {
  const row = gateway.table.rowOf("SIM:0");
  return row < 0 ? 0 : gateway.table.payload.values[row * 10];
}

function seqOf(gateway: TestGateway): number {
  return gateway.table.seq[gateway.table.rowOf("SIM:0")];
}

/** Waits until the gateway has heard ten more ticks of the symbol. */
async function moreTicks(gateway: TestGateway): Promise<void> {
  const seq = seqOf(gateway);
  await until("more ticks", () => seqOf(gateway) >= seq + 10);
}

function holds(gateway: TestGateway, { symbols }: Told): boolean {
  return Object.entries(symbols).every(([symbol, [seq, bid]]) => {
    const row = gateway.table.rowOf(symbol);
    return row >= 0 && gateway.table.seq[row] === seq && gateway.table.payload.values[row * 10] === bid;
  });
}

async function stage(
  prefix: string,
  body: (first: FeedProcess, second: FeedProcess, gateway: TestGateway) => Promise<void>,
): Promise<void> {
  const settings = busSettings(server.url, { redisPrefix: prefix });
  const gateway = new TestGateway(settings);
  const first = new FeedProcess(settings, 0);
  let second: FeedProcess | undefined;
  try {
    await first.ask("tick");
    await until("the first leads", () => bid(gateway) > 0);
    second = new FeedProcess(settings, SECOND);
    assert.equal((await second.ask("tick")).role === "leading", false);
    await body(first, second, gateway);
    assert.equal(gateway.resets, 0);
  } finally {
    await Promise.all([first.kill(), second?.kill(), gateway.close()]);
  }
}

test("the leader is killed: the standby has taken over within three seconds, and its numbers carry on", async () => {
  await stage("kill", async (first, second, gateway) => {
    await moreTicks(gateway);
    assert.ok(bid(gateway) < SECOND, "the standby is heard");
    const seq = seqOf(gateway);
    await first.kill();
    await until("the standby is heard", () => bid(gateway) > SECOND, 3_000);
    const after = seqOf(gateway);
    assert.ok(after > seq && after < seq + 1_000, `seq ${after} after ${seq}`);
    const expected = await second.ask("rest");
    assert.equal(expected.role, "leading");
    await until("all is as the new leader has it", () => holds(gateway, expected), 2_000);
  });
});

test("the leader is paused and revived: it is refused and stands by", async () => {
  await stage("pause", async (first, second, gateway) => {
    first.signal("SIGSTOP");
    await until("the standby is heard", () => bid(gateway) > SECOND, 3_000);
    await moreTicks(gateway);
    const expected = await second.ask("rest");
    await until("all is as the leader has it", () => holds(gateway, expected), 2_000);
    first.signal("SIGCONT");
    // Whatever the former leader says is not heard, from its first word on, nor does it get into the store.
    for (const deadline = performance.now() + 1_500; performance.now() < deadline; ) {
      assert.ok(bid(gateway) > SECOND, "the former leader is heard");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal((await first.ask("tick")).role, "standby");
    const late = new TestGateway(busSettings(server.url, { redisPrefix: "pause" }));
    await late.started;
    assert.ok(holds(late, expected), "the store is as the leader has it");
    await late.close();
    // And back again: the first takes over once more.
    await second.kill();
    await until("the first is heard again", () => bid(gateway) < SECOND, 3_000);
    const back = await first.ask("rest");
    await until("all is as the first has it", () => holds(gateway, back), 2_000);
  });
});

test("a leader that ends in good order hands over at once", async () => {
  const settings = busSettings(server.url, { redisPrefix: "handover" });
  const first = new TestFeed(settings);
  await first.started;
  const second = new TestFeed(settings);
  const gateway = new TestGateway(settings);
  try {
    first.tick(20);
    second.tick(20);
    second.tickOne("SIM:3");
    await gateway.settles(first);
    const from = performance.now();
    await first.close();
    await second.started;
    assert.ok(performance.now() - from < 1_000);
    await gateway.settles(second);
    // It has heard more than the store had: that is the next tick.
    assert.equal(second.table.seq[second.table.rowOf("SIM:3")], 2);
    assert.equal(gateway.resets, 0);
  } finally {
    await Promise.all([second.close(), gateway.close()]);
  }
});

test("a former leader writes into a store that was emptied: the leader wins", async () => {
  const settings = busSettings(server.url, { redisPrefix: "emptied" });
  const feed = new TestFeed(settings);
  const gateway = new TestGateway(settings);
  const client = server.client();
  try {
    await Promise.all([feed.started, gateway.started]);
    feed.tick(50);
    await gateway.settles(feed);
    const keys = await client.keys("emptied:*:last");
    await client.del(...keys);
    for (const key of keys) await client.hset(key, "#SIM", "5:7:SIM");
    feed.tick(50);
    await gateway.settles(feed);
    const late = new TestGateway(settings);
    try {
      await late.settles(feed);
    } finally {
      await late.close();
    }
    assert.equal(gateway.resets, 0);
  } finally {
    client.disconnect();
    await Promise.all([feed.close(), gateway.close()]);
  }
});

test("an epoch that was lost is made good: the fence of an unknown later one is passed", async () => {
  const settings = busSettings(server.url, { redisPrefix: "ahead" });
  const client = server.client();
  const ahead = Date.now() + 100_000_000;
  await client.hset("ahead:{3}:last", "#SIM", `${ahead}:9:SIM`);
  const feed = new TestFeed(settings);
  try {
    await feed.started;
    assert.ok(Number(await client.get("ahead:{feed:SIM}:epoch")) > ahead);
  } finally {
    client.disconnect();
    await feed.close();
  }
});

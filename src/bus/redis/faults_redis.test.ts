/**
 * What must hold through every fault of Redis and of the way to it: nothing is lost for good, nothing old goes
 * unmarked.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { busSettings, TestFeed, TestGateway, until } from "../../../test/support/bus_bench.ts";
import { RedisProxy } from "../../../test/support/redis_proxy.ts";
import { freePort, RedisServer } from "../../../test/support/redis_server.ts";

const SYMBOLS = 200;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes in use, buffers included, after garbage is collected. */
function heapUsed(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

interface Stage {
  readonly server: RedisServer;
  readonly proxy: RedisProxy;
  readonly feed: TestFeed;
  /** Reaches Redis through the proxy; the feed does not. */
  readonly gateway: TestGateway;
}

/** A feed that ticks all the time, and a gateway that has heard it. */
async function stage(config: readonly string[], body: (stage: Stage) => Promise<void>): Promise<void> {
  const server = await RedisServer.start(config);
  const proxy = await RedisProxy.start(server.port);
  const feed = new TestFeed(busSettings(server.url));
  const gateway = new TestGateway(busSettings(proxy.url));
  const ticking = setInterval(() => feed.tick(SYMBOLS), 20);
  try {
    await Promise.all([feed.started, gateway.started]);
    await until("the gateway hears", () => gateway.table.knownCount === SYMBOLS);
    await body({ server, proxy, feed, gateway });
    // The fault is over: as soon as the feed rests, everything is as it left it.
    clearInterval(ticking);
    await gateway.settles(feed);
    await until("the gateway is ready", () => gateway.reader.unready() === undefined && gateway.isHeard, 2_000);
  } finally {
    clearInterval(ticking);
    await Promise.all([feed.close(), gateway.close()]);
    await proxy.close();
    await server.stop();
  }
}

/** Within two seconds of a fault's end, ticks come through again. */
async function flows({ gateway }: Stage): Promise<void> {
  const row = gateway.table.rowOf("SIM:0");
  const seq = gateway.table.seq[row];
  await until("ticks come through", () => gateway.table.seq[row] > seq && gateway.isHeard, 2_000);
}

test("Redis killed and restarted empty", async () => {
  await stage([], async (stage) => {
    const { server, gateway, feed } = stage;
    await server.kill();
    await until("all is silent", () => gateway.isSilent, 3_000);
    assert.match(gateway.reader.unready() ?? "", /not connected/);
    assert.match(feed.bus.unready() ?? "", /not connected/);
    await server.run();
    await flows(stage);
    assert.equal(gateway.resets, 0);
    // The store is whole again too: a gateway that starts now has everything.
    const late = new TestGateway(busSettings(server.url));
    try {
      await late.started;
      await until("a late gateway has all", () => late.table.knownCount === SYMBOLS, 2_000);
    } finally {
      await late.close();
    }
    assert.ok(feed.writer.counts.healed > 0);
  });
});

test("Redis killed and restarted empty while the feed rests: the store is written again", async () => {
  const server = await RedisServer.start();
  const feed = new TestFeed(busSettings(server.url));
  const gateway = new TestGateway(busSettings(server.url));
  try {
    await Promise.all([feed.started, gateway.started]);
    feed.tick(SYMBOLS);
    await gateway.settles(feed);
    await server.kill();
    await server.run();
    const late = new TestGateway(busSettings(server.url));
    try {
      await late.settles(feed, 4_000);
    } finally {
      await late.close();
    }
    assert.equal(gateway.difference(feed), "");
    assert.equal(gateway.resets, 0);
  } finally {
    await Promise.all([feed.close(), gateway.close()]);
    await server.stop();
  }
});

test("Redis stopped for ten seconds", async () => {
  await stage([], async (stage) => {
    const { server, gateway } = stage;
    const failures = stage.feed.writer.counts.failures;
    server.signal("SIGSTOP");
    await until("all is silent", () => gateway.isSilent, 3_000);
    // The length of the fault itself: with the two seconds until the silence, ten.
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    assert.ok(gateway.isSilent);
    server.signal("SIGCONT");
    await flows(stage);
    assert.equal(gateway.resets, 0);
    assert.ok(stage.feed.writer.counts.failures > failures);
  });
});

test("Redis is full: writes are refused, and go on when there is room", async () => {
  await stage([], async (stage) => {
    const client = stage.server.client();
    await client.config("SET", "maxmemory", "1mb");
    await until("all is silent", () => stage.gateway.isSilent, 3_000);
    await client.config("SET", "maxmemory", "0");
    await flows(stage);
    client.disconnect();
  });
});

test("what an outage takes of memory is given back", async () => {
  await stage([], async (stage) => {
    const before = heapUsed();
    stage.server.signal("SIGSTOP");
    let rounds = 0;
    const many = setInterval(() => {
      stage.feed.tick(5_000);
      rounds++;
    }, 5);
    try {
      await until("two million ticks meet the outage", () => rounds >= 400, 60_000);
    } finally {
      clearInterval(many);
    }
    stage.server.signal("SIGCONT");
    await flows(stage);
    await stage.gateway.settles(stage.feed);
    const more = (heapUsed() - before) / 1e6;
    // 4,800 more symbols are in two tables now.
    assert.ok(more < 10, `${more} MB more`);
  });
});

test("Redis cuts the gateway off, again and again", async () => {
  await stage([], async (stage) => {
    const client = stage.server.client();
    for (let round = 0; round < 5; round++) {
      await client.call("CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", "yes");
      await flows(stage);
    }
    await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await flows(stage);
    client.disconnect();
    assert.equal(stage.gateway.resets, 0);
  });
});

test("Redis cuts a gateway off that reads too slowly", async () => {
  const limit = "client-output-buffer-limit pubsub 200kb 100kb 1";
  await stage([limit], async (stage) => {
    const isCutOff = () =>
      readFileSync(join(stage.server.dir, "redis.log"), "utf8").includes("overcoming of output buffer limits");
    stage.proxy.hold();
    const many = setInterval(() => stage.feed.tick(3_000), 10);
    try {
      await until("Redis cuts it off", isCutOff, 15_000);
    } finally {
      clearInterval(many);
    }
    stage.proxy.release();
    await flows(stage);
    assert.equal(stage.gateway.resets, 0);
  });
});

test("messages are lost on the way", async () => {
  await stage([], async (stage) => {
    const { proxy, gateway } = stage;
    let count = 0;
    proxy.loses = () => ++count % 7 === 0;
    await until("many are lost", () => proxy.lost > 100, 15_000);
    assert.ok(gateway.counts.gaps > 10, `${gateway.counts.gaps} gaps`);
    assert.ok(gateway.healed > 0);
    assert.equal(gateway.resets, 0);
    // Even with every seventh lost, a feed at rest is known as it is: its heartbeats tell what is missing.
  });
});

test("the last message before a rest is lost", async () => {
  const server = await RedisServer.start();
  const proxy = await RedisProxy.start(server.port);
  const feed = new TestFeed(busSettings(server.url));
  const gateway = new TestGateway(busSettings(proxy.url));
  try {
    await Promise.all([feed.started, gateway.started]);
    feed.tick(SYMBOLS);
    await gateway.settles(feed);
    proxy.loses = () => true;
    feed.tick(SYMBOLS);
    await until("it is lost", () => proxy.lost >= 8);
    proxy.loses = () => false;
    await gateway.settles(feed);
    // A read that was under way may have brought the values already: the one for what is missing follows.
    await until("what is missing is read", () => gateway.healed > 0);
  } finally {
    await Promise.all([feed.close(), gateway.close()]);
    await proxy.close();
    await server.stop();
  }
});

test("Redis is not there at the start: everyone waits, says so, and recovers", async () => {
  const port = await freePort();
  const feed = new TestFeed(busSettings(`redis://127.0.0.1:${port}`));
  const gateway = new TestGateway(busSettings(`redis://127.0.0.1:${port}`));
  let server: RedisServer | undefined;
  try {
    await until("the reason is known", () => gateway.reader.unready()?.includes("ECONNREFUSED") === true);
    assert.match(feed.bus.unready() ?? "", /not connected.*ECONNREFUSED/);
    feed.tick(SYMBOLS);
    server = await RedisServer.start([], port);
    await until("the gateway is ready", () => gateway.reader.unready() === undefined, 2_000);
    await feed.started;
    feed.tick(SYMBOLS);
    await gateway.settles(feed);
  } finally {
    await Promise.all([feed.close(), gateway.close()]);
    await server?.stop();
  }
});

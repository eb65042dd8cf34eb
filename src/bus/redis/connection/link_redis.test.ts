/** What a connection says of a Redis that it cannot use, and that it does not use it. */
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { mock, test } from "node:test";
import { Cluster } from "ioredis";
import { pino } from "pino";
import { busSettings, until } from "../../../../test/support/bus_bench.ts";
import { freePort, RedisServer } from "../../../../test/support/redis_server.ts";
import { SystemClock } from "../../../base/clock.ts";
import { createClient, redisAccess } from "./client.ts";
import { RedisLink } from "./link.ts";

/** A connection to this address, and the reasons that its log has given. */
function open(url: string): { link: RedisLink; reasons: string[] } {
  const reasons: string[] = [];
  const lines = new Writable({
    write(line, _encoding, done) {
      const { level, reason } = JSON.parse(String(line));
      if (level >= 40) reasons.push(reason);
      done();
    },
  });
  const client = createClient(redisAccess(busSettings(url)), "test");
  const link = new RedisLink(client, url, new SystemClock(), pino({}, lines));
  link.open();
  return { link, reasons };
}

test("Sentinels of which none answers are reported, once and not at each try", async () => {
  const { link, reasons } = open(`redis+sentinel://127.0.0.1:${await freePort()}/prices`);
  let tries = 0;
  link.client.on("error", () => tries++);
  try {
    await until("it was tried several times", () => tries >= 3);
    assert.equal(reasons.length, 1);
    assert.match(reasons[0], /^All sentinels are unreachable\. Last error: /);
    assert.equal(link.lastError, reasons[0]);
  } finally {
    link.close();
  }
});

test("a database that the server does not have is reported, and no other is used for it", async () => {
  const server = await RedisServer.start(["databases 2"]);
  const good = open(`${server.url}/1`);
  const bad = open(`${server.url}/2`);
  try {
    await until("the one that is there is used", () => good.link.isUp);
    await until("the other is reported", () => bad.reasons.length > 0);
    await until("it is connected all the same", () => bad.link.client.status === "ready");
    await bad.link.client.ping();
    assert.equal(bad.link.isUp, false);
    assert.match(bad.link.lastError, /DB index is out of range/);
    await assert.rejects(bad.link.call("set", ["key", "value"], 1_000), /no connection/);
    assert.deepEqual(good.reasons, []);
  } finally {
    good.link.close();
    bad.link.close();
    await server.stop();
  }
});

test("a Cluster's address of a server that is none: the reason is the server's", async () => {
  const server = await RedisServer.start();
  const { link, reasons } = open(server.url.replace("redis:", "redis+cluster:"));
  try {
    await until("it is reported", () => reasons.length > 0);
    assert.match(reasons[0], /cluster support disabled/);
  } finally {
    link.close();
    await server.stop();
  }
});

/** Timers of this process that keep it running. */
function timerCount(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
}

test("a Cluster's connection that is closed while it asks for the slots leaves no timer behind", async () => {
  const server = await RedisServer.start(["cluster-enabled yes", "cluster-announce-ip 127.0.0.1"]);
  const admin = server.client();
  await admin.cluster("ADDSLOTSRANGE", 0, 16_383);
  admin.disconnect();
  await until("no timer is left of the start", () => timerCount() === 0);
  const { link } = open(server.url.replace("redis:", "redis+cluster:"));
  const { refreshSlotsCache } = Cluster.prototype;
  try {
    await until("it is connected", () => link.isUp);
    let isOver = false;
    // The next refresh is the one of ioredis' timer. The connection is closed while the question is on its way.
    const refresh = mock.method(Cluster.prototype, "refreshSlotsCache", function (this: Cluster, done?: () => void) {
      refreshSlotsCache.call(this, () => {
        done?.();
        isOver = true;
      });
      if (refresh.mock.callCount() === 0) link.close();
    });
    await until("the question is over", () => isOver);
    await until("no timer is left", () => timerCount() === 0);
  } finally {
    mock.restoreAll();
    link.close();
    await server.stop();
  }
});

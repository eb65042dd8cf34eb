/** A master, two replicas and three Sentinels: the master dies, a replica is promoted, everyone finds it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Redis } from "ioredis";
import { busSettings, TestFeed, TestGateway, until } from "../../../test/support/bus_bench.ts";
import { RedisServer } from "../../../test/support/redis_server.ts";

/** Asks again and again until the answer is as it should be. */
async function answers(what: string, ask: () => Promise<unknown>, expected: RegExp): Promise<void> {
  let answer = "";
  const asking = setInterval(() => ask().then((text) => (answer = String(text)), String), 20);
  try {
    await until(what, () => expected.test(answer), 15_000);
  } finally {
    clearInterval(asking);
  }
}

async function startAll(servers: RedisServer[]): Promise<{ master: RedisServer; sentinels: Redis[]; url: string }> {
  const start = async (config: string[]) => {
    const server = await RedisServer.start(["repl-diskless-sync-delay 0", ...config]);
    servers.push(server);
    return server;
  };
  const master = await start([]);
  for (let count = 0; count < 2; count++) {
    const client = (await start([`replicaof 127.0.0.1 ${master.port}`])).client();
    await answers("the replica is in sync", () => client.info("replication"), /master_link_status:up/);
    client.disconnect();
  }
  const hosts: string[] = [];
  const sentinels: Redis[] = [];
  for (let count = 0; count < 3; count++) {
    const server = await RedisServer.startSentinel([
      `sentinel monitor prices 127.0.0.1 ${master.port} 2`,
      "sentinel down-after-milliseconds prices 1000",
      "sentinel failover-timeout prices 5000",
    ]);
    servers.push(server);
    hosts.push(`127.0.0.1:${server.port}`);
    sentinels.push(server.client());
  }
  // They must know of each other and of the replicas before one of them can act.
  for (const sentinel of sentinels) {
    const known = () => sentinel.call("SENTINEL", "MASTER", "prices");
    await answers("the Sentinels know all", known, /num-slaves,2,num-other-sentinels,2/);
  }
  return { master, sentinels, url: `redis+sentinel://${hosts.join(",")}/prices` };
}

for (const signal of ["SIGKILL", "SIGSTOP"] as const)
  test(`a Sentinel failover after ${signal}`, async () => {
    const servers: RedisServer[] = [];
    const parts: { close(): Promise<void> }[] = [];
    let ticking: NodeJS.Timeout | undefined;
    try {
      const { master, sentinels, url } = await startAll(servers);
      const feed = new TestFeed(busSettings(url));
      const gateway = new TestGateway(busSettings(url));
      parts.push(feed, gateway, { close: async () => sentinels.forEach((sentinel) => void sentinel.disconnect()) });
      ticking = setInterval(() => feed.tick(100), 20);
      await Promise.all([feed.started, gateway.started]);
      await until("the gateway hears", () => gateway.table.knownCount === 100);
      await until("their clocks are compared", () =>
        [...gateway.bus.heardFeeds()].every(({ skew }) => Math.abs(skew) >= 0),
      );

      master.signal(signal);
      // The others hear from the one that promoted it up to two seconds later: until then they send us to the old one.
      for (const sentinel of sentinels) {
        const address = () => sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "prices");
        await answers("a replica is promoted", address, new RegExp(`^127.0.0.1,(?!${master.port}$)`));
      }
      const row = gateway.table.rowOf("SIM:0");
      const seq = gateway.table.seq[row];
      await until("ticks come through", () => gateway.table.seq[row] > seq && gateway.isHeard, 2_000);
      if (signal === "SIGSTOP") {
        master.signal("SIGCONT");
        const own = master.client();
        await answers("the old master is a replica", () => own.info("replication"), /role:slave/);
        own.disconnect();
      }
      clearInterval(ticking);
      await gateway.settles(feed);
      const late = new TestGateway(busSettings(url));
      parts.push(late);
      await late.settles(feed);
      assert.equal(gateway.resets, 0);
    } finally {
      clearInterval(ticking);
      await Promise.all(parts.map((part) => part.close()));
      await Promise.all(servers.map((server) => server.stop()));
    }
  });

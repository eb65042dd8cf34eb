/** A Cluster of three masters with a replica each: shards on all of them, one of them dies. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import slotOf from "cluster-key-slot";
import { busSettings, TestFeed, TestGateway, until } from "../../../test/support/bus_bench.ts";
import { RedisServer, requireProgram } from "../../../test/support/redis_server.ts";
import { RedisKeys } from "./shard.ts";

const SHARDS = 32;
let servers: RedisServer[] = [];
let url = "";

before(async () => {
  requireProgram("redis-cli", "apt-get install redis-tools");
  const config = ["cluster-enabled yes", "cluster-node-timeout 1000", "repl-diskless-sync-delay 0"];
  servers = await Promise.all(Array.from({ length: 6 }, () => RedisServer.start(config)));
  const hosts = servers.map(({ port }) => `127.0.0.1:${port}`);
  const args = ["--cluster", "create", ...hosts, "--cluster-replicas", "1", "--cluster-yes"];
  const made = spawnSync("redis-cli", args, { encoding: "utf8" });
  assert.equal(made.status, 0, made.stdout + made.stderr);
  url = `redis+cluster://${hosts.slice(0, 3).join(",")}`;
  await agreed(servers);
});
after(() => Promise.all(servers.map((server) => server.stop())));

/** Waits until every node sees the Cluster whole, with replicas in sync. */
async function agreed(nodes: readonly RedisServer[]): Promise<void> {
  for (const node of nodes) {
    const client = node.client();
    let text = "";
    const poll = setInterval(async () => {
      const [info, replication] = await Promise.all([client.cluster("INFO"), client.info("replication")]).catch(
        () => [],
      );
      text = `${info} ${replication}`;
    }, 50);
    await until("the node is part of the Cluster", () => {
      const isInSync = text.includes("role:master") || text.includes("master_link_status:up");
      return text.includes("cluster_state:ok") && text.includes("cluster_known_nodes:6") && isInSync;
    });
    clearInterval(poll);
    client.disconnect();
  }
}

/** The port of the master that has a slot, as a node sees it, or 0. */
async function masterOf(slot: number, node: RedisServer): Promise<number> {
  const client = node.client();
  try {
    const ranges = await client.cluster("SLOTS");
    return ranges.find(([first, last]) => first <= slot && slot <= last)?.[2]?.[1] ?? 0;
  } finally {
    client.disconnect();
  }
}

for (const signal of ["SIGKILL", "SIGSTOP"] as const)
  test(`shards are spread over the masters, and a shard's master gets ${signal}`, async () => {
    await agreed(servers);
    const settings = busSettings(url, { busShards: SHARDS, redisPrefix: signal });
    const keys = new RedisKeys(signal, SHARDS);
    const feed = new TestFeed(settings);
    const gateway = new TestGateway(settings);
    const ticking = setInterval(() => feed.tick(300), 20);
    try {
      await Promise.all([feed.started, gateway.started]);
      await until("the gateway hears", () => gateway.table.knownCount === 300);
      await until("their clocks are compared", () =>
        [...gateway.bus.heardFeeds()].every(({ skew }) => Math.abs(skew) >= 0),
      );
      const slot = slotOf(keys.channel(0));
      const first = await masterOf(slot, servers[0]);
      const owners = new Set<number>();
      for (let shard = 0; shard < SHARDS; shard++) owners.add(await masterOf(slotOf(keys.channel(shard)), servers[0]));
      assert.equal(owners.size, 3);

      const master = servers.find(({ port }) => port === first) as RedisServer;
      const other = servers.find((server) => server !== master) as RedisServer;
      if (signal === "SIGKILL") await master.kill();
      else master.signal(signal);
      let port = first;
      const asking = setInterval(async () => {
        port = (await masterOf(slot, other).catch(() => 0)) || port;
      }, 50);
      await until("the replica is promoted", () => port !== first, 15_000);
      clearInterval(asking);
      // Until now the other masters' shards went on; from now on all do. A master that only hangs takes longer to be
      // given up: its connections are there.
      const within = signal === "SIGKILL" ? 2_000 : 6_000;
      await until("all is heard", () => gateway.isHeard && gateway.reader.unready() === undefined, within);
      clearInterval(ticking);
      await gateway.settles(feed);
      const late = new TestGateway(settings);
      try {
        await late.settles(feed);
      } finally {
        await late.close();
      }
      assert.equal(gateway.resets, 0);
      if (signal === "SIGKILL") await master.run();
      else master.signal("SIGCONT");
    } finally {
      clearInterval(ticking);
      await Promise.all([feed.close(), gateway.close()]);
    }
  });

test("a planned failover moves a master's shards to its replica without a loss", async () => {
  await agreed(servers);
  const settings = busSettings(url, { busShards: SHARDS, redisPrefix: "planned" });
  const feed = new TestFeed(settings);
  const gateway = new TestGateway(settings);
  const ticking = setInterval(() => feed.tick(300), 20);
  try {
    await Promise.all([feed.started, gateway.started]);
    await until("the gateway hears", () => gateway.table.knownCount === 300);
    const slot = slotOf(new RedisKeys("planned", SHARDS).channel(0));
    const first = await masterOf(slot, servers[0]);
    for (const server of servers) {
      const client = server.client();
      const nodes = (await client.cluster("NODES")) as string;
      const id = (nodes.split("\n").find((line) => line.includes(`:${first}@`)) as string).split(" ")[0];
      if (nodes.split("\n").some((line) => line.includes("myself,slave") && line.includes(id)))
        await client.cluster("FAILOVER");
      client.disconnect();
    }
    let port = first;
    const asking = setInterval(async () => {
      port = (await masterOf(slot, servers[0]).catch(() => 0)) || port;
    }, 50);
    await until("the replica is the master", () => port !== first);
    clearInterval(asking);
    clearInterval(ticking);
    await gateway.settles(feed);
    assert.equal(gateway.resets, 0);
  } finally {
    clearInterval(ticking);
    await Promise.all([feed.close(), gateway.close()]);
  }
});

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { busSettings, TestFeed, TestGateway, until } from "../../../test/support/bus_bench.ts";
import { RedisServer } from "../../../test/support/redis_server.ts";
import { shardOf } from "./shard.ts";

let server: RedisServer;
let prefix = 0;
const settings = (more = {}) => busSettings(server.url, { redisPrefix: `t${prefix}`, ...more });

before(async () => {
  server = await RedisServer.start();
});
after(() => server.stop());

async function run(parts: { close(): Promise<void> }[], body: () => Promise<void>): Promise<void> {
  prefix++;
  try {
    await body();
  } finally {
    await Promise.all(parts.map((part) => part.close()));
  }
}

test("what a feed publishes, a gateway has", async () => {
  const parts: { close(): Promise<void> }[] = [];
  await run(parts, async () => {
    const feed = new TestFeed(settings());
    const gateway = new TestGateway(settings());
    parts.push(feed, gateway);
    assert.match(gateway.reader.unready() ?? "", /Redis|read/);
    await feed.started;
    await gateway.started;
    assert.match(gateway.reader.unready() ?? "", /have not been heard/);
    feed.tick(500);
    await gateway.settles(feed);
    await until("it is ready", () => gateway.reader.unready() === undefined, 1_000);
    for (let round = 0; round < 20; round++) {
      feed.tick(500);
      await new Promise(setImmediate);
    }
    feed.publisher.stale("cut");
    await gateway.settles(feed);
    assert.equal(gateway.counts.gaps, 0);
    assert.equal(gateway.healed, 0);
    assert.equal(gateway.counts.malformed.total, 0);
  });
});

test("where nobody publishes a gateway is ready when it has waited for a feed", async () => {
  const parts: { close(): Promise<void> }[] = [];
  await run(parts, async () => {
    const gateway = new TestGateway(settings({ busSilence: 1_000 }));
    parts.push(gateway);
    await gateway.started;
    const from = performance.now();
    await until("it is ready", () => gateway.reader.unready() === undefined, 3_000);
    assert.ok(performance.now() - from > 800);
  });
});

test("a gateway that starts late reads 10,000 symbols from the store within a second", async () => {
  const parts: { close(): Promise<void> }[] = [];
  await run(parts, async () => {
    const feed = new TestFeed(settings());
    parts.push(feed);
    await feed.started;
    feed.tick(10_000);
    await until("all is written", () => feed.writer.counts.records >= 10_000);
    await feed.close();
    const from = performance.now();
    const gateway = new TestGateway(settings());
    parts.push(gateway);
    await gateway.started;
    const took = performance.now() - from;
    assert.equal(gateway.difference(feed), "");
    assert.ok(took < 1_000, `${took} ms`);
    // The feed is closed: what the store has is old.
    await until("all is silent", () => gateway.isSilent, 3_000);
  });
});

test("a feed that starts again carries its numbers on", async () => {
  const parts: { close(): Promise<void> }[] = [];
  await run(parts, async () => {
    const first = new TestFeed(settings());
    const gateway = new TestGateway(settings());
    parts.push(first, gateway);
    await first.started;
    first.tick(50);
    first.tick(50);
    await gateway.settles(first);
    await first.close();
    const from = performance.now();
    const second = new TestFeed(settings());
    parts.push(second);
    await second.started;
    assert.ok(performance.now() - from < 1_000, "a lease that was given back need not be waited for");
    assert.equal(second.table.seq[second.table.rowOf("SIM:7")], 2);
    second.tick(50);
    await gateway.settles(second);
    assert.equal(second.table.seq[second.table.rowOf("SIM:7")], 3);
    assert.equal(gateway.resets, 0);
  });
});

test("a gateway listens only to the shards that are wanted, and a while longer", async () => {
  const parts: { close(): Promise<void> }[] = [];
  await run(parts, async () => {
    const feed = new TestFeed(settings());
    const gateway = new TestGateway(settings(), ["SIM:1"]);
    parts.push(feed, gateway);
    await feed.started;
    await gateway.started;
    feed.tick(200);
    const wanted = shardOf("SIM:1", 8);
    const expected = [...Array(200).keys()].filter((index) => shardOf(`SIM:${index}`, 8) === wanted).length;
    await until("the shard is here", () => gateway.table.knownCount === expected);
    const client = server.client();
    const channels = async () => (await client.pubsub("CHANNELS", `t${prefix}:*`)) as string[];
    assert.deepEqual(await channels(), [`t${prefix}:{${wanted}}:ticks`]);
    gateway.reader.follow();
    await gateway.settles(feed);
    assert.equal((await channels()).length, 8);
    client.disconnect();
  });
});

test("what has changed on all shards goes to Redis in one go", async () => {
  const parts: { close(): Promise<void> }[] = [];
  await run(parts, async () => {
    const feed = new TestFeed(settings());
    const gateway = new TestGateway(settings());
    parts.push(feed, gateway);
    await feed.started;
    await gateway.started;
    const client = server.client();
    const reads = async () => Number(/total_reads_processed:(\d+)/.exec(await client.info("stats"))?.[1]);
    const [readsBefore, batchesBefore] = [await reads(), feed.writer.counts.batches];
    for (let round = 0; round < 20; round++) {
      feed.tick(100);
      await gateway.settles(feed);
    }
    const read = (await reads()) - readsBefore;
    const written = feed.writer.counts.batches - batchesBefore;
    client.disconnect();
    assert.ok(written >= 160, `${written} batches`);
    // Besides a read for each round there are some of probes, of the lease and of this test.
    assert.ok(read < 60, `${read} reads of ${written} batches`);
  });
});

test("two feeds share the shards and know nothing of each other", async () => {
  const parts: { close(): Promise<void> }[] = [];
  await run(parts, async () => {
    const one = new TestFeed(settings(), "ONE");
    const two = new TestFeed(settings(), "TWO");
    const gateway = new TestGateway(settings());
    parts.push(one, two, gateway);
    await Promise.all([one.started, two.started, gateway.started]);
    for (let index = 0; index < 40; index++) one.tickOne(`ONE:${index}`);
    for (let index = 0; index < 40; index++) two.tickOne(`TWO:${index}`);
    await gateway.settles(one);
    await gateway.settles(two);
    await one.close();
    await until("the first is silent", () => gateway.silentStreams.size === 8, 3_500);
    two.tickOne("TWO:0");
    await gateway.settles(two);
    assert.equal(gateway.silentStreams.size, 8);
  });
});

test("a feed with another number of shards is left out, and said to be", async () => {
  const parts: { close(): Promise<void> }[] = [];
  await run(parts, async () => {
    const feed = new TestFeed(settings({ busShards: 16 }));
    const gateway = new TestGateway(settings());
    parts.push(feed, gateway);
    await Promise.all([feed.started, gateway.started]);
    feed.tick(100);
    await until("it is said", () => gateway.reader.unready()?.includes("number of bus shards") === true);
    assert.equal(gateway.counts.batches, 0);
  });
});

/** What each script refuses, and that a refusal changes nothing. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import { SystemClock } from "../clock.ts";
import { quiet, until } from "./bus.testing.ts";
import { BusRecord } from "./bus.ts";
import { Lease } from "./lease.ts";
import { RedisLink } from "./redis_link.ts";
import { FENCE, WRITE } from "./redis_script.ts";
import { RedisServer } from "./redis_server.testing.ts";
import { RedisKeys } from "./shard.ts";
import { BatchEncoder, MAX_BATCH_RECORDS } from "./wire.ts";

const keys = new RedisKeys("t", 1);
let server: RedisServer;
let link: RedisLink;

before(async () => {
  server = await RedisServer.start();
  link = new RedisLink(new Redis(server.port, { lazyConnect: true }), "test", new SystemClock(), quiet);
  link.open();
  await until("there is a connection", () => link.isUp);
});
after(async () => {
  link.close();
  await server.stop();
});

/** Writes a batch of so many symbols with this bid; the answer's code and mark. */
async function write(feed: string, epoch: number, number: number, bid: number, symbols = 1): Promise<[number, string]> {
  const encoder = new BatchEncoder(feed, 1);
  const record = new BusRecord();
  encoder.begin(epoch, number, 0);
  for (let index = 0; index < symbols; index++) {
    // Short and long symbols have different heads.
    record.symbol = `${feed}${index}${"X".repeat(index % 60)}`;
    record.seq = 1;
    record.values.fill(bid);
    encoder.add(record);
  }
  const { message, start, lengths, prefix } = encoder.end();
  const args = ["PUBLISH", feed, epoch, number, message, start, lengths, prefix];
  const [code, mark] = (await WRITE.run(link, [keys.hash(0), keys.channel(0)], args, 1_000)) as [number, Buffer];
  return [code, mark.toString()];
}

async function stored(): Promise<Record<string, string>> {
  const client = server.client();
  const all = await client.hgetallBuffer(keys.hash(0));
  client.disconnect();
  return Object.fromEntries(Object.entries(all).map(([field, value]) => [field, value.toString("hex")]));
}

test("a write of an earlier epoch, or of a number that was used, is refused and changes nothing", async () => {
  assert.deepEqual(await write("A", 7, 1, 1), [1, ""]);
  assert.deepEqual(await write("A", 7, 2, 2), [1, "7:1:A"]);
  const before = await stored();
  assert.deepEqual(await write("A", 6, 9, 3), [0, "7:2:A"]);
  assert.deepEqual(await write("A", 7, 2, 3), [0, "7:2:A"]);
  assert.deepEqual(await write("A", 7, 1, 3), [0, "7:2:A"]);
  assert.deepEqual(await stored(), before);
  assert.deepEqual(await write("A", 7, 5, 3), [1, "7:2:A"]);
  assert.deepEqual(await write("A", 8, 1, 4), [1, "7:5:A"]);
  // Another feed of a smaller epoch is another matter.
  assert.deepEqual(await write("B", 1, 1, 1), [1, ""]);
});

test("a refused batch is not published", async () => {
  const listener = server.client();
  let heard = 0;
  listener.on("message", () => heard++);
  await listener.subscribe(keys.channel(0));
  await write("C", 5, 1, 1);
  await write("C", 4, 2, 1);
  await write("C", 5, 2, 1);
  await until("both are heard", () => heard === 2);
  listener.disconnect();
});

test("the largest batch is stored symbol by symbol", async () => {
  await write("D", 1, 1, 1, MAX_BATCH_RECORDS);
  const symbols = Object.keys(await stored()).filter((field) => field.startsWith("D"));
  assert.equal(symbols.length, MAX_BATCH_RECORDS);
  assert.ok(symbols.includes(`D999${"X".repeat(999 % 60)}`));
});

test("a fence shuts earlier epochs out, is not moved back, and can be set twice", async () => {
  const fence = async (epoch: number) => {
    const answer = (await FENCE.run(link, [keys.hash(0)], ["E", epoch], 1_000)) as [number, Buffer, Buffer[]?];
    return [answer[0], answer[1].toString()];
  };
  await write("E", 3, 4, 1);
  assert.deepEqual(await fence(5), [1, "5:0:E"]);
  assert.equal((await write("E", 3, 5, 2))[0], 0);
  assert.equal((await write("E", 5, 1, 2))[0], 1);
  assert.deepEqual(await fence(5), [1, "5:1:E"]);
  assert.deepEqual(await fence(4), [0, "5:1:E"]);
});

test("a lease has one holder, each a later epoch, and survives a Redis that forgets", async () => {
  const one = new Lease(link, keys, "L");
  const two = new Lease(link, keys, "L");
  const epoch = (await one.acquire(100)) as number;
  assert.equal(epoch, 100);
  assert.equal(await two.acquire(500), undefined);
  assert.equal(await one.hold(epoch), true);
  const client = server.client();
  await client.flushall();
  assert.equal(await one.hold(epoch), true, "nobody took it meanwhile");
  assert.equal(await two.acquire(500), undefined);
  await one.release();
  assert.equal(await two.acquire(50), 101);
  assert.equal(await one.hold(epoch), false);
  await client.del(keys.lease("L"));
  assert.equal(await one.hold(epoch), false, "another had it since, though nobody has it now");
  await one.release();
  assert.equal(await two.hold(101), true, "only the owner can give it back");
  client.disconnect();
});

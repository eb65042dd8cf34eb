/** What each script refuses, and that a refusal changes nothing. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { encode } from "@msgpack/msgpack";
import { Redis } from "ioredis";
import { pino } from "pino";
import { busSettings, quiet, until } from "../../../test/support/bus_bench.ts";
import { RedisServer } from "../../../test/support/redis_server.ts";
import { SystemClock } from "../../base/clock.ts";
import { BusRecord } from "../../market/bus_record.ts";
import { PublisherTable } from "../../market/publisher_table.ts";
import { openBus } from "../open.ts";
import { BatchEncoder, MAX_BATCH_RECORDS } from "../wire/wire.ts";
import { RedisLink } from "./connection/link.ts";
import { FENCE, WRITE } from "./script.ts";
import { RedisKeys } from "./shard.ts";
import { Lease } from "./writing/lease.ts";

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

test("a record has as many elements at least as its channel's: 16 where nothing else is said", async () => {
  const run = async (elements: number, least?: number) => {
    const record = Buffer.concat([
      Buffer.from([0xdc, 0, elements]),
      ...["SYMBOL", ...new Array(elements - 1).fill(1)].map((one) => encode(one)),
    ]);
    const feed = `E${elements}-${least}`;
    const head = Buffer.concat([Buffer.from([0x97]), ...[1, feed, 5, 1, 7, 1].map((one) => encode(one))]);
    const start = Buffer.concat([head, Buffer.from([0xdc, 0, 1])]);
    const prefix = Buffer.concat([Buffer.from([0x93]), encode(feed), encode(5)]);
    const args = [
      "PUBLISH",
      feed,
      5,
      1,
      Buffer.concat([start, record]),
      start.length,
      Buffer.from([0, record.length]),
      prefix,
    ];
    if (least !== undefined) args.push(least);
    return WRITE.run(link, [keys.hash(0), keys.channel(0)], args, 1_000);
  };
  for (const [elements, least] of [
    [16, undefined],
    [17, undefined],
    [8, 8],
    [10, 10],
  ] as const)
    assert.deepEqual(await run(elements, least), [1, Buffer.from("")]);
  for (const [elements, least] of [
    [15, undefined],
    [7, 8],
    [9, 10],
  ] as const)
    await assert.rejects(run(elements, least), new RegExp(`${least ?? 16} elements at least`));
});

test("what can be seen to be no batch is an error that says why, and changes nothing", async () => {
  const record = Buffer.concat([
    Buffer.from([0xdc, 0, 16]),
    ...["SYMBOL", 1, 2, 0, 0, "", ...Array(10).fill(1)].map((one) => encode(one)),
  ]);
  const run = (batch: Uint8Array, records: readonly Uint8Array[], lengths = records.map(({ length }) => length)) => {
    const message = Buffer.concat([batch, ...records]);
    const packed = Buffer.from(Uint16Array.from(lengths).buffer).swap16();
    const prefix = Buffer.concat([Buffer.from([0x93]), encode("X"), encode(5)]);
    const args = ["PUBLISH", "X", 5, 1, message, batch.length, packed, prefix];
    return WRITE.run(link, [keys.hash(0), keys.channel(0)], args, 1_000);
  };
  const head = (version: unknown, count: number) =>
    Buffer.concat([
      Buffer.from([0x97]),
      ...[version, "X", 5, 1, 7, 1].map((one) => encode(one)),
      Buffer.from([0xdc, count >> 8, count & 255]),
    ]);
  const before = await stored();
  const short = Buffer.from(encode(["SYMBOL", 1, 2, 0, 0, "", 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  const fifteen = Buffer.concat([Buffer.from([0xdc, 0, 15]), record.subarray(3)]);
  const wrong: [RegExp, Promise<unknown>][] = [
    [/no MessagePack array/, run(Buffer.from('{"version":1}'), [])],
    [/no MessagePack array/, run(Buffer.alloc(0), [])],
    [/version is not 1/, run(head(2, 1), [record])],
    [/version is not 1/, run(head(0, 0), [])],
    [/more than 1,000 records/, run(head(1, 1_001), Array(1_001).fill(record))],
    [/record 1 /, run(head(1, 1), [short])],
    [/record 2 /, run(head(1, 2), [record, fifteen])],
    [/record 2 /, run(head(1, 2), [record, record], [record.length, record.length + 1])],
    [/record 1 /, run(head(1, 0), [], [100])],
  ];
  for (const [message, answer] of wrong) await assert.rejects(answer, message);
  await assert.rejects(run(head(2, 0), []), /^ReplyError: TICKGATE the batch is not written, see docs\/bus.md: /);
  assert.deepEqual(await stored(), before);
  assert.deepEqual(await run(head(1, 1), [record]), [1, Buffer.from("")]);
});

test("a mark that is none is written over", async () => {
  const client = server.client();
  await client.hset(keys.hash(0), "#M", "nonsense", "#N", "nonsense");
  client.disconnect();
  assert.deepEqual(await write("M", 7, 1, 1), [1, "nonsense"]);
  const answer = (await FENCE.run(link, [keys.hash(0)], ["N", 7], 1_000)) as [number, Buffer];
  assert.deepEqual([answer[0], answer[1].toString()], [1, "7:0:N"]);
});

test("an epoch that gateways would not take is not handed out, and what that comes from can be deleted", async () => {
  const lease = new Lease(link, keys, "BIG");
  const client = server.client();
  await client.set(keys.epoch("BIG"), String(2 ** 53 - 2));
  assert.equal(await lease.acquire(100), 2 ** 53 - 1);
  await assert.rejects(lease.acquire(100), /TICKGATE the epochs of the feed are used up: .*docs\/bus.md/);
  await client.set(keys.epoch("BIG"), "inf");
  await assert.rejects(lease.acquire(100), /used up/);
  await client.set(keys.epoch("BIG"), "nan");
  await assert.rejects(lease.acquire(100), /used up/);
  await client.del(keys.epoch("BIG"));
  await assert.rejects(lease.acquire(2 ** 53), /used up/);
  assert.equal(await lease.acquire(100), 100);
  client.disconnect();
});

test("a publisher that meets a mark of an epoch that cannot be says so, and leads once it is deleted", async () => {
  const settings = busSettings(server.url, { redisPrefix: "big", busShards: 1 });
  const client = server.client();
  await client.hset("big:{0}:last", "#SIM", "9007199254740992:7:SIM");
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(line) });
  const bus = openBus(settings, new SystemClock(), log);
  try {
    const led = bus.writer("SIM").start(new PublisherTable(10));
    await until("it says so", () => lines.some((line) => line.includes("has a mark of SIM that is none")));
    assert.equal(lines.length, 1, "once, and not with every try");
    await client.hdel("big:{0}:last", "#SIM");
    await led;
  } finally {
    client.disconnect();
    await bus.close();
  }
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

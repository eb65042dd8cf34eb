/** A publisher that breaks the rules of docs/bus.md, beside one that keeps them: real processes and Redis. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import { RedisKeys } from "../src/bus/redis/shard.ts";
import { polled, ServerProcess } from "./support/gateway_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { WireClient } from "./support/wire_client.ts";

const keys = new RedisKeys("tickgate", 1);
const micros = () => Date.now() * 1_000;
const good = (symbol: string, seq: number, own: Record<number, unknown> = {}) =>
  Object.assign([symbol, seq, micros(), 0, 0, "", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10] as unknown[], own);

test("invalid records reach no client, do not affect others, and are counted and logged with their feed", async (t) => {
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  const store = redis.client();
  t.after(() => store.disconnect());
  // In the store before the gateway starts: one valid value, and some invalid ones.
  const value = (record: unknown[]) => Buffer.from(encode(["mine", 1_000, record]));
  await store.hset(keys.hash(0), {
    "X:GOOD": value(good("X:GOOD", 1)),
    "X:NAN": value(good("X:NAN", 1, { 2: Number.NaN })),
    "X:INF": value(good("X:INF", 1, { 6: Number.POSITIVE_INFINITY })),
    "X:JSON": '{"bid":1}',
    "#mine": "1000:1:mine",
  });
  const args = ["--redis-url", redis.url, "--bus-shards", "1", "--port", "0", "--admin-port", "0"];
  const gateway = await ServerProcess.open("gateway", ...args, "--log-level", "warn");
  t.after(() => gateway.close());
  const client = await WireClient.open(gateway.url);
  client.say({ op: "subscribe", symbols: ["*"], interval: 0 });
  await client.until(() => client.ticks.length > 0, "the valid value of the store");

  let number = 1;
  const publish = (feed: string, records: unknown[], head: Record<number, unknown> = {}) => {
    const batch = Object.assign([1, feed, 1_000, ++number, micros(), 1, records] as unknown[], head);
    return store.publish(keys.channel(0), Buffer.from(encode(batch)));
  };
  for (let round = 0; round < 20; round++) {
    await publish("mine", [
      good("x:#ow", 1),
      good("X:BAD", 0),
      good("X:BAD", 1, { 2: 1e300 }),
      good("X:BAD", 1, { 4: null }),
      good("X:BAD", 1, { 5: "r".repeat(66_000) }),
      good("X:BAD", 1, { 7: Number.NEGATIVE_INFINITY }),
      good("X:GOOD", round + 2, { 2: micros() + 0.25 }),
    ]);
    await publish("mine", [good("X:BAD", 1)], { 4: Number.NaN });
    await publish("ghost", [good("X:BAD", 0)]);
    await publish("f".repeat(60_000), [good("X:BAD", 1)]);
    await store.publish(keys.channel(0), '{"feed":"mine"}');
  }
  await client.until(() => client.ticks.some(({ seq }) => seq === 21), "the last good tick");

  const { symbols } = (await (await gateway.get("/v1/symbols")).json()) as { symbols: string[] };
  assert.deepEqual(symbols, ["X:GOOD"]);
  for (const { eventTime, values } of client.ticks) {
    assert.ok(Number.isInteger(eventTime) && Math.abs(eventTime - micros()) < 60_000_000, String(eventTime));
    assert.deepEqual(values, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  }
  for (const message of client.controls)
    if (message.op === "status")
      assert.ok(Number.isInteger(message.since) && message.since > 1e15, JSON.stringify(message));
  assert.equal(client.closed, undefined);
  const page = await (await gateway.admin("/metrics")).text();
  const counted = (labels: string) =>
    Number(new RegExp(`^tickgate_bus_malformed_total{${labels}} (\\d+)$`, "m").exec(page)?.[1]);
  assert.equal(counted('feed="mine",reason="symbol"'), 20);
  assert.equal(counted('feed="mine",reason="time"') >= 41, true);
  assert.equal(counted('feed="mine",reason="head"'), 20);
  assert.equal(counted('feed="unknown",reason="seq"'), 20);
  assert.equal(counted('feed="unknown",reason="head"'), 20);
  assert.ok(!page.includes("ghost"), "a feed that has published nothing is not known");
  await polled(
    async () => gateway.stderr,
    (text) => /"feed":"mine","shard":0,"reason":"symbol","symbol":"x:#ow","from":"batch"/.test(text),
    "the log to name the feed and the symbol",
  );
  const lines = gateway.stderr.split("\n").filter((line) => line.includes("is not as docs/bus.md says"));
  assert.ok(lines.length < 60, `${lines.length} lines`);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import slotOf from "cluster-key-slot";
import { RedisKeys, shardOf } from "./shard.ts";

test("a symbol's shard is its CRC-32 modulo the number of shards", () => {
  assert.equal(shardOf("123456789", 2 ** 32), 0xcbf43926); // the check value of the CRC catalogue
  assert.equal(shardOf("AAPL", 1), 0);
});

test("symbols spread over the shards", () => {
  const counts = new Array(32).fill(0);
  for (let index = 0; index < 32_000; index++) counts[shardOf(`SIM:${index}-USD`, 32)]++;
  assert.ok(Math.min(...counts) > 800 && Math.max(...counts) < 1_200, String(counts));
});

test("a shard's hash and channel share a slot, a feed's lease and epoch another", () => {
  const keys = new RedisKeys("tickgate", 32);
  for (let shard = 0; shard < 32; shard++) {
    assert.equal(slotOf(keys.hash(shard)), slotOf(keys.channel(shard)));
    assert.equal(keys.shardOfChannel(keys.channel(shard)), shard);
  }
  assert.equal(slotOf(keys.lease("SIM")), slotOf(keys.epoch("SIM")));
  assert.equal(keys.shardOfChannel("other"), -1);
});

test("the slot is the one that Redis Cluster computes", () => {
  // The examples of the Redis Cluster specification: CRC16("123456789") is 0x31C3; the first braces count.
  assert.equal(slotOf("123456789"), 0x31c3);
  assert.equal(slotOf("{user1000}.following"), slotOf("{user1000}.followers"));
  assert.equal(slotOf("foo{{bar}}zap"), slotOf("x{{bar}y"));
});

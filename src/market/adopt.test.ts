import assert from "node:assert/strict";
import { test } from "node:test";
import { LIVE, STALE } from "../base/tick.ts";
import { BusRecord } from "./bus_record.ts";
import { IGNORED, MarketTable, NOT_HEARD, TICKED } from "./table.ts";

function stored(more: Partial<BusRecord>): BusRecord {
  const record = Object.assign(new BusRecord(), { symbol: "A", seq: 5, eventTime: 100, ...more });
  record.values.fill(Number.NaN);
  record.values[0] = 10;
  return record;
}

test("a symbol that was not live is as the store has it", () => {
  const table = new MarketTable(10);
  assert.equal(table.adopt(stored({ state: STALE, reason: "cut", since: 7 })), false);
  assert.deepEqual([table.seq[0], table.values[0], table.state[0], table.reasons[0]], [5, 10, STALE, "cut"]);
  table.merge(0, { ask: 11 }, 200);
  assert.deepEqual([table.seq[0], table.values[0], table.values[2]], [6, 10, 11]);
});

test("a symbol that was live is stale until this publisher hears of it, since it was last heard", () => {
  const table = new MarketTable(10);
  assert.equal(table.adopt(stored({ receivedAt: 150 })), true);
  assert.deepEqual([table.state[0], table.reasons[0], table.since[0]], [STALE, NOT_HEARD, 150]);
  assert.equal(table.adopt(stored({ symbol: "B" })), true);
  assert.equal(table.since[1], 100, "or happened, where its receipt is not known");
});

test("what the publisher has heard later is the store's next tick", () => {
  const table = new MarketTable(10);
  for (let count = 0; count < 20; count++) table.merge(table.add("A"), { bid: 20 }, 200);
  assert.equal(table.adopt(stored({})), true);
  assert.deepEqual([table.seq[0], table.values[0], table.eventTime[0]], [6, 20, 200]);
});

test("what the store has later wins, but how it stands is for the publisher to say", () => {
  const table = new MarketTable(10);
  table.merge(table.add("A"), { bid: 20 }, 50);
  table.restate(0, STALE, 60, "cut");
  assert.equal(table.adopt(stored({})), true);
  assert.deepEqual([table.seq[0], table.values[0], table.state[0]], [5, 10, STALE]);
});

test("the same values on both sides are no tick", () => {
  const table = new MarketTable(10);
  table.merge(table.add("A"), { bid: 10 }, 100);
  assert.equal(table.adopt(stored({})), false);
  assert.equal(table.seq[0], 5);
});

test("a gateway takes a number a second time when a later epoch gives it to other values, and says reset", () => {
  const table = new MarketTable(10);
  table.apply(stored({ epoch: 1 }));
  assert.equal(table.apply(stored({ epoch: 2 })), IGNORED);
  assert.equal(table.resetVersion[0], 0);
  const again = stored({ epoch: 3 });
  again.values[0] = 12;
  assert.equal(table.apply(again), TICKED);
  assert.equal(table.values[0], 12);
  assert.equal(table.resetVersion[0], table.version[0]);
  assert.equal(table.state[0], LIVE);
});

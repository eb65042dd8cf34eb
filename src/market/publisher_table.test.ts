import assert from "node:assert/strict";
import { test } from "node:test";
import { STALE } from "../base/tick.ts";
import { BusRecord } from "./bus_record.ts";
import { NOT_HEARD, PublisherTable } from "./publisher_table.ts";

function stored(more: Partial<BusRecord>): BusRecord {
  const record = Object.assign(new BusRecord(), { symbol: "A", seq: 5, eventTime: 100, ...more });
  record.values.fill(Number.NaN);
  record.values[0] = 10;
  return record;
}

test("a symbol that was not live is as the store has it", () => {
  const table = new PublisherTable(10);
  assert.equal(table.adopt(stored({ state: STALE, reason: "cut", since: 7 })), false);
  assert.deepEqual([table.seq[0], table.payload.values[0], table.state[0], table.reasons[0]], [5, 10, STALE, "cut"]);
  table.merge(0, { ask: 11 }, 200);
  assert.deepEqual([table.seq[0], table.payload.values[0], table.payload.values[2]], [6, 10, 11]);
});

test("a symbol that was live is stale until this publisher hears of it, since it was last heard", () => {
  const table = new PublisherTable(10);
  assert.equal(table.adopt(stored({ receivedAt: 150 })), true);
  assert.deepEqual([table.state[0], table.reasons[0], table.since[0]], [STALE, NOT_HEARD, 150]);
  assert.equal(table.adopt(stored({ symbol: "B" })), true);
  assert.equal(table.since[1], 100, "or happened, where its receipt is not known");
});

test("what the publisher has heard later is the store's next tick", () => {
  const table = new PublisherTable(10);
  for (let count = 0; count < 20; count++) table.merge(table.add("A"), { bid: 20 }, 200);
  assert.equal(table.adopt(stored({})), true);
  assert.deepEqual([table.seq[0], table.payload.values[0], table.eventTime[0]], [6, 20, 200]);
});

test("what the store has later wins, but how it stands is for the publisher to say", () => {
  const table = new PublisherTable(10);
  table.merge(table.add("A"), { bid: 20 }, 50);
  table.restate(0, STALE, 60, "cut");
  assert.equal(table.adopt(stored({})), true);
  assert.deepEqual([table.seq[0], table.payload.values[0], table.state[0]], [5, 10, STALE]);
});

test("the same values on both sides are no tick", () => {
  const table = new PublisherTable(10);
  table.merge(table.add("A"), { bid: 10 }, 100);
  assert.equal(table.adopt(stored({})), false);
  assert.equal(table.seq[0], 5);
});

test("a patch changes the fields that it names, and null takes a value away", () => {
  const table = new PublisherTable(10);
  const row = table.add("A");
  table.merge(row, { bid: 1, ask: 2 }, 10);
  table.merge(row, { bid: null, last: -3 }, 11);
  const out = new BusRecord();
  table.read(row, out);
  const values = [...out.values.subarray(out.offset, out.offset + 5)];
  assert.deepEqual(values, [Number.NaN, Number.NaN, 2, Number.NaN, -3]);
  assert.deepEqual([out.symbol, out.seq, out.eventTime], ["A", 2, 11]);
});

test("it knows when it received a tick, and for one that it took over when its predecessor did", () => {
  const table = new PublisherTable(10);
  const out = new BusRecord();
  const receipt = () => {
    table.read(0, out);
    return out.receivedAt;
  };
  table.merge(table.add("A"), { bid: 1 }, 1_000, 1_200);
  assert.equal(receipt(), 1_200);
  table.adopt(stored({ seq: 5, eventTime: 2_000, receivedAt: 2_100 }));
  assert.equal(receipt(), 2_100);
  table.merge(0, { bid: 2 }, 3_000, 3_050);
  table.adopt(stored({ seq: 9, eventTime: 2_500, receivedAt: 2_600 }));
  assert.equal(receipt(), 3_050, "it has heard something later itself");
  table.merge(0, { bid: 3 }, 3_000);
  assert.ok(Number.isNaN(receipt()));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { STALE } from "../../base/tick.ts";
import { PublisherTable } from "../publisher_table.ts";
import { TradePayload, TradeRecord } from "./trade_payload.ts";

function recordOf(part: Partial<TradeRecord>): TradeRecord {
  return Object.assign(new TradeRecord(), { symbol: "A", price: 1, size: 1, ...part });
}

function tableOf(tradesPerSymbol = 64) {
  const payload = new TradePayload({ tradesPerSymbol, maxTrades: 10_000 });
  return new PublisherTable<TradePayload>(10, payload);
}

test("rings grow up to the limit of a symbol, and of all together; each has room for 16", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 16, max: 300 }),
      fc.integer({ min: 64, max: 1_000 }),
      fc.array(fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 200 })), { maxLength: 30 }),
      (tradesPerSymbol, maxTrades, adds) => {
        const payload = new TradePayload({ tradesPerSymbol, maxTrades });
        const seqs = new Array(10).fill(0);
        for (let row = 0; row < 10; row++) payload.clear(row);
        for (const [row, count] of adds)
          for (let added = 0; added < count; added++) payload.write(row, recordOf({ seq: ++seqs[row] }), 1);
        let [room, rings] = [0, 0];
        for (let row = 0; row < 10; row++) {
          if (seqs[row] === 0) continue;
          const { capacity, count } = payload.ringOf(row);
          assert.equal(count, Math.min(seqs[row], capacity));
          assert.ok(capacity < tradesPerSymbol * 2 || capacity === 16, `${capacity} of ${tradesPerSymbol}`);
          room += capacity;
          rings++;
        }
        assert.ok(room <= maxTrades + rings * 16, `${room} of ${maxTrades}`);
      },
    ),
  );
});

test("a row that is another symbol's holds nothing, and gives its room back", () => {
  const payload = new TradePayload({ tradesPerSymbol: 64, maxTrades: 64 });
  payload.clear(0);
  for (let round = 0; round < 10; round++) {
    for (let seq = 1; seq <= 64; seq++) payload.write(0, recordOf({ seq }), 1);
    assert.equal(payload.ringOf(0).count, 64, `round ${round}`);
    payload.clear(0);
    assert.equal(payload.ringOf(0).count, 0);
  }
});

test("numbers that go back, or stay, begin a new count", () => {
  const payload = new TradePayload({ tradesPerSymbol: 64, maxTrades: 64 });
  for (const seq of [5, 6, 7]) payload.write(0, recordOf({ seq }), 1);
  payload.write(0, recordOf({ seq: 7, price: 9 }), 1);
  const ring = payload.ringOf(0);
  assert.deepEqual([ring.count, ring.first, ring.run, ring.price[ring.slotOf(ring.start)]], [1, 7, 1, 9]);
});

test("a standby that missed the leader's last trades has what the store has as its newest", () => {
  const table = tableOf();
  const row = table.add("A");
  for (let id = 1; id <= 5; id++) table.merge(row, { price: id, size: 1, side: 1, id: `${id}` }, id * 10, id * 10);
  table.restate(row, STALE, 60, "cut");
  const newest = recordOf({ seq: 47, eventTime: 70, receivedAt: 71, price: 7, side: -1, id: "7" });
  table.adopt(newest);
  const out = new TradeRecord();
  table.read(row, out);
  assert.deepEqual(
    [out.seq, out.eventTime, out.receivedAt, out.price, out.size, out.side, out.id],
    [47, 70, 71, 7, 1, -1, "7"],
  );
  assert.ok(table.payload.ringOf(row).has("7"), "it is no new trade when the venue repeats it");
  table.merge(row, { price: 8, size: 1, side: 1, id: "8" }, 80, 80);
  table.read(row, out);
  assert.deepEqual([out.seq, out.price], [48, 8]);
  assert.equal(table.payload.countSince(row, 47), 1);
});

test("a standby's last trade is not taken for a later one that looks the same", () => {
  const table = tableOf();
  const row = table.add("A");
  table.merge(row, { price: 1, size: 1, side: 0, id: null }, 50, 50);
  table.adopt(recordOf({ seq: 47, eventTime: 70, receivedAt: 71 }));
  const out = new TradeRecord();
  table.read(row, out);
  assert.deepEqual([out.seq, out.eventTime, out.receivedAt], [47, 70, 71]);
});

test("a standby that has what the store has, and more, writes the later ones only", () => {
  const table = tableOf();
  const row = table.add("A");
  for (let id = 1; id <= 5; id++) table.merge(row, { price: id, size: 1, side: 1, id: `${id}` }, id * 10, id * 10);
  assert.equal(table.adopt(recordOf({ seq: 33, eventTime: 30, price: 3, side: 1, id: "3" })), true);
  assert.equal(table.seq[row], 35);
  assert.equal(table.payload.countSince(row, 33), 2);
  const out = new TradeRecord();
  for (const [back, seq] of [
    [1, 34],
    [0, 35],
  ]) {
    table.read(row, out, back);
    assert.deepEqual([out.seq, out.id, out.eventTime], [seq, `${seq - 30}`, (seq - 30) * 10]);
  }
});

test("a new publisher has the store's newest trade only", () => {
  const table = tableOf();
  table.adopt(recordOf({ seq: 9, eventTime: 90, receivedAt: 91, id: "x" }));
  const out = new TradeRecord();
  table.read(0, out);
  assert.deepEqual([out.seq, out.eventTime, out.receivedAt, out.id, table.seq[0]], [9, 90, 91, "x", 9]);
  assert.equal(table.payload.countSince(0, 0), 1);
});

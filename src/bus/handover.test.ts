import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PublisherTable } from "../market/publisher_table.ts";
import { Handover } from "./handover.ts";

test("a tick is handed over once, however often its row is written; what it replaced is counted", () => {
  const handover = new Handover();
  handover.taken(0, 1, 1_000, 1_500);
  handover.taken(0, 1, 1_000, 9_000_000);
  assert.deepEqual([handover.wait.count, handover.wait.sum, handover.conflated], [1, 500, 0]);
  handover.taken(0, 5, 2_000, 2_100);
  assert.deepEqual([handover.wait.count, handover.wait.sum, handover.conflated], [2, 600, 3]);
});

test("how rows stand when the feed is taken over is no news", () => {
  const table = new PublisherTable(5_000);
  for (let index = 0; index < 3_000; index++) table.merge(table.add(`S${index}`), { bid: 1 }, 1, 1);
  const handover = new Handover();
  handover.begin(table);
  for (let row = 0; row < 3_000; row++) handover.taken(row, 1, 1, 3_600_000_000);
  assert.deepEqual([handover.wait.count, handover.conflated], [0, 0]);
  table.merge(2_999, { bid: 2 }, 2, 2);
  handover.taken(2_999, 2, 2, 42);
  assert.deepEqual([handover.wait.count, handover.wait.sum, handover.conflated], [1, 40, 0]);
});

test("every tick is handed over, conflated, or still to come", () => {
  const write = fc.tuple(fc.nat(2_000), fc.nat(3));
  fc.assert(
    fc.property(fc.array(write), (writes) => {
      const handover = new Handover();
      const seq = new Map<number, number>();
      let made = 0;
      for (const [row, more] of writes) {
        // The first of a row, and then as many as came since.
        const ticks = seq.has(row) ? more : 1;
        made += ticks;
        seq.set(row, (seq.get(row) ?? 0) + ticks);
        handover.taken(row, seq.get(row)!, 0, 10);
      }
      assert.equal(handover.wait.count + handover.conflated, made);
    }),
  );
});

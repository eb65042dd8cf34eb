import assert from "node:assert/strict";
import { test } from "node:test";
import { countOrShare } from "./options.ts";
import { type Plan, readerOf, splitPlan } from "./plan.ts";

const plan = (connections: number, slow: number, stalled: number, processes = 1) =>
  ({ connections, slow, stalled, processes }) as Plan;

for (const [connections, slow, stalled] of [
  [1, 0, 1],
  [100, 5, 5],
  [7_919, 100, 19],
  [7_919 * 2, 0, 1],
  [50_000, 2_500, 2_500],
])
  test(`of ${connections} connections ${slow} are slow and ${stalled} stalled, spread among the others`, () => {
    const made = plan(connections, slow, stalled);
    const readers = Array.from({ length: connections }, (_, index) => readerOf(made, index));
    assert.equal(readers.filter((reader) => reader === "slow").length, slow);
    assert.equal(readers.filter((reader) => reader === "stalled").length, stalled);
    const half = readers.slice(0, connections / 2).filter((reader) => reader === "slow").length;
    assert.ok(slow < 20 || (half > slow * 0.4 && half < slow * 0.6), `${half} of ${slow} in the first half`);
  });

test("processes share the connections without a gap", () => {
  for (const processes of [1, 2, 3, 7]) {
    const parts = splitPlan(plan(100, 0, 0, processes));
    assert.equal(parts.length, processes);
    let next = 0;
    for (const { first, connections } of parts) {
      assert.equal(first, next);
      assert.ok(connections >= Math.floor(100 / processes));
      next += connections;
    }
    assert.equal(next, 100);
  }
});

test("a number of connections is absolute or a percentage", () => {
  const of = (text: string) => countOrShare().read(text)?.of(2_000);
  assert.deepEqual(["0", "250", "5%", "0.5%", "100%"].map(of), [0, 250, 100, 10, 2_000]);
  for (const wrong of ["", "-1", "101%", "5 %", "1.5", "many"]) assert.equal(of(wrong), undefined, wrong);
});

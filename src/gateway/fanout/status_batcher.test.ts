import assert from "node:assert/strict";
import { test } from "node:test";
import { CLOSED, LIVE, STALE } from "../../base/tick.ts";
import { PublisherTable } from "../../market/publisher_table.ts";
import { StatusBatcher } from "./status_batcher.ts";

function bench(symbols: number) {
  const table = new PublisherTable(10_000);
  for (let row = 0; row < symbols; row++) table.merge(table.add(`S${row}`), { bid: 1 }, 1);
  return { table, teller: new StatusBatcher(table, () => 77) };
}

test("symbols that stand alike are told together: since the first that is stale, since the last that lives again", () => {
  const { table, teller } = bench(5);
  table.restate(0, STALE, 30, "lost");
  table.restate(1, STALE, 20, "lost");
  table.restate(2, STALE, 10, "silent");
  for (const row of [0, 1, 2]) teller.addState(row);
  assert.deepEqual(teller.take(), [
    { op: "status", symbols: ["S0", "S1"], state: "stale", reason: "lost", since: 20 },
    { op: "status", symbols: ["S2"], state: "stale", reason: "silent", since: 10 },
  ]);
  table.restate(0, LIVE, 40, "");
  table.restate(1, LIVE, 50, "");
  for (const row of [0, 1]) teller.addState(row);
  assert.deepEqual(teller.take(), [{ op: "status", symbols: ["S0", "S1"], state: "live", since: 50 }]);
  assert.deepEqual(teller.take(), []);
});

test("gaps come first, and say what they are", () => {
  const { table, teller } = bench(3);
  table.restate(0, CLOSED, 5, "end of input");
  teller.addState(0);
  teller.addGap(1, false);
  teller.addGap(2, true);
  assert.deepEqual(teller.take(), [
    { op: "status", symbols: ["S1"], state: "gap", reason: "missed", since: 77 },
    { op: "status", symbols: ["S2"], state: "gap", reason: "reset", since: 77 },
    { op: "status", symbols: ["S0"], state: "closed", reason: "end of input", since: 5 },
  ]);
});

test("at first only what is not live is told", () => {
  const { table, teller } = bench(2);
  table.restate(1, STALE, 5, "lost");
  for (const row of [0, 1]) teller.addFirst(row);
  assert.deepEqual(teller.take(), [{ op: "status", symbols: ["S1"], state: "stale", reason: "lost", since: 5 }]);
});

test("many symbols come in several messages, none left out", () => {
  const { table, teller } = bench(2_500);
  for (let row = 0; row < 2_500; row++) {
    table.restate(row, STALE, 5, "lost");
    teller.addState(row);
  }
  const messages = teller.take();
  assert.ok(messages.every((message) => Buffer.byteLength(JSON.stringify(message)) <= 71_000));
  assert.deepEqual(
    messages.flatMap((message) => message.symbols),
    Array.from({ length: 2_500 }, (_, row) => `S${row}`),
  );
});

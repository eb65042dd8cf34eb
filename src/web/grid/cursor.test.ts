import assert from "node:assert/strict";
import { test } from "node:test";
import { type CellPosition, moved } from "./cursor.ts";

const field = { rows: 100, screenRows: 10, columns: (row: number) => (row === 5 ? 1 : 4) };
const go = (from: CellPosition, ...keys: string[]) =>
  keys.reduce(
    (position, key) => moved(position, key.replace("^", ""), key.startsWith("^"), field) as CellPosition,
    from,
  );

test("arrows move by one, and stop at the edges; the head is above the first row", () => {
  assert.deepEqual(go({ row: 0, column: 0 }, "ArrowDown", "ArrowRight", "ArrowRight"), { row: 1, column: 2 });
  assert.deepEqual(go({ row: 0, column: 0 }, "ArrowUp", "ArrowUp", "ArrowLeft"), { row: -1, column: 0 });
  assert.deepEqual(go({ row: 99, column: 3 }, "ArrowDown", "ArrowRight"), { row: 99, column: 3 });
});

test("a row of one cell is passed through", () => {
  assert.deepEqual(go({ row: 4, column: 3 }, "ArrowDown"), { row: 5, column: 0 });
  assert.deepEqual(go({ row: 5, column: 0 }, "ArrowRight", "ArrowUp"), { row: 4, column: 0 });
});

test("pages and ends", () => {
  assert.deepEqual(go({ row: 3, column: 2 }, "PageDown"), { row: 13, column: 2 });
  assert.deepEqual(go({ row: 3, column: 2 }, "PageUp"), { row: 0, column: 2 });
  assert.deepEqual(go({ row: 3, column: 2 }, "Home"), { row: 3, column: 0 });
  assert.deepEqual(go({ row: 3, column: 2 }, "^End"), { row: 99, column: 3 });
  assert.deepEqual(go({ row: 3, column: 2 }, "^Home", "End"), { row: 0, column: 3 });
  assert.equal(moved({ row: 3, column: 2 }, "a", false, field), undefined);
});

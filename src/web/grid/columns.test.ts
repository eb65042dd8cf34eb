import assert from "node:assert/strict";
import { test } from "node:test";
import { COLUMNS, columnsFor, layOut } from "./columns.ts";

test("the columns of every width fit into it, side by side", () => {
  for (let width = 560; width <= 2_600; width += 7) {
    const spans = layOut(columnsFor(width), width);
    for (const [index, span] of spans.entries()) {
      const before = spans[index - 1];
      assert.equal(span.left, before ? before.left + before.width : 0);
    }
    const last = spans.at(-1);
    assert.ok(last && last.left + last.width <= width, `${width}: ${last?.left} + ${last?.width}`);
  }
});

test("a phone has the symbol, the trend, the price and its change; a wide screen has all", () => {
  assert.deepEqual(
    columnsFor(390).map(({ id }) => id),
    ["symbol", "trend", "last", "percent"],
  );
  assert.deepEqual(columnsFor(1_400), COLUMNS);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BOOK_LEVELS } from "../../../market/book/book_payload.ts";
import { MOST_LEVELS, OrderBook, readLevels, setLevels } from "./order_book.ts";

test("any changes: the top is that of a map of all levels", () => {
  const change = fc.tuple(fc.boolean(), fc.integer({ min: -5, max: 120 }), fc.integer({ min: 0, max: 3 }));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 600, size: "max" }), (changes) => {
      const book = new OrderBook();
      const naive = [new Map<number, number>(), new Map<number, number>()];
      for (const [isBid, tick, size] of changes) {
        const price = tick / 100;
        (isBid ? book.bids : book.asks).set(price, size);
        if (size === 0) naive[isBid ? 0 : 1].delete(price);
        else naive[isBid ? 0 : 1].set(price, size);
      }
      const bids = [...naive[0]].sort(([a], [b]) => b - a);
      const asks = [...naive[1]].sort(([a], [b]) => a - b);
      assert.deepEqual(book.top(), {
        bids: bids.slice(0, BOOK_LEVELS).flat(),
        asks: asks.slice(0, BOOK_LEVELS).flat(),
      });
      assert.deepEqual([book.bids.levels, book.asks.levels], [bids.length, asks.length]);
      const isCrossed = bids.length > 0 && asks.length > 0 && bids[0][0] >= asks[0][0];
      assert.equal(book.isCrossed, isCrossed);
      book.clear();
      assert.deepEqual(book.top(), { bids: [], asks: [] });
    }),
  );
});

test("a side has a limit: the worst levels are dropped, whatever the order", () => {
  const { bids, asks } = new OrderBook();
  for (let price = 1; price <= MOST_LEVELS + 10; price++) {
    bids.set(price, 1);
    asks.set(price, 1);
  }
  assert.deepEqual([bids.levels, asks.levels], [MOST_LEVELS, MOST_LEVELS]);
  assert.deepEqual([bids.best, asks.best], [MOST_LEVELS + 10, 1]);
  bids.set(10, 1);
  bids.set(11, 0);
  assert.equal(bids.levels, MOST_LEVELS - 1);
});

test("levels of a message; one that cannot be read makes all unreadable", () => {
  assert.deepEqual(
    readLevels([
      ["1.5", "2", "x"],
      [0.5, "0"],
    ]),
    [1.5, 2, 0.5, 0],
  );
  for (const wrong of [undefined, {}, [1], [["1"]], [["", "1"]], [["1", "-1"]], [["1", null]]])
    assert.equal(readLevels(wrong), undefined);
  const { bids } = new OrderBook();
  setLevels(bids, [3, 1, 5, 1, 4, 1, 3, 2]);
  assert.deepEqual(bids.top(), [5, 1, 4, 1, 3, 2]);
  bids.load([2, 1, 7, 0, 3, 1]);
  assert.deepEqual(bids.top(), [3, 1, 2, 1]);
  bids.load(Array.from({ length: 60_000 }, (_, index) => index + 1));
  assert.deepEqual([bids.levels, bids.best], [MOST_LEVELS, 59_999]);
});

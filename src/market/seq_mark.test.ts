import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { markOf, ticksBetween } from "./seq_mark.ts";

const seq = fc.oneof(
  fc.integer({ min: 1, max: 1_000 }),
  fc.integer({ min: 2 ** 32 - 1_000, max: 2 ** 32 + 1_000 }),
  fc.maxSafeInteger().map((number) => Math.max(1, Math.abs(number) - 2 ** 33)),
);

test("a mark fits into 32 bits, is never 0, and tells how many ticks were left out", () => {
  fc.assert(
    fc.property(
      seq,
      fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 2 ** 32 - 2 })),
      (before, more) => {
        const [from, to] = [markOf(before), markOf(before + more)];
        for (const mark of [from, to]) assert.ok(Number.isInteger(mark) && mark >= 1 && mark < 2 ** 32, `${mark}`);
        assert.notEqual(from, to);
        assert.equal(ticksBetween(from, to), more - 1);
      },
    ),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PAST, PastMarks } from "./bar_marks.ts";

test("a mark of the past has a count and a number, and is told from others", () => {
  const bars = fc.integer({ min: 1, max: 86_401 });
  fc.assert(
    fc.property(bars, fc.nat(), fc.integer({ min: 0, max: 2 ** 45 }), fc.nat(16_383), (kept, left, now, ago) => {
      const marks = new PastMarks(kept);
      const count = left % (kept + 1);
      const seq = Math.max(0, now - ago);
      const mark = marks.markOf(count, seq);
      assert.ok(mark >= PAST && mark < 2 ** 32);
      assert.equal(marks.countOf(mark), count);
      assert.equal(marks.seqOf(mark, now), seq);
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PAST, PastMarks } from "./bar_marks.ts";

test("a mark of the past has the position and the number, and is told from others", () => {
  const bars = fc.integer({ min: 1, max: 86_401 });
  const count = fc.integer({ min: 0, max: 2 ** 45 });
  fc.assert(
    fc.property(bars, count, fc.nat(1), count, fc.nat(), (kept, end, half, now, ago) => {
      const marks = new PastMarks(kept);
      const position = Math.max(0, end - (kept - half));
      const seq = Math.max(0, now - (ago % 8_000));
      const mark = marks.markOf(position, seq);
      assert.ok(mark >= PAST && mark < 2 ** 32);
      assert.equal(marks.positionOf(mark, end), position);
      assert.equal(marks.seqOf(mark, now), seq);
    }),
  );
});

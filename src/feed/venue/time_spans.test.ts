import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TimeSpans } from "./time_spans.ts";

test("spans are a set of times: what was added and not removed since is in it, and little else", () => {
  const change = fc.record({ isAdded: fc.boolean(), from: fc.nat(40), length: fc.nat(10) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const spans = new TimeSpans();
      const model = new Set<number>();
      for (const { isAdded, from, length } of changes) {
        if (isAdded) spans.add(from, from + length);
        else spans.remove(from, from + length);
        for (let at = from; at < from + length; at++)
          if (isAdded) model.add(at);
          else model.delete(at);
      }
      const { all } = spans;
      const has = (at: number) => all.some(({ from, end }) => from <= at && at < end);
      for (const at of model) assert.ok(has(at));
      assert.ok(all.length <= 8);
      for (const [index, { from, end }] of all.entries())
        assert.ok(from < end && (index === 0 || all[index - 1].end < from));
      if (all.length < 8 && changes.length < 8)
        assert.equal(Array.from({ length: 60 }, (_, at) => at).filter(has).length, model.size);
    }),
  );
  const spans = new TimeSpans();
  spans.add(Number.NEGATIVE_INFINITY, 9);
  spans.remove(5, 7);
  assert.deepEqual(spans.all, [
    { from: Number.NEGATIVE_INFINITY, end: 5 },
    { from: 7, end: 9 },
  ]);
  spans.clear();
  assert.equal(spans.all.length, 0);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ChangedRows } from "./changed_rows.ts";

test("a row is in once, and comes out in the order in which it came in", () => {
  const rows = new ChangedRows();
  assert.equal(rows.add(5_000), true);
  assert.equal(rows.add(1), true);
  assert.equal(rows.add(5_000), false);
  assert.equal(rows.size, 2);
  assert.deepEqual(rows.take(), [5_000, 1]);
  assert.equal(rows.size, 0);
  assert.equal(rows.add(1), true, "what was taken may change again");
});

test("however rows are added and taken, each is there exactly when it changed after it was taken", () => {
  const step = fc.oneof(fc.nat(40), fc.record({ take: fc.nat(10) }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const rows = new ChangedRows();
      let model: number[] = [];
      for (const what of steps) {
        if (typeof what === "number") {
          assert.equal(rows.add(what), !model.includes(what));
          if (!model.includes(what)) model.push(what);
        } else {
          assert.deepEqual(rows.take(what.take), model.slice(0, what.take));
          model = model.slice(what.take);
        }
        assert.equal(rows.size, model.length);
      }
    }),
  );
});

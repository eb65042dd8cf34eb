import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ReadySet } from "./ready_set.ts";

const step = fc.record({
  kind: fc.constantFrom("add", "add", "delete", "take", "take"),
  place: fc.oneof(fc.nat(40), fc.nat(1_000)),
});

test("whoever waits is visited once, in the order of places, and nobody twice before", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const sweep = new ReadySet();
      /** Who waits, and who was visited meanwhile. */
      const waiting = new Map<number, Set<number>>();
      let hand = 0;
      for (const { kind, place } of steps) {
        if (kind === "add") {
          sweep.add(place);
          if (!waiting.has(place)) waiting.set(place, new Set());
        } else if (kind === "delete") {
          sweep.delete(place);
          waiting.delete(place);
        } else if (waiting.size > 0) {
          const visited = sweep.take();
          const ahead = [...waiting.keys()].filter((each) => each >= hand);
          assert.equal(visited, Math.min(...(ahead.length > 0 ? ahead : waiting.keys())));
          waiting.delete(visited);
          for (const seen of waiting.values()) {
            assert.ok(!seen.has(visited), `${visited} twice while another one waits`);
            seen.add(visited);
          }
          hand = visited + 1;
        }
        assert.equal(sweep.size, waiting.size);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("the hand goes on where more places have come behind the last", () => {
  const sweep = new ReadySet();
  sweep.add(255);
  assert.equal(sweep.take(), 255);
  for (const place of [3, 256]) sweep.add(place);
  assert.deepEqual([sweep.take(), sweep.take()], [256, 3]);
});

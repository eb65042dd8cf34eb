import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Backoff } from "./backoff.ts";

test("a wait is between half and all of a time that doubles up to the limit", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000 }),
      fc.integer({ min: 1, max: 600_000 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 100 }),
      (min, max, randoms) => {
        let drawn = 0;
        const backoff = new Backoff(min, max, () => randoms[drawn++ % randoms.length]);
        for (let attempt = 0; attempt < 100; attempt++) {
          const ceiling = Math.min(max, min * 2 ** attempt);
          const wait = backoff.next();
          assert.ok(wait >= ceiling / 2 && wait <= ceiling, `${wait} at attempt ${attempt}`);
        }
        backoff.reset();
        assert.ok(backoff.next() <= Math.min(max, min));
      },
    ),
  );
});

test("two that fail together come back apart", () => {
  const waits = new Set(Array.from({ length: 20 }, () => new Backoff(1_000, 30_000).next()));
  assert.ok(waits.size > 10);
});

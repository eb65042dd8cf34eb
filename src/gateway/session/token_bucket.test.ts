import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TokenBucket } from "./token_bucket.ts";

test("gives its capacity at once, then so many a second", () => {
  const bucket = new TokenBucket(10, 3, 0);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => bucket.take(0)),
    [true, true, true, false],
  );
  assert.equal(bucket.take(99), false);
  assert.equal(bucket.take(100), true);
  assert.equal(bucket.take(100), false);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => bucket.take(60_000)),
    [true, true, true, false],
    "no more than its capacity",
  );
});

test("in any span of time no more than the capacity and the rate allow, and a refusal costs nothing", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 1, max: 300 }),
      fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 500 }),
      (perSecond, capacity, gaps) => {
        const bucket = new TokenBucket(perSecond, capacity, 0);
        let now = 0;
        let taken = 0;
        for (const gap of gaps) {
          now += gap;
          if (bucket.take(now)) taken++;
          assert.ok(taken <= capacity + (now * perSecond) / 1_000 + 1e-6);
        }
        assert.ok(taken >= Math.min(gaps.length, capacity));
        assert.equal(bucket.take(now + 1_000 / perSecond + 1e-3), true);
      },
    ),
    { numRuns: 300 },
  );
});

test("what was sent while the process stood still is not held against its sender, however long that was", () => {
  const bucket = new TokenBucket(10, 5, 0);
  bucket.take(0);
  // A second passes in which the process runs, then ten in which it does not.
  const taken = () => Array.from({ length: 200 }, () => bucket.take(11_000, 10_000)).filter(Boolean).length;
  assert.equal(taken(), 5 + 100);
  assert.equal(bucket.take(11_050, 10_000), false);
  assert.equal(bucket.take(11_100, 10_000), true);
});

test("more than there is may be spent, and is to be earned first", () => {
  const bucket = new TokenBucket(100, 10, 0);
  bucket.spend(60);
  assert.equal(bucket.isEmpty(500), true);
  assert.equal(bucket.isEmpty(520), false);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Trade, TradeRing } from "./trade_ring.ts";

/** What an array without a limit would hold. */
interface Kept extends Trade {
  readonly seq: number;
  readonly eventTime: number;
  readonly appliedAt: number;
}

const trade: fc.Arbitrary<Trade> = fc.record({
  price: fc.double({ noNaN: true, noDefaultInfinity: true }),
  size: fc.double({ min: 0.001, max: 1e9, noNaN: true }),
  side: fc.constantFrom(1, -1, 0),
  id: fc.oneof(
    fc.constant(null),
    fc.nat(40).map(String),
    fc.uuid(),
    fc.constantFrom("1e1", "0x10", " 7", "Infinity", "-1", "9007199254740993", "9007199254740992"),
  ),
});

const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("add" as const), trade, jump: fc.constantFrom(1, 1, 1, 4) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("double" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const), seq: fc.integer({ min: 0, max: 50 }) }) },
);

function readAt(ring: TradeRing, position: number): Kept {
  const slot = ring.slotOf(position);
  return {
    seq: ring.seq[slot],
    eventTime: ring.eventTime[slot],
    appliedAt: ring.appliedAt[slot],
    price: ring.price[slot],
    size: ring.size[slot],
    side: ring.side[slot],
    id: ring.ids[slot],
  };
}

test("a ring holds the latest of what an array would hold, whatever was added, and finds each by its number", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
      const ring = new TradeRing();
      let all: Kept[] = [];
      let [seq, first, capacity, added] = [0, 0, 16, 0];
      const stamps = new Set<number>();
      for (const each of steps) {
        if (each.kind === "add") {
          seq += each.jump;
          if (all.length === 0) first = seq;
          ring.add(seq, seq + 0.5, seq + 0.25, each.trade);
          all.push({ ...each.trade, seq, eventTime: seq + 0.5, appliedAt: seq + 0.25 });
          all = all.slice(-capacity);
          added++;
          stamps.add(ring.stamp[ring.slotOf(ring.end - 1)]);
        } else if (each.kind === "double") {
          ring.double();
          capacity *= 2;
        } else {
          ring.clear();
          all = [];
          seq = each.seq;
        }
        assert.deepEqual([ring.capacity, ring.count, ring.end], [capacity, all.length, added]);
        if (all.length > 0) assert.equal(ring.first, first);
        assert.deepEqual(
          Array.from({ length: ring.count }, (_, index) => readAt(ring, ring.start + index)),
          all,
        );
        // The last numbers without a gap.
        let run = Math.min(1, all.length);
        while (run < all.length && all[all.length - run - 1].seq === all[all.length - run].seq - 1) run++;
        assert.equal(ring.run, run);
        for (let number = (all[0]?.seq ?? 0) - 2; number <= seq + 2; number++)
          assert.equal(ring.after(number) - ring.start, all.filter((kept) => kept.seq <= number).length);
        for (const { id } of all) if (id !== null) assert.ok(ring.has(id), id);
        for (const id of ["0", "39", "100", "1e1", "none", "Infinity"])
          assert.equal(
            ring.has(id),
            all.some((kept) => kept.id === id),
            id,
          );
      }
      assert.equal(stamps.size, added, "each has a stamp of its own");
    }),
    { numRuns: 200 },
  );
});

test("a reader of any position gets what is there, and what was overwritten is counted exactly", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 0, max: 200 }), fc.nat(3), (total, read, grown) => {
      const ring = new TradeRing();
      for (let count = 0; count < grown; count++) ring.double();
      for (let seq = 1; seq <= total; seq++) ring.add(seq, seq, seq, { price: seq, size: 1, side: 0, id: null });
      const from = ring.after(read);
      const left = Array.from({ length: ring.end - from }, (_, index) => readAt(ring, from + index).seq);
      const missed = left.length > 0 ? left[0] - Math.min(read, total) - 1 : 0;
      assert.equal(missed, Math.max(0, total - ring.capacity - read));
      assert.equal(missed + left.length, Math.max(0, total - read));
    }),
  );
});

test("the trades of a publisher that takes over continue the numbers of its predecessor", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 1, max: 1_000 }),
      fc.boolean(),
      (count, behind, seq, hasIds) => {
        const ring = new TradeRing();
        for (let index = 1; index <= count; index++)
          ring.add(index, index * 10, index * 10, { price: index, size: 1, side: 0, id: hasIds ? `${index}` : null });
        const known = count - behind;
        const later = ring.follow(seq, known * 10, hasIds ? `${known}` : null);
        assert.equal(later, Math.min(behind, count, 16));
        assert.equal(ring.count, Math.min(later + 1, Math.min(count, 16)));
        assert.equal(ring.run, ring.count);
        for (let back = 0; back < ring.count; back++) {
          const kept = readAt(ring, ring.end - 1 - back);
          assert.deepEqual([kept.seq, kept.price], [seq + later - back, count - back]);
        }
      },
    ),
  );
});

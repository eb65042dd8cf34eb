import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../clock.ts";
import { ImmediateIndex } from "./immediate.ts";
import { Pacer } from "./pacer.ts";
import type { Subscription } from "./subscription.ts";

/** What the index knows of a subscription: that it is somebody. */
class Holder {
  due = 0;
  readonly rows = new Set<number>();
  id = -1;
  changed = false;
}

/** Notes who is hurried, and gives no turns. */
class NotingPacer extends Pacer {
  readonly hurried: unknown[] = [];

  override hurry(paced: unknown): void {
    this.hurried.push(paced);
  }
}

const step = fc.record({
  kind: fc.constantFrom("enter", "leave", "add", "add", "add", "remove", "wake", "wake", "take"),
  who: fc.nat(),
  row: fc.nat(5),
});

test("who holds a row that changes is woken, once until it has looked, and nobody else", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const clock = new ManualClock();
      const pacer = new NotingPacer(clock, 4);
      const index = new ImmediateIndex(pacer, clock);
      const holders: Holder[] = [];
      for (const { kind, who, row } of steps) {
        clock.advance(1);
        if (kind === "enter") {
          const holder = new Holder();
          holder.id = index.enter(holder as unknown as Subscription);
          assert.ok(!holders.some(({ id }) => id === holder.id), "an id is one subscription's");
          assert.ok(!index.hasChanged(holder.id));
          holders.push(holder);
        } else if (kind === "wake") {
          index.wake(row);
          const expected = holders.filter((holder) => holder.rows.has(row) && !holder.changed);
          const hurried = pacer.hurried.splice(0);
          assert.equal(hurried.length, expected.length);
          for (const holder of expected) {
            assert.ok(hurried.includes(holder));
            assert.equal(holder.due, clock.millis(), "its turn is due now");
            holder.changed = true;
          }
        } else if (holders.length > 0) {
          const holder = holders[who % holders.length];
          if (kind === "add" && !holder.rows.has(row)) {
            holder.rows.add(row);
            index.add(row, holder.id);
          } else if (kind === "remove" && holder.rows.delete(row)) index.remove(row, holder.id);
          else if (kind === "take") {
            index.take(holder.id);
            holder.changed = false;
          } else if (kind === "leave") {
            for (const held of holder.rows) index.remove(held, holder.id);
            index.leave(holder.id);
            holders.splice(holders.indexOf(holder), 1);
          }
        }
        for (const holder of holders) assert.equal(index.hasChanged(holder.id), holder.changed);
        for (let each = 0; each <= 5; each++)
          assert.equal(index.countOf(each), holders.filter(({ rows }) => rows.has(each)).length);
      }
    }),
    { numRuns: 300 },
  );
});

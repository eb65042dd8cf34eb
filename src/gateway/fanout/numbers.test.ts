import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Numbers } from "./numbers.ts";

test("every object has numbers of its own, which are 0 at first and stay while others come and go", () => {
  const step = fc.record({ take: fc.boolean(), which: fc.nat(), value: fc.integer({ min: 1, max: 1_000_000 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 40 }), (steps, size) => {
      const numbers = new Numbers(size);
      const objects: { at: number; value: number }[] = [];
      let most = 0;
      for (const { take, which, value } of steps) {
        if (take) {
          const at = numbers.take();
          for (let index = 0; index < size; index++) assert.equal(numbers.f64[at + index], 0);
          numbers.f64.fill(value, at, at + size);
          objects.push({ at, value });
          most = Math.max(most, objects.length);
        } else if (objects.length > 0) {
          const [gone] = objects.splice(which % objects.length, 1);
          numbers.give(gone.at);
        }
        for (const object of objects)
          for (let index = 0; index < size; index++) assert.equal(numbers.f64[object.at + index], object.value);
      }
      assert.ok(
        numbers.f64.length <= Math.max(16, 2 * most) * size,
        `${numbers.f64.length} numbers for ${most} objects`,
      );
    }),
  );
});

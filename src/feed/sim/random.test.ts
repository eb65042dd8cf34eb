import assert from "node:assert/strict";
import { test } from "node:test";
import { AliasTable, Random } from "./random.ts";

test("a seed decides the numbers, its upper bits too", () => {
  const numbers = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 100 }, () => random.uint32());
  };
  assert.deepEqual(numbers(7), numbers(7));
  assert.notDeepEqual(numbers(7), numbers(8));
  assert.notDeepEqual(numbers(7), numbers(7 + 2 ** 40));
});

test("uniform and normal numbers have the mean and the variance that they should", () => {
  const random = new Random(1);
  let sum = 0;
  let normalSum = 0;
  let squares = 0;
  const count = 100_000;
  for (let i = 0; i < count; i++) {
    const unit = random.unit();
    assert.ok(unit >= 0 && unit < 1);
    sum += unit;
    const normal = random.normal();
    normalSum += normal;
    squares += normal * normal;
  }
  assert.ok(Math.abs(sum / count - 0.5) < 0.01);
  assert.ok(Math.abs(normalSum / count) < 0.02);
  assert.ok(Math.abs(squares / count - 1) < 0.02);
});

test("an alias table picks in proportion to the weights", () => {
  const weights = [1, 2, 3, 4, 90];
  const table = new AliasTable(weights);
  const random = new Random(3);
  const picked = [0, 0, 0, 0, 0];
  for (let i = 0; i < 100_000; i++) picked[table.pick(random)]++;
  for (const [i, weight] of weights.entries())
    assert.ok(Math.abs(picked[i] / 1_000 - weight) < 0.6, `${picked[i]} picks of weight ${weight} %`);
  assert.equal(new AliasTable([5]).pick(random), 0);
});

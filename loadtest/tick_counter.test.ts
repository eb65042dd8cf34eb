import assert from "node:assert/strict";
import { test } from "node:test";
import { pack } from "msgpackr";
import { createTarget } from "../src/protocol/msgpack.ts";
import { Ages } from "./ages.ts";
import { countTicks, isControl } from "./tick_counter.ts";

const NOW = 1_700_000_000_000_500.5;

function count(message: unknown, cut = 0): { ticks: number; ages: Ages } {
  const bytes = pack(message);
  const target = createTarget(bytes.length + 16);
  target.bytes.set(bytes);
  const ages = new Ages();
  return { ticks: countTicks(target, 0, bytes.length - cut, NOW, ages), ages };
}

function frame(ticks: number): unknown[] {
  const values = [null, 0, 1.5, 127, 128, 65_535, 65_536, 4_294_967_295, -1, 1e100];
  return [NOW, ...Array.from({ length: ticks }, (_, handle) => [handle * 100, 70_000, NOW - 400, ...values])];
}

for (const ticks of [0, 1, 14, 15, 16, 300])
  test(`a frame of ${ticks} ticks is counted, with their ages`, () => {
    const { ticks: counted, ages } = count(frame(ticks));
    assert.equal(counted, ticks);
    assert.equal(ages.count, ticks);
    if (ticks > 0) assert.ok(ages.quantile(1) >= 400 && ages.quantile(1) < 416);
  });

test("what is no data frame is said to be none", () => {
  for (const message of [{ op: "hello" }, "text", [NOW, [1, 2]], [NOW, [1, 2, NOW, "text"]], ["then", [1, 2, NOW]]])
    assert.equal(count(message).ticks, -1);
  assert.equal(count(frame(3), 1).ticks, -1, "a frame without its last byte");
});

test("control messages are told from data frames by their first byte", () => {
  assert.equal(isControl(pack({ op: "hello" })[0]), true);
  assert.equal(isControl(pack(frame(1))[0]), false);
});

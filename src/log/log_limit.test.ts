import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { ManualClock } from "../base/clock.ts";
import { LogLimit } from "./log_limit.ts";

const LIMIT = { lines: 2, period: 10_000 };

function bench(level = "info") {
  const clock = new ManualClock();
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level, base: null, timestamp: false }, { write: (line: string) => lines.push(JSON.parse(line)) });
  return { clock, limit: new LogLimit(log, clock, LIMIT), take: () => lines.splice(0) };
}

test("so many of a kind are logged in a period; when it is over, how many more there were", () => {
  const { clock, limit, take } = bench();
  for (let session = 1; session <= 314; session++) limit.add("warn", { session }, "closing");
  assert.deepEqual(
    take().map(({ session, msg, level }) => [session, msg, level]),
    [
      [1, "closing", 40],
      [2, "closing", 40],
    ],
  );
  limit.look();
  assert.deepEqual(take(), [], "the period is not over");
  clock.advance(10_000);
  limit.look();
  assert.deepEqual(take(), [{ level: 40, of: "closing", more: 312, seconds: 10, msg: "and more of these" }]);
  limit.look();
  assert.deepEqual(take(), []);
  limit.add("warn", { session: 315 }, "closing");
  assert.equal(take().length, 1, "a new period");
});

test("an event after the period says what was left out in it first", () => {
  const { clock, limit, take } = bench();
  for (let count = 0; count < 5; count++) limit.add("info", {}, "refused");
  take();
  clock.advance(12_000);
  limit.add("info", { last: true }, "refused");
  assert.deepEqual(
    take().map(({ more, last }) => more ?? last),
    [3, true],
  );
});

test("kinds do not take each other's lines, and there are not more of them than can be", () => {
  const { limit, take } = bench();
  for (let count = 0; count < 3; count++)
    for (const variant of ["a", "b"]) limit.add("info", { variant }, "closing", variant);
  assert.equal(take().length, 4);
  for (let kind = 0; kind < 1_000; kind++) limit.add("info", {}, `kind ${kind}`);
  assert.equal(take().length, 98);
  limit.close();
  assert.deepEqual(
    take().map(({ more }) => more),
    [1, 1],
  );
});

test("what the level leaves out is not counted", () => {
  const { limit, take } = bench("error");
  for (let count = 0; count < 5; count++) limit.add("warn", {}, "closing");
  limit.close();
  assert.deepEqual(take(), []);
});

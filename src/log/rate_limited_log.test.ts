import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { ManualClock } from "../base/clock.ts";
import { RateLimitedLog } from "./rate_limited_log.ts";

const LIMIT = { lines: 2, period: 10_000 };

function bench(level = "info") {
  const clock = new ManualClock();
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level, base: null, timestamp: false }, { write: (line: string) => lines.push(JSON.parse(line)) });
  return { clock, limit: new RateLimitedLog(log, clock, LIMIT), take: () => lines.splice(0) };
}

test("a limited number of lines of a kind is written in a period; afterwards the count of the others", () => {
  const { clock, limit, take } = bench();
  for (let session = 1; session <= 314; session++) limit.write("warn", { session }, "closing");
  assert.deepEqual(
    take().map(({ session, msg, level }) => [session, msg, level]),
    [
      [1, "closing", 40],
      [2, "closing", 40],
    ],
  );
  limit.reportExpired();
  assert.deepEqual(take(), [], "the period is not over");
  clock.advance(10_000);
  limit.reportExpired();
  assert.deepEqual(take(), [{ level: 40, of: "closing", more: 312, seconds: 10, msg: "and more of these" }]);
  limit.reportExpired();
  assert.deepEqual(take(), []);
  limit.write("warn", { session: 315 }, "closing");
  assert.equal(take().length, 1, "a new period");
});

test("an event after the period reports first how many were omitted in it", () => {
  const { clock, limit, take } = bench();
  for (let count = 0; count < 5; count++) limit.write("info", {}, "refused");
  take();
  clock.advance(12_000);
  limit.write("info", { last: true }, "refused");
  assert.deepEqual(
    take().map(({ more, last }) => more ?? last),
    [3, true],
  );
});

test("each kind has its own limit, and the number of kinds is limited", () => {
  const { limit, take } = bench();
  for (let count = 0; count < 3; count++)
    for (const variant of ["a", "b"]) limit.write("info", { variant }, "closing", variant);
  assert.equal(take().length, 4);
  for (let kind = 0; kind < 1_000; kind++) limit.write("info", {}, `kind ${kind}`);
  assert.equal(take().length, 98);
  limit.close();
  assert.deepEqual(
    take().map(({ more }) => more),
    [1, 1],
  );
});

test("events below the level of the log are not counted", () => {
  const { limit, take } = bench("error");
  for (let count = 0; count < 5; count++) limit.write("warn", {}, "closing");
  limit.close();
  assert.deepEqual(take(), []);
});

test("when all kinds are in use, those of a period that is over make room", () => {
  const { clock, limit, take } = bench();
  for (let kind = 0; kind < 100; kind++) limit.write("info", {}, `kind ${kind}`);
  limit.write("info", {}, "a new kind");
  assert.equal(take().length, 100);
  clock.advance(10_000);
  limit.write("info", {}, "a new kind");
  assert.deepEqual(
    take().map(({ msg }) => msg),
    ["a new kind"],
  );
});

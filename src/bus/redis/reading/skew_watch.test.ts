import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { ManualClock } from "../../../base/clock.ts";
import { RateLimitedLog } from "../../../log/rate_limited_log.ts";
import { HeardFeed } from "../../../market/heard_feed.ts";
import { SkewWatch } from "./skew_watch.ts";

test("a wrong clock is reported once, and once when it is right again; doubt and small differences are not", () => {
  const lines: string[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line: string) => void lines.push(line) });
  const watch = new SkewWatch(50, new RateLimitedLog(log, new ManualClock()));
  const [feed, other] = [new HeardFeed("F"), new HeardFeed("G")];
  const look = (skew: number, uncertainty = 100) => {
    feed.compare({ offset: skew * 1_000, uncertainty }, { offset: 0, uncertainty: 0 });
    watch.check(feed);
    watch.check(other);
    return lines.splice(0).map((line) => JSON.parse(line));
  };
  assert.deepEqual(look(0), []);
  assert.deepEqual(look(49), []);
  assert.deepEqual(look(3_000, 2_960_000), [], "it may well be 40 ms");
  const text = "a feed's clock differs from ours: one of the two is wrong";
  assert.deepEqual(look(-3_000), [{ level: 40, feed: "F", aheadMillis: -3_000, msg: text }]);
  assert.deepEqual(look(-3_100), []);
  assert.deepEqual(look(-40), [], "near the limit it is still the same");
  assert.deepEqual(look(1), [{ level: 30, feed: "F", aheadMillis: 1, msg: "a feed's clock agrees with ours again" }]);
  assert.equal(look(60).length, 1);
});

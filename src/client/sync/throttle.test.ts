import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualTime } from "../../../test/support/fake_connection.ts";
import { Throttle } from "./throttle.ts";

test("commands stay within the gateway's rate limit, and are made only when they can be sent", () => {
  const time = new ManualTime();
  const sent: number[] = [];
  let waiting = 30;
  let made = 0;
  const throttle = new Throttle(
    time,
    10,
    () => (waiting > 0 ? { op: "ping", id: ++made + 0 * waiting-- } : undefined),
    () => sent.push(time.millis()),
  );
  throttle.flush();
  throttle.flush();
  assert.deepEqual([sent.length, made], [4, 4], "a burst of half a second's");
  time.advance(10_000);
  assert.equal(sent.length, 30);
  // The gateway's token bucket, of 10 with 10 per second, is never empty.
  for (let first = 0; first < sent.length; first++)
    for (let last = first; last < sent.length; last++)
      assert.ok(last - first + 1 <= 10 + ((sent[last] - sent[first]) / 1_000) * 10);
  assert.equal(time.timers, 0, "where nothing waits, no timer runs");
  waiting = 10;
  throttle.flush();
  assert.equal(time.timers, 1);
  throttle.close();
  assert.equal(time.timers, 0);
  throttle.flush();
  time.advance(10_000);
  assert.equal(made, 34);
});

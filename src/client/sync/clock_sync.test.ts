import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualTime } from "../../../test/support/fake_connection.ts";
import { ClockSync } from "./clock_sync.ts";

/** How far the gateway's clock is ahead, µs. */
const AHEAD = 5_000_000;

test("the clocks' difference is what the quickest ping of late says", () => {
  const time = new ManualTime();
  const sync = new ClockSync(time);
  /** A ping with these latencies, ms. */
  const ping = (there: number, back: number) => {
    const sentAt = time.millis();
    time.advance(there);
    const then = time.micros() + AHEAD;
    time.advance(back);
    sync.ponged(sentAt, then);
    return sync.offset - AHEAD;
  };
  sync.greeted(time.micros() + AHEAD - 30_000);
  assert.equal(sync.offset, AHEAD - 30_000, "until a ping knows better, what hello says");
  assert.equal(ping(60, 20), 20_000);
  assert.equal(sync.roundTrip, 80);
  assert.equal(ping(10, 10), 0);
  assert.equal(ping(100, 0), 0, "a slow one is not believed");
  assert.equal(sync.roundTrip, 100);
  assert.equal(sync.micros(), time.micros() + AHEAD);
  for (let count = 0; count < 7; count++) ping(30, 20);
  assert.equal(ping(30, 20), 5_000, "after some of them it is: the way has become longer, or clocks drift");
});

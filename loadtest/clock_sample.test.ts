import assert from "node:assert/strict";
import { test } from "node:test";
import { isLocal, offsetOf } from "./clock_sample.ts";

test("the ping with the shortest round trip gives the offset and its largest error", () => {
  // The other clock is 5,000 µs ahead. One pong waited for 900 µs before it was sent back, another on its way back.
  const samples = [
    { sent: 0, received: 1_000, time: 5_950 },
    { sent: 2_000, received: 2_100, time: 7_052 },
    { sent: 3_000, received: 4_000, time: 8_050 },
  ];
  assert.deepEqual(offsetOf(samples), { offset: 5_002, error: 50 });
});

test("without a sample there is no offset", () => {
  assert.throws(() => offsetOf([]), /no ping was answered/);
});

test("addresses of this machine are recognised", () => {
  for (const host of ["127.0.0.1", "127.8.0.4", "localhost", "[::1]"]) assert.equal(isLocal(host), true, host);
  for (const host of ["10.0.0.1", "gate.example.com", "127.example.com"]) assert.equal(isLocal(host), false, host);
});

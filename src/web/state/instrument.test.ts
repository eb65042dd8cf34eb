import assert from "node:assert/strict";
import { test } from "node:test";
import type { Quote } from "../../client/client.ts";
import { Instrument } from "./instrument.ts";

/** A quote as it stands at some time, s. */
function quoteAt(
  seconds: number,
  values: Partial<Record<"last" | "bid" | "ask" | "open", number>>,
  state = "live",
): Quote {
  const none = { last: null, bid: null, ask: null, open: null };
  return { seq: seconds, receivedAt: seconds * 1e6, state, ...none, ...values } as unknown as Quote;
}

test("the price is the last one, or the middle of bid and ask where there was no trade", () => {
  const instrument = new Instrument("A");
  assert.ok(instrument.update(quoteAt(1, { bid: 10, ask: 12, open: 10 }), 1_000));
  assert.equal(instrument.price, 11);
  assert.equal(instrument.change, 1);
  assert.equal(instrument.share, 0.1);
  instrument.update(quoteAt(2, { bid: 10, ask: 12, last: 9, open: 10 }), 2_000);
  assert.equal(instrument.price, 9);
  assert.equal(instrument.change, -1);
  instrument.update(quoteAt(3, { bid: 10 }), 3_000);
  assert.equal(instrument.price, null);
  assert.equal(instrument.change, null);
  assert.equal(instrument.trend.length, 2);
});

test("the change has its sign whatever the open's is; of an open that is 0 or not known there is no share", () => {
  const moved = (last: number, open?: number) => {
    const instrument = new Instrument("A");
    instrument.update(quoteAt(1, open === undefined ? { last } : { last, open }), 1_000);
    return [instrument.change, instrument.share];
  };
  assert.deepEqual(moved(-2.45, -2), [-0.45, -0.225]);
  assert.deepEqual(moved(-1.5, -2), [0.5, 0.25]);
  assert.deepEqual(moved(1, -2), [3, 1.5]);
  assert.deepEqual(moved(1.3, 1.2), [0.1, 0.1 / 1.2]);
  assert.deepEqual(moved(5, 0), [5, null]);
  assert.deepEqual(moved(5), [null, null]);
  assert.deepEqual(moved(5, 5), [0, 0]);
});

test("the direction is that of the last price change", () => {
  const instrument = new Instrument("A");
  const directions = [5, 5, 6, 6, 4].map((last, index) => {
    instrument.update(quoteAt(index + 1, { last }), 0);
    return instrument.direction;
  });
  assert.deepEqual(directions, [0, 0, 1, 1, -1]);
});

test("a symbol that nobody publishes has no price that could be stale, until it has ticked", () => {
  const instrument = new Instrument("A");
  assert.equal(instrument.state, undefined);
  instrument.update(quoteAt(0, {}, "stale"), 1_000);
  assert.deepEqual([instrument.state, instrument.isOld], ["unknown", false]);
  instrument.update(quoteAt(1, { last: 5 }, "stale"), 2_000);
  assert.deepEqual([instrument.state, instrument.isOld], ["stale", true]);
});

test("a state alone is no tick; times of silence are kept, and not without end", () => {
  const instrument = new Instrument("A");
  instrument.update(quoteAt(1, { last: 5 }), 1_000);
  assert.ok(!instrument.update(quoteAt(1, { last: 5 }, "stale"), 2_000));
  assert.ok(instrument.isOld);
  instrument.update(quoteAt(2, { last: 5 }), 3_000);
  assert.deepEqual(instrument.silences, [{ from: 2_000, to: 3_000 }]);
  for (let round = 0; round < 500; round++) {
    instrument.update(quoteAt(2, { last: 5 }, "stale"), 4_000 + round);
    instrument.update(quoteAt(2, { last: 5 }), 4_000 + round);
  }
  assert.equal(instrument.silences.length, 100);
});

test("the state is told in words, and what the gateway has ended says why", () => {
  const instrument = new Instrument("A");
  assert.equal(instrument.stateText, "unknown");
  for (const [state, reason, text] of [
    ["live", "", "live"],
    ["stale", "nothing heard from the feed", "stale"],
    ["stale", "not_entitled", "not entitled"],
    ["stale", "expired", "token expired"],
  ]) {
    instrument.update({ ...quoteAt(1, { last: 1 }, state), reason } as Quote, 1_000);
    assert.equal(instrument.stateText, text);
  }
});

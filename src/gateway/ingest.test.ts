/** How symbols stand whose stream is silent, or not heard yet. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionBench } from "../../test/support/session_bench.ts";
import { CLOSED, LIVE, STALE } from "../base/tick.ts";

const SILENCE = "nothing heard from the feed";

function bench() {
  const bench = new SessionBench("tickgate.v1.json", { hear() {} } as never);
  const { table } = bench.context;
  const state = (symbol: string) => {
    const row = table.rowOf(symbol);
    return [table.state[row], table.reasons[row], table.since[row]];
  };
  return { bench, ingest: bench.ingest, clock: bench.clock, state };
}

test("what is read of a stream that is not heard is stale, since its feed was alive, and live when it speaks", () => {
  const { bench: b, ingest, clock, state } = bench();
  ingest.silent(3, 1_000);
  b.record("A", { stream: 3, epoch: 1, seq: 1 });
  b.record("B", { stream: 4, epoch: 1, seq: 1 });
  assert.deepEqual(state("A"), [STALE, SILENCE, 1_000]);
  assert.equal(state("B")[0], LIVE);
  // More of the store was read.
  ingest.silent(3, 2_000);
  b.record("C", { stream: 3, epoch: 1, seq: 1 });
  assert.deepEqual(
    [state("A"), state("C")],
    [
      [STALE, SILENCE, 2_000],
      [STALE, SILENCE, 2_000],
    ],
  );
  ingest.speaking(3);
  assert.deepEqual(state("A"), [LIVE, "", clock.micros()]);
  assert.equal(state("C")[0], LIVE);
});

test("what a feed says of its symbols stays, whatever its words, and whenever it is silent", () => {
  const { bench: b, ingest, state } = bench();
  ingest.silent(3, 1_000);
  const own = { stream: 3, epoch: 1, seq: 1, since: 7 };
  b.record("LOST", { ...own, state: STALE, reason: "connection lost" });
  b.record("ENDED", { ...own, state: CLOSED, reason: "the market has closed" });
  // A feed may pass on what a gateway told it.
  b.record("RELAYED", { ...own, state: STALE, reason: SILENCE });
  b.record("ENDED2", { ...own, state: CLOSED, reason: SILENCE });
  ingest.silent(3, 2_000);
  ingest.speaking(3);
  assert.deepEqual(state("LOST"), [STALE, "connection lost", 7]);
  assert.deepEqual(state("ENDED"), [CLOSED, "the market has closed", 7]);
  assert.deepEqual(state("RELAYED"), [STALE, SILENCE, 7]);
  assert.deepEqual(state("ENDED2"), [CLOSED, SILENCE, 7]);
});

test("a symbol that has come to another stream does not follow the first one", () => {
  const { bench: b, ingest, state } = bench();
  b.record("A", { stream: 1, epoch: 1, seq: 1 });
  ingest.silent(1, 1_000);
  b.record("A", { stream: 2, epoch: 2, seq: 1 });
  assert.equal(state("A")[0], LIVE);
  // What the store still has of the first is older, and says nothing.
  b.record("A", { stream: 1, epoch: 1, seq: 1 });
  assert.equal(state("A")[0], LIVE);
  ingest.silent(2, 3_000);
  ingest.speaking(1);
  assert.deepEqual(state("A"), [STALE, SILENCE, 3_000]);
});

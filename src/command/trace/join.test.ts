import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppliedLine, SentLine } from "../../gateway/latency/tracer.ts";
import { type Traced, TraceJoin } from "./join.ts";

const EVENT = 1_700_000_000_000_000;

function applied(seq: number, own: Partial<AppliedLine> = {}): AppliedLine {
  return {
    line: "applied",
    seq,
    eventTime: EVENT,
    appliedAt: EVENT + 600,
    source: 100,
    feed: 200,
    bus: 300,
    lost: 0,
    ...own,
  };
}

function sent(seq: number, own: Partial<SentLine> = {}): SentLine {
  return { line: "sent", seq, sentAt: EVENT + 1_000, interval: 250, server: 100, client: 50, ...own };
}

function bench() {
  const told: Traced[] = [];
  return { told, join: new TraceJoin((traced) => told.push(traced)) };
}

test("the stages of a tick add up to its total, in any order of its parts", () => {
  type Part = (join: TraceJoin) => void;
  const parts: Part[] = [
    (join) => join.applied(applied(7)),
    (join) => join.sent(sent(7)),
    (join) => join.arrived(7, EVENT + 1_500),
  ];
  for (const order of [
    [0, 1, 2],
    [2, 0, 1],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    const { told, join } = bench();
    for (const index of order) parts[index](join);
    const stages = { source: 100, feed: 200, bus: 300, interval: 250, server: 100, client: 50, network: 500 };
    assert.deepEqual(told, [{ kind: "tick", seq: 7, eventTime: EVENT, stages, total: 1_500 }]);
    assert.equal(
      Object.values(stages).reduce((sum, stage) => sum + stage),
      1_500,
    );
  }
});

test("if the node cannot separate the first stages, they are one", () => {
  const { told, join } = bench();
  join.applied(applied(7, { source: null, feed: null, bus: null }));
  join.sent(sent(7));
  join.arrived(7, EVENT + 1_100);
  const [tick] = told;
  assert.ok(tick.kind === "tick");
  assert.deepEqual(tick.stages, { inbound: 600, interval: 250, server: 100, client: 50, network: 100 });
});

test("a tick that seems to arrive before it was sent, by inexact clocks, has a network stage of 0", () => {
  const { told, join } = bench();
  join.applied(applied(7));
  join.sent(sent(7));
  join.arrived(7, EVENT + 900);
  const [tick] = told;
  assert.ok(tick.kind === "tick");
  assert.deepEqual([tick.stages.network, tick.total], [0, 1_000]);
});

test("replaced ticks are reported, with the place", () => {
  const { told, join } = bench();
  for (const seq of [1, 2, 3, 6]) join.applied(applied(seq));
  join.sent(sent(6, { interval: 10, server: 5, client: 900 }));
  join.arrived(6, EVENT + 1_100);
  assert.deepEqual(
    told.map((traced) => (traced.kind === "conflated" ? [traced.from, traced.to, traced.by, traced.why] : traced.kind)),
    [[4, 5, 6, "feed"], [1, 3, 6, "client"], "tick"],
  );
});

test("ticks that the node left out are counted, and are not conflation", () => {
  const { told, join } = bench();
  join.applied(applied(1));
  join.applied(applied(9, { lost: 7 }));
  assert.deepEqual(told, [{ kind: "untold", count: 7 }]);
});

test("ticks that never arrive are dropped", () => {
  const { told, join } = bench();
  for (let seq = 1; seq <= 50_000; seq++) join.arrived(seq, EVENT);
  join.applied(applied(1));
  join.sent(sent(1));
  assert.deepEqual(told, [], "it has been dropped");
});

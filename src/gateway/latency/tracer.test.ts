import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionBench } from "../../../test/support/session_bench.ts";
import { MOST_TRACES, type TraceLine, type TraceOutput } from "./tracer.ts";

const deaf = { control() {}, frame() {} };

class KeptTrace implements TraceOutput {
  ready = true;
  readonly lines: TraceLine[] = [];

  line(line: TraceLine): void {
    this.lines.push(line);
  }

  end(): void {}
}

function bench() {
  const bench = new SessionBench("tickgate.v1.json", deaf);
  bench.session.open();
  bench.advance(10);
  const { table, tracer } = bench.context;
  return { bench, tracer, row: table.hold("A", 10, 0) };
}

test("a tick is told when it is applied, and when it is sent: for what it waited adds up", () => {
  const { bench: one, tracer, row } = bench();
  one.send({ op: "subscribe", symbols: ["A", "B"], interval: 100 });
  one.record("A", { epoch: 1, seq: 1 });
  one.record("B", { epoch: 1, seq: 1 });
  one.advance(400);
  const trace = new KeptTrace();
  const end = tracer.follow(row, one.session, trace);
  one.record("A", { epoch: 1, seq: 2 });
  one.record("B", { epoch: 1, seq: 2 });
  one.advance(300);
  const [applied, sent, ...more] = trace.lines;
  assert.deepEqual(more, [], "the other symbol is not traced");
  assert.ok(applied.line === "applied" && sent.line === "sent");
  assert.deepEqual([applied.seq, sent.seq, applied.lost], [2, 2, 0]);
  assert.equal(sent.interval + sent.server + sent.client, sent.sentAt - applied.appliedAt);
  for (const stage of [sent.interval, sent.server, sent.client]) assert.ok(stage >= 0);
  end?.();
  one.record("A", { epoch: 1, seq: 3 });
  one.advance(300);
  assert.equal(trace.lines.length, 2, "it has ended");
  assert.equal(tracer.isActive, false);
});

test("what is held back by a full window is the client's", () => {
  const { bench: one, tracer, row } = bench();
  one.send({ op: "subscribe", symbols: ["A"], interval: 0 });
  one.record("A", { epoch: 1, seq: 1 });
  one.advance(50);
  const trace = new KeptTrace();
  tracer.follow(row, one.session, trace);
  one.outbound.narrow = 0;
  one.record("A", { epoch: 1, seq: 2 });
  one.advance(500);
  one.outbound.narrow = Number.POSITIVE_INFINITY;
  one.advance(500);
  const [applied, sent] = trace.lines;
  assert.ok(applied.line === "applied" && sent.line === "sent");
  assert.ok(sent.client > 400_000, `${sent.client} µs`);
  assert.equal(sent.interval + sent.server + sent.client, sent.sentAt - applied.appliedAt);
});

test("who does not read is told how much was left out; more than so many traces are refused", () => {
  const { bench: one, tracer, row } = bench();
  const trace = new KeptTrace();
  tracer.follow(row, undefined, trace);
  one.record("A", { epoch: 1, seq: 1 });
  trace.ready = false;
  for (let seq = 2; seq <= 5; seq++) one.record("A", { epoch: 1, seq });
  trace.ready = true;
  one.record("A", { epoch: 1, seq: 6 });
  assert.deepEqual(
    trace.lines.map((line) => line.line === "applied" && [line.seq, line.lost]),
    [
      [1, 0],
      [6, 4],
    ],
  );
  for (let count = 1; count < MOST_TRACES; count++) assert.ok(tracer.follow(row, undefined, new KeptTrace()));
  assert.equal(tracer.follow(row, undefined, new KeptTrace()), undefined);
});

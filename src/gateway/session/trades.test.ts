import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { openTape } from "../../../test/support/tape_bench.ts";
import type { ChannelSubscribed, Status } from "../../protocol/messages.ts";

for (const subprotocol of ["tickgate.v1.msgpack", "tickgate.v1.json"] as const) {
  test(`${subprotocol}: each trade comes once, in order, behind the past ones that were asked for`, () => {
    const { bench, client, trade, subscribe } = openTape(subprotocol);
    for (let seq = 1; seq <= 30; seq++) trade("A", seq);
    subscribe({ last: 10, interval: 250, id: 7 });
    const [granted] = client.messages.filter(({ op }) => op === "subscribed") as unknown as ChannelSubscribed[];
    assert.equal(granted.channel, "trade");
    assert.equal(granted.id, 7);
    assert.ok(!("fields" in granted));
    assert.deepEqual(
      granted.symbols.map(([symbol, , count]) => [symbol, count]),
      [["A", 10]],
    );
    bench.advance(50);
    assert.deepEqual(
      client.got.map(([, seq]) => seq),
      [21, 22, 23, 24, 25, 26, 27, 28, 29, 30],
    );
    for (let seq = 31; seq <= 60; seq++) {
      trade("A", seq);
      bench.advance(20);
    }
    bench.advance(500);
    assert.deepEqual(
      client.got.map(([, seq]) => seq),
      Array.from({ length: 40 }, (_, index) => 21 + index),
    );
    assert.ok(client.frames <= 6, `${client.frames} frames: at most one in 250 ms`);
    assert.deepEqual(client.breaches, []);
  });
}

test("without last, only what comes later is sent; as much as there is where more is asked for", () => {
  const { bench, client, trade, subscribe } = openTape();
  for (let seq = 1; seq <= 5; seq++) trade("A", seq);
  subscribe();
  bench.advance(200);
  assert.equal(client.got.length, 0);
  trade("A", 6);
  bench.advance(200);
  assert.deepEqual(
    client.got.map(([, seq]) => seq),
    [6],
  );
  subscribe({ last: 1_000 });
  bench.advance(200);
  assert.deepEqual(
    client.got.map(([, seq]) => seq),
    [6, 1, 2, 3, 4, 5, 6],
  );
});

test("what was broadcast does not come again with a new grant", () => {
  const { bench, client, trade, subscribe } = openTape();
  trade("A", 1);
  subscribe({ interval: 0 });
  bench.advance(100);
  for (let seq = 2; seq <= 9; seq++) trade("A", seq);
  assert.ok(bench.context.counts.ticksBroadcast > 0);
  subscribe({ interval: 100 });
  bench.advance(300);
  const grants = client.messages.filter(({ op }) => op === "subscribed") as unknown as ChannelSubscribed[];
  assert.equal(grants[1].symbols[0][2], 0);
  assert.deepEqual(
    client.got.map(([, seq]) => seq),
    [2, 3, 4, 5, 6, 7, 8, 9],
  );
});

test("a trade that the bus has lost is a gap with the number missed, before what follows it", () => {
  const { bench, client, trade, subscribe } = openTape();
  trade("A", 1);
  subscribe({ interval: 0 });
  bench.advance(50);
  for (const seq of [2, 3, 7, 8, 12]) trade("A", seq);
  bench.advance(200);
  assert.deepEqual(
    client.got.map(([, seq]) => seq),
    [2, 3, 7, 8, 12],
  );
  assert.deepEqual(client.breaches, []);
  assert.equal(client.missed.get("A"), 6);
  assert.equal(bench.context.counts.ticksMissed, 6);
});

test("a client that reads too slowly misses the oldest, is told how many, and its trades are not old", () => {
  const { bench, client, trade, subscribe } = openTape();
  trade("A", 1);
  subscribe({ interval: 100 });
  bench.advance(300);
  bench.outbound.narrow = 0;
  let seq = 1;
  for (let count = 0; count < 5_000; count++) {
    trade("A", ++seq);
    if (count % 2 === 0) bench.advance(5);
  }
  bench.outbound.narrow = Number.POSITIVE_INFINITY;
  bench.outbound.resume();
  bench.advance(500);
  assert.deepEqual(client.breaches, []);
  assert.equal(client.got.at(-1)?.[1], seq, "it has the newest");
  const first = client.got.find(([, number]) => number > 2)?.[1] ?? 0;
  assert.equal((client.missed.get("A") ?? 0) + client.got.length, seq - 1, "each is sent or counted");
  // 400 trades a second: at most 1.7 s of them.
  assert.ok(seq - first <= 400 * 1.75, `${seq - first} trades late`);
});

test("numbers that go back are a reset: the tape begins anew", () => {
  const { bench, client, trade, subscribe } = openTape();
  for (let seq = 1; seq <= 9; seq++) trade("A", seq);
  subscribe({ interval: 0, last: 3 });
  bench.advance(50);
  trade("A", 2, { epoch: 2 });
  trade("A", 3, { epoch: 2 });
  bench.advance(200);
  assert.deepEqual(
    client.got.map(([, seq]) => seq),
    [7, 8, 9, 2, 3],
  );
  const resets = client.messages.filter((message) => message.op === "status" && message.reason === "reset") as Status[];
  assert.deepEqual(
    resets.map(({ state, missed }) => [state, missed]),
    [["gap", null]],
  );
  assert.deepEqual([client.missed.size, client.breaches], [0, []]);
  assert.equal(bench.context.counts.ticksMissed, 0);
});

test("a pattern gets all trades of a symbol that appears after it", () => {
  const { bench, client, trade, subscribe } = openTape();
  subscribe({ symbols: ["*"] });
  for (let seq = 1; seq <= 3; seq++) trade("NEW", seq);
  bench.advance(300);
  assert.deepEqual(
    client.got.map(([, seq]) => seq),
    [1, 2, 3],
  );
  assert.deepEqual(client.breaches, []);
});

test("quotes and trades of one symbol have handles of their own, and end apart", () => {
  const { bench, client, trade, subscribe } = openTape();
  bench.record("A", { epoch: 1, seq: 1 });
  trade("A", 1);
  const all = client.frame.bind(client);
  const ticks: number[] = [];
  client.frame = (_sentAt, frame) => void ticks.push(...(frame as number[][]).map(([handle]) => handle));
  subscribe({ last: 1 });
  bench.send({ op: "subscribe", symbols: ["A"] });
  bench.advance(200);
  assert.equal(new Set(ticks).size, 2);
  client.frame = all;
  assert.equal(bench.session.symbols, 2);
  bench.send({ op: "unsubscribe", symbols: ["*"] });
  bench.advance(50);
  assert.equal(bench.session.symbols, 1, "of quotes where no channel is named");
  bench.send({ op: "unsubscribe", channel: "trade", symbols: ["A"] });
  bench.advance(50);
  assert.equal(bench.session.symbols, 0);
});

test("wrong parameters are named", () => {
  const { bench, client } = openTape();
  for (const part of [
    { channel: "news" },
    { channel: "trade", last: -1 },
    { channel: "trade", last: 1_001 },
    { channel: "trade", last: 1.5 },
    { channel: "book", depth: 0 },
    { channel: "book", depth: 51 },
    { channel: 5 },
  ])
    bench.send({ op: "subscribe", symbols: ["A"], ...part });
  assert.deepEqual(
    client.messages.flatMap((message) => (message.op === "error" ? [message.code] : [])),
    [
      "unknown_channel",
      "invalid_last",
      "invalid_last",
      "invalid_last",
      "invalid_depth",
      "invalid_depth",
      "bad_message",
    ],
  );
});

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("trade" as const),
      symbol: fc.constantFrom("A", "B"),
      jump: fc.constantFrom(1, 1, 1, 1, 3),
      count: fc.integer({ min: 1, max: 12 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("advance" as const), millis: fc.constantFrom(5, 30, 120, 600, 1_500) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("narrow" as const), bytes: fc.constantFrom(0, 60, 200, 100_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("subscribe" as const),
      symbols: fc.constantFrom(["A"], ["B"], ["*"], ["A", "B"]),
      interval: fc.constantFrom(0, 0, 100, 250),
      last: fc.constantFrom(0, 2, 40),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("unsubscribe" as const), symbols: fc.constantFrom(["A"], ["*"]) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("stale" as const), symbol: fc.constantFrom("A", "B") }) },
);

test("whatever happens, trades come once and in order, and each that is missed is counted before the next", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { bench, client, trade, subscribe, market } = openTape("tickgate.v1.msgpack", { tradesPerSymbol: 16 });
      const seqs = new Map([
        ["A", 0],
        ["B", 0],
      ]);
      for (const each of steps) {
        if (each.kind === "trade") {
          let seq = seqs.get(each.symbol) ?? 0;
          seq += each.jump - 1;
          for (let count = 0; count < each.count; count++) trade(each.symbol, ++seq);
          seqs.set(each.symbol, seq);
        } else if (each.kind === "advance") bench.advance(each.millis);
        else if (each.kind === "narrow") bench.outbound.narrow = each.bytes;
        else if (each.kind === "subscribe")
          subscribe({ symbols: each.symbols, interval: each.interval, last: each.last });
        else if (each.kind === "unsubscribe")
          bench.send({ op: "unsubscribe", channel: "trade", symbols: each.symbols });
        else if ((seqs.get(each.symbol) ?? 0) > 0)
          trade(each.symbol, seqs.get(each.symbol) ?? 0, { state: 1, reason: "test" });
      }
      bench.outbound.narrow = Number.POSITIVE_INFINITY;
      bench.outbound.resume();
      bench.advance(2_000);
      assert.deepEqual(client.breaches, []);
      for (const [symbol, last] of client.last)
        if (last !== undefined) assert.equal(last, market.table.seq[market.table.rowOf(symbol)], `${symbol} rests`);
      bench.session.close("goingAway", "the end");
    }),
    { numRuns: 300 },
  );
});

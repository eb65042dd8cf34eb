/** Tapes where a grant changes, the broadcast opens and closes, and many symbols have gaps at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { openTape } from "../../../test/support/tape_bench.ts";
import { GrantedSymbols } from "../../identity/grants.ts";
import type { Authority, Identity } from "../../identity/identity.ts";
import { OPEN_AUTHORITY } from "../../identity/open_authority.ts";
import type { ChannelSubscribed } from "../../protocol/messages.ts";

const seqs = (got: readonly (readonly unknown[])[]) => got.map(([, seq]) => seq);

function grants(messages: readonly { op: string }[]): [string, number | undefined][] {
  return messages
    .filter(({ op }) => op === "subscribed")
    .flatMap((message) =>
      (message as unknown as ChannelSubscribed).symbols.map(([symbol, , count]): [string, number | undefined] => [
        symbol,
        count,
      ]),
    );
}

test("a subscription that gets the broadcast is granted anew: no trade comes twice", () => {
  const { bench, client, trade, subscribe } = openTape();
  trade("A", 1);
  trade("B", 1);
  subscribe({ symbols: ["A", "B"], interval: 0 });
  bench.advance(1_500);
  assert.equal(bench.socket.topics.size, 2);
  for (let seq = 2; seq <= 20; seq++) for (const symbol of ["A", "B"]) trade(symbol, seq);
  assert.equal(client.got.length, 38);
  client.messages.length = 0;
  subscribe({ symbols: ["A", "B"], interval: 250 });
  assert.deepEqual(grants(client.messages), [
    ["A", 0],
    ["B", 0],
  ]);
  bench.advance(1_000);
  assert.equal(client.got.length, 38);
  for (const symbol of ["A", "B"]) trade(symbol, 21);
  bench.advance(1_000);
  assert.equal(client.got.length, 40);
  assert.deepEqual(client.breaches, []);
});

test("a grant that changes before the first trades are sent takes them along", () => {
  const { bench, client, trade, subscribe } = openTape();
  subscribe({ interval: 250 });
  bench.advance(300);
  for (let seq = 1; seq <= 5; seq++) trade("A", seq);
  subscribe({ interval: 100 });
  bench.advance(500);
  assert.deepEqual(seqs(client.got), [1, 2, 3, 4, 5]);
  // The same behind a reset.
  trade("A", 2, { epoch: 2 });
  trade("A", 3, { epoch: 2 });
  subscribe({ interval: 250, last: 1 });
  bench.advance(500);
  assert.deepEqual(seqs(client.got), [1, 2, 3, 4, 5, 2, 3]);
  assert.deepEqual(client.breaches, []);
});

test("gaps of thousands of symbols at once do not close the connection of a slow client", () => {
  const { bench, client, trade, subscribe } = openTape("tickgate.v1.msgpack", { maxUnreadBytes: 262_144 });
  const symbols = Array.from({ length: 4_000 }, (_, index) => `SYMBOL:WITH-A-LONG-NAME-${index}`);
  for (const symbol of symbols) trade(symbol, 1);
  subscribe({ symbols: ["*"], interval: 100 });
  bench.advance(1_000);
  bench.outbound.narrow = 0;
  for (const [index, symbol] of symbols.entries()) trade(symbol, 2 + index);
  bench.advance(5_000);
  bench.outbound.narrow = Number.POSITIVE_INFINITY;
  bench.outbound.resume();
  bench.advance(5_000);
  assert.equal(bench.closeCode, undefined);
  for (const symbol of symbols) assert.ok((client.missed.get(symbol) ?? 0) > 0, symbol);
  assert.deepEqual(client.breaches, []);
});

const symbol = fc.constantFrom("A", "B");
const broadcastStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("trade" as const),
      symbol,
      jump: fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 3),
      count: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("advance" as const), millis: fc.constantFrom(5, 50, 300, 1_500) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("subscribe" as const),
      symbols: fc.constantFrom(["A"], ["B"], ["A", "B"]),
      interval: fc.constantFrom(0, 0, 0, 250),
      last: fc.constantFrom(0, 0, 3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("stale" as const), symbol }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("busy" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("narrow" as const), bytes: fc.constantFrom(0, 60, 1e9, 1e9) }),
  },
);

test("whatever opens and closes the broadcast, each trade comes once and in order", () => {
  let broadcast = 0;
  let stops = 0;
  fc.assert(
    fc.property(fc.array(broadcastStep, { minLength: 10, maxLength: 60, size: "max" }), (steps) => {
      const { bench, client, trade, subscribe } = openTape();
      const last = new Map([
        ["A", 1],
        ["B", 1],
      ]);
      const next = (symbol: string, jump: number) => {
        const seq = (last.get(symbol) ?? 0) + jump;
        last.set(symbol, seq);
        trade(symbol, seq);
      };
      for (const symbol of last.keys()) trade(symbol, 1);
      subscribe({ symbols: ["A", "B"], interval: 0 });
      bench.advance(1_500);
      for (const each of steps) {
        if (each.kind === "trade") for (let count = 0; count < each.count; count++) next(each.symbol, each.jump);
        else if (each.kind === "advance") bench.advance(each.millis);
        else if (each.kind === "narrow") bench.outbound.narrow = each.bytes;
        else if (each.kind === "stale") trade(each.symbol, last.get(each.symbol) ?? 0, { state: 1, reason: "test" });
        else if (each.kind === "subscribe") subscribe({ ...each });
        else bench.clock.advance(150);
      }
      bench.outbound.narrow = Number.POSITIVE_INFINITY;
      bench.outbound.resume();
      bench.advance(1_500);
      assert.deepEqual(client.breaches, []);
      for (const [symbol, seq] of last)
        assert.equal(client.last.get(symbol) ?? 1 + (client.missed.get(symbol) ?? 0), seq, `${symbol} rests`);
      const { counts } = bench.context;
      broadcast += counts.ticksBroadcast;
      stops += counts.broadcastStops.busy + counts.broadcastStops.status;
    }),
    { numRuns: 200 },
  );
  assert.ok(broadcast > 1_000 && stops > 200, `${broadcast} broadcast, ${stops} stops`);
});

test("symbols that a pattern matches since they are allowed begin with what comes, those that are new with their first trade", () => {
  const allow = (...symbols: string[]): Identity => {
    const grants = [{ symbols, channels: ["trade" as const], interval: 0, delay: 0 }];
    return { ...(OPEN_AUTHORITY.anonymous as Identity), entitlements: new GrantedSymbols(grants) };
  };
  let anonymous = allow("A");
  const authority: Authority = {
    ...OPEN_AUTHORITY,
    get anonymous() {
      return anonymous;
    },
    review: () => anonymous,
  };
  const { bench, client, trade, subscribe } = openTape("tickgate.v1.msgpack", {}, authority);
  for (let seq = 1; seq <= 20; seq++) for (const symbol of ["A", "B"]) trade(symbol, seq);
  subscribe({ symbols: ["*"], last: 5 });
  bench.advance(300);
  anonymous = allow("*");
  bench.session.reviewIdentity();
  // It has not been compared with the pattern yet.
  for (let seq = 1; seq <= 3; seq++) trade("NEW", seq);
  bench.advance(300);
  trade("B", 21);
  bench.advance(300);
  assert.deepEqual(grants(client.messages), [
    ["A", 5],
    ["B", 0],
    ["NEW", 3],
  ]);
  const nameOf = ([handle]: readonly unknown[]) => client.symbols.get(handle as number);
  assert.deepEqual(
    client.got.filter((tick) => nameOf(tick) !== "A").map((tick) => [nameOf(tick), tick[1]]),
    [
      ["NEW", 1],
      ["NEW", 2],
      ["NEW", 3],
      ["B", 21],
    ],
  );
  // Allowed again: the same.
  anonymous = allow("A");
  bench.session.reviewIdentity();
  bench.advance(300);
  for (let seq = 22; seq <= 30; seq++) trade("B", seq);
  anonymous = allow("*");
  client.messages.length = 0;
  bench.session.reviewIdentity();
  bench.advance(300);
  assert.deepEqual(grants(client.messages), [
    ["B", 0],
    ["NEW", 0],
  ]);
});

test("past trades count towards what a connection's commands may cost", () => {
  const { bench, client, trade, subscribe } = openTape("tickgate.v1.msgpack", {
    commandSymbolsPerSecond: 100,
    maxSymbolsPerConnection: 100,
  });
  const symbols = Array.from({ length: 10 }, (_, index) => `S${index}`);
  for (const symbol of symbols) for (let seq = 1; seq <= 1_000; seq++) trade(symbol, seq);
  const answers = () => client.messages.filter(({ op }) => op === "subscribed").length;
  for (let count = 0; count < 10; count++) subscribe({ symbols });
  bench.advance(5);
  assert.equal(answers(), 10, "without past ones all are carried out at once");
  bench.advance(3_000);
  client.messages.length = 0;
  for (let count = 0; count < 10; count++) subscribe({ symbols, last: 1_000 });
  bench.advance(5);
  assert.ok(answers() <= 2, `${answers()} grants of 10,000 trades each`);
  bench.advance(30_000);
  assert.equal(answers(), 10);
  assert.deepEqual(client.breaches, []);
});

test("when the broadcast opens again, it does not overtake trades that a flush has still to send", () => {
  const { bench, client, trade, market, subscribe } = openTape();
  const { gate } = market.topics;
  trade("A", 1);
  subscribe({ interval: 0 });
  bench.advance(1_500);
  assert.equal(bench.socket.topics.size, 1);
  // The scheduler has not run for so long: the node is busy, and flushes replace the broadcast for 100 ms.
  bench.clock.advance(150);
  trade("A", 2);
  bench.advance(5);
  bench.clock.advance(95);
  trade("A", 3);
  assert.ok(!gate.isOpen);
  market.topics.tryOpen(bench.clock.millis());
  assert.ok(gate.isOpen);
  trade("A", 4);
  assert.deepEqual(seqs(client.got), [2], "they wait for the flush");
  bench.advance(5);
  assert.deepEqual(seqs(client.got), [2, 3, 4]);
  bench.advance(2_000);
  trade("A", 5);
  bench.advance(50);
  assert.equal(bench.socket.topics.size, 1, "it gets the broadcast again");
  trade("A", 6);
  assert.deepEqual(seqs(client.got), [2, 3, 4, 5, 6]);
  assert.deepEqual(client.breaches, []);
});

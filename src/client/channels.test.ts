import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSocket, fakeClient, settled } from "../../test/support/fake_connection.ts";
import { type Bar, bars } from "./bars.ts";
import { BOOKS } from "./books.ts";
import type { TickgateClient } from "./client.ts";
import { TRADES } from "./trades.ts";

const HELLO = { channels: ["quote", "book", "trade", "bar"] };

function greet(): FakeSocket {
  const gateway = FakeSocket.last;
  gateway.say({
    op: "hello",
    protocol: 1,
    session: "s",
    node: "n",
    time: 0,
    heartbeat: 10_000,
    limits: { symbols: 100, commandsPerSecond: 100, messageBytes: 4_096 },
    auth: "none",
    ...HELLO,
  });
  return gateway;
}

function broken(client: TickgateClient): Record<string, number> {
  return Object.fromEntries(Object.entries(client.violations).filter(([, count]) => count > 0));
}

/** A trade on the wire, of handle 7. */
function wire(seq: number, time = seq): unknown[] {
  return [7, seq, time, 100 + seq, 1, 1, `t${seq}`];
}

function tapeOf(last: number) {
  const parts = fakeClient({ pingInterval: 0 });
  const seqs: number[] = [];
  const gaps: string[] = [];
  const tapes = parts.client.subscribe(
    "A",
    { channel: TRADES, last, interval: 0, onStatus: (_tape, state, reason) => gaps.push(`${state} ${reason}`) },
    (_tape, trade) => trade && seqs.push(trade.seq),
  );
  return { ...parts, seqs, gaps, tapes };
}

function grant(gateway: FakeSocket, count: number): void {
  gateway.say({ op: "subscribed", channel: "trade", interval: 0, symbols: [["A", 7, count]], rejected: [] });
}

test("trades: history first, then live ones; the tape holds the latest", async () => {
  const { client, seqs, tapes } = tapeOf(3);
  const gateway = greet();
  await settled();
  assert.deepEqual(
    gateway.takeCommands().map(({ id: _id, ...command }) => command),
    [{ op: "subscribe", symbols: ["A"], channel: "trade", interval: 0, last: 3 }],
  );
  grant(gateway, 3);
  gateway.say([1, wire(4), wire(5), wire(6)]);
  gateway.say([2, wire(7)]);
  assert.deepEqual(seqs, [4, 5, 6, 7]);
  const tape = tapes.views.get("A");
  assert.deepEqual(
    tape?.trades.map(({ seq }) => seq),
    [5, 6, 7],
  );
  assert.deepEqual(tape?.trades[0], { seq: 5, eventTime: 5, price: 105, size: 1, side: 1, id: "t5" });
  assert.equal(tape?.state, "live");
  assert.equal(client.quotes.size, 0, "it is no quote");
  assert.deepEqual(broken(client), {});
});

test("trades: after a reconnect each comes once, missing ones are a gap, and an unchanged tape is live", async () => {
  const { client, seqs, gaps, tapes } = tapeOf(3);
  greet();
  grant(FakeSocket.last, 2);
  FakeSocket.last.say([1, wire(1), wire(2)]);
  const tape = tapes.views.get("A");
  const reconnect = () => {
    FakeSocket.last.drop(1006);
    assert.equal(tape?.state, "stale");
    client.connect();
    return greet();
  };
  let gateway = reconnect();
  grant(gateway, 2);
  gateway.say([2, wire(1), wire(2)]);
  assert.deepEqual([seqs, tape?.state, tape?.missed], [[1, 2], "live", 0]);
  gateway = reconnect();
  grant(gateway, 2);
  gateway.say([3, wire(2), wire(3)]);
  assert.deepEqual([seqs, gaps], [[1, 2, 3], []]);
  gateway = reconnect();
  grant(gateway, 2);
  gateway.say([4, wire(8), wire(9)]);
  assert.deepEqual([seqs, gaps, tape?.missed], [[1, 2, 3, 8, 9], ["gap missed"], 4]);
  // The count of seq has begun again.
  gateway = reconnect();
  grant(gateway, 2);
  gateway.say([5, wire(1, 50), wire(2, 51)]);
  gateway.say([6, wire(3, 52)]);
  assert.deepEqual([seqs, gaps, tape?.missed], [[1, 2, 3, 8, 9, 1, 2, 3], ["gap missed", "gap reset"], 4]);
  assert.deepEqual(broken(client), {});
});

test("trades: a gap that was told of is counted; one that was not is a violation, like a repeated trade", () => {
  const { client, seqs, gaps, tapes } = tapeOf(10);
  const gateway = greet();
  grant(gateway, 0);
  gateway.say([1, wire(1)]);
  gateway.say({ op: "status", channel: "trade", symbols: ["A"], state: "gap", reason: "missed", missed: 2, since: 1 });
  gateway.say([2, wire(4)]);
  assert.deepEqual([gaps, tapes.views.get("A")?.missed, broken(client)], [["gap missed"], 2, {}]);
  gateway.say([3, wire(6)]);
  gateway.say([4, wire(6)]);
  gateway.say([5, wire(2)]);
  assert.deepEqual(broken(client), { seqSkipped: 1, seqRepeated: 1, seqBack: 1 });
  assert.deepEqual(seqs, [1, 4, 6]);
});

test("trades: a second subscription gets what is there, then live ones; a longer tape is filled with older ones", async () => {
  const { client, seqs } = tapeOf(2);
  const gateway = greet();
  grant(gateway, 2);
  gateway.say([1, wire(5), wire(6)]);
  await settled();
  gateway.takeCommands();
  const later: number[] = [];
  const tapes = client.subscribe("A", { channel: TRADES, last: 4, interval: 0 }, (_tape, trade) => {
    if (trade) later.push(trade.seq);
  });
  await settled();
  assert.equal(gateway.takeCommands()[0].last, 4);
  grant(gateway, 4);
  gateway.say([2, wire(3), wire(4), wire(5), wire(6)]);
  gateway.say([3, wire(7)]);
  assert.deepEqual(
    [seqs, later],
    [
      [5, 6, 7],
      [5, 6, 7],
    ],
  );
  assert.deepEqual(
    tapes.views.get("A")?.trades.map(({ seq }) => seq),
    [4, 5, 6, 7],
  );
  assert.deepEqual(broken(client), {});
});

test("trades: a tape that is made longer is filled, and one that is made shorter keeps what others need", async () => {
  const { client, seqs, tapes } = tapeOf(2);
  const gateway = greet();
  grant(gateway, 2);
  gateway.say([1, wire(5), wire(6)]);
  await settled();
  gateway.takeCommands();
  tapes.change({ last: 4 });
  await settled();
  assert.equal(gateway.takeCommands()[0].last, 4);
  grant(gateway, 4);
  gateway.say([2, wire(3), wire(4), wire(5), wire(6)]);
  const shown = () => tapes.views.get("A")?.trades.map(({ seq }) => seq);
  assert.deepEqual(shown(), [3, 4, 5, 6]);
  tapes.change({ last: 1 });
  gateway.say([3, wire(7)]);
  assert.deepEqual([shown(), seqs, broken(client)], [[7], [5, 6, 7], {}]);
  assert.throws(() => tapes.change({ last: 0 }), RangeError);
  assert.deepEqual(shown(), [7]);
});

test("trades: a gateway that has heard less than the one before repeats nothing", () => {
  const { client, seqs, gaps } = tapeOf(3);
  grant(greet(), 0);
  FakeSocket.last.say([1, wire(1), wire(2), wire(3)]);
  FakeSocket.last.drop(1006);
  client.connect();
  const gateway = greet();
  grant(gateway, 1);
  gateway.say([2, wire(1)]);
  gateway.say([3, wire(2)]);
  gateway.say([4, wire(3), wire(4)]);
  assert.deepEqual([seqs, gaps, broken(client)], [[1, 2, 3, 4], [], {}]);
});

test("tapes and books have the states of quotes: silent, closed, not allowed any more, ended", async () => {
  const { client, tapes } = tapeOf(3);
  const states: string[] = [];
  const books = client.subscribe("A", { channel: BOOKS, interval: 0 }, ({ state, reason }) => {
    states.push(`${state} ${reason}`.trim());
  });
  const gateway = greet();
  await settled();
  grant(gateway, 0);
  gateway.say({ op: "subscribed", channel: "book", interval: 0, symbols: [["A", 3]], rejected: [] });
  const [tape, book] = [tapes.views.get("A"), books.views.get("A")];
  assert.deepEqual([tape?.state, book?.state], ["unknown", "unknown"]);
  gateway.say([1, wire(1), [3, 1, 1, [10, 1], []]]);
  gateway.say({ op: "status", channel: "book", symbols: ["A"], state: "stale", reason: "silent", since: 7 });
  assert.deepEqual([book?.since, tape?.state], [7, "live"], "a status is of one channel");
  gateway.say({ op: "status", channel: "book", symbols: ["A"], state: "closed", reason: "end of input", since: 8 });
  gateway.say({ op: "unsubscribed", channel: "trade", symbols: ["A"], reason: "not_entitled" });
  assert.deepEqual([tape?.state, tape?.reason, tape?.trades.length], ["stale", "not_entitled", 1]);
  assert.deepEqual(states, ["live", "stale silent", "closed end of input"]);
  books.close();
  assert.deepEqual([book?.reason, books.views.size, client.quotes.size], ["end of input", 0, 0]);
});

test("books: each replaces the last; a subscription sees its own depth", async () => {
  const { client } = fakeClient({ pingInterval: 0 });
  const best = client.subscribe("A", { channel: BOOKS, depth: 1, interval: 0 });
  const deep = client.subscribe("A", { channel: BOOKS, depth: 5, interval: 0 });
  const gateway = greet();
  await settled();
  assert.equal(gateway.takeCommands()[0].depth, 5);
  gateway.say({ op: "subscribed", channel: "book", depth: 5, interval: 0, symbols: [["A", 3]], rejected: [] });
  gateway.say([1, [3, 1, 1, [10, 1, 9, 2], [11, 1]]]);
  assert.deepEqual(
    [best.views.get("A")?.bids, deep.views.get("A")?.bids],
    [
      [10, 1],
      [10, 1, 9, 2],
    ],
  );
  const before = deep.views.get("A")?.bids;
  gateway.say([2, [3, 4, 2, [8, 1], []]]);
  const book = deep.views.get("A");
  assert.deepEqual([book?.bids, book?.asks, book?.seq, book?.conflated], [[8, 1], [], 4, 2]);
  assert.deepEqual(before, [10, 1, 9, 2]);
  assert.deepEqual(broken(client), {});
});

test("ticks of a wrong shape are violations: the client reconnects, and throws nothing", () => {
  for (const tick of [
    [7, 2, 1, "100", 1, 1, null],
    [7, 2, 1, 100, 1, 5, null],
    [7, 2, 1, 100, 1, 1, {}],
  ]) {
    const { client, seqs } = tapeOf(1);
    const gateway = greet();
    grant(gateway, 0);
    gateway.say([1, tick]);
    assert.deepEqual([seqs, broken(client), client.state], [[], { malformed: 1 }, "connecting"]);
  }
  const { client } = tapeOf(1);
  const gateway = greet();
  grant(gateway, 0);
  gateway.say([1, [7, 2, 1, 100]]);
  assert.deepEqual(broken(client), { wrongLength: 1 });
});

test("invalid options are errors; a gateway without the channel is one that is told of", () => {
  const { client } = fakeClient({ pingInterval: 0 });
  for (const last of [0, 1_001, 1.5]) assert.throws(() => client.subscribe("A", { channel: TRADES, last }), RangeError);
  for (const depth of [0, 51]) assert.throws(() => client.subscribe("A", { channel: BOOKS, depth }), RangeError);
  const codes: string[] = [];
  const { client: other } = fakeClient({ pingInterval: 0 });
  other.on("error", ({ code }) => codes.push(code));
  other.subscribe("A", { channel: BOOKS });
  FakeSocket.last.hello();
  assert.deepEqual(codes, ["unknown_channel"]);
});

test("trades: no callback follows after one has closed the subscription", async () => {
  const { client } = tapeOf(3);
  const gateway = greet();
  grant(gateway, 3);
  gateway.say([1, wire(1), wire(2), wire(3)]);
  const seqs: (number | undefined)[] = [];
  const later = client.subscribe("A", { channel: TRADES, last: 3 }, (_tape, trade) => {
    seqs.push(trade?.seq);
    later.close();
  });
  await settled();
  assert.deepEqual(seqs, [1]);
});

/** A bar on the wire, of handle 9: at its start it opens at 10, and has one trade for each unit of its volume. */
function wireBar(seq: number, start: number, volume: number, flags: number): unknown[] {
  return [9, seq, start, 10, 10 + volume, 10, 9 + volume, volume, volume, flags];
}

test("bars: past ones first, then each change in order; after a reconnect only what differs", async () => {
  const { client } = fakeClient({ pingInterval: 0 });
  const called: (string | undefined)[] = [];
  const told = (bar: Bar | undefined) => called.push(bar && `${bar.start}:${bar.volume}${bar.isClosed ? "!" : ""}`);
  const series = client.subscribe("A", { channel: bars("1s"), last: 3, interval: 0 }, (_series, bar) => told(bar));
  const minutes = client.subscribe("A", { channel: bars("1m"), interval: 0 });
  let gateway = greet();
  await settled();
  assert.deepEqual(
    gateway.takeCommands().map(({ id: _id, ...command }) => command),
    [
      { op: "subscribe", symbols: ["A"], channel: "bar", resolution: "1s", interval: 0, last: 100 },
      { op: "subscribe", symbols: ["A"], channel: "bar", resolution: "1m", interval: 0, last: 300 },
    ],
  );
  const grant = (count: number) =>
    gateway.say({
      ...{ op: "subscribed", channel: "bar", resolution: "1s", interval: 0, rejected: [] },
      symbols: [["A", 9, count]],
    });
  grant(3);
  gateway.say([1, wireBar(0, 1, 5, 1), wireBar(0, 2, 6, 5), wireBar(40, 3, 1, 0)]);
  assert.deepEqual(called.splice(0), ["1:5!", "2:6!", "3:1"]);
  gateway.say([2, wireBar(42, 3, 3, 0)]);
  gateway.say([3, wireBar(43, 3, 3, 1), wireBar(44, 4, 1, 0)]);
  gateway.say([4, wireBar(45, 2, 7, 7)]);
  assert.deepEqual(called.splice(0), ["3:3", "3:3!", "4:1", "2:7!"]);
  const view = series.views.get("A");
  assert.deepEqual(
    view?.bars.map(({ start, volume, isClosed, isCorrected, isPartial }) => [
      start,
      volume,
      isClosed,
      isCorrected,
      isPartial,
    ]),
    [
      [2, 7, true, true, true],
      [3, 3, true, false, false],
      [4, 1, false, false, false],
    ],
  );
  assert.deepEqual([view?.state, view?.conflated], ["live", 1]);
  assert.equal(minutes.views.get("A")?.bars.length, 0);
  gateway.drop(1006);
  assert.deepEqual([view?.state, called.splice(0)], ["stale", [undefined]]);
  client.connect();
  gateway = greet();
  grant(3);
  gateway.say([5, wireBar(0, 3, 3, 1), wireBar(0, 4, 2, 1), wireBar(3, 5, 1, 0)]);
  assert.deepEqual([view?.state, called.filter((text) => text !== undefined)], ["live", ["4:2!", "5:1"]]);
  gateway.say([6, wireBar(3, 5, 2, 0)]);
  gateway.say([7, wireBar(2, 5, 3, 0)]);
  assert.deepEqual(broken(client), { seqRepeated: 1, seqBack: 1 });
  assert.throws(() => client.subscribe("A", { channel: bars("1s"), last: 0 }), RangeError);
});

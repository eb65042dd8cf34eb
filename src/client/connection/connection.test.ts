import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSocket, fakeClient, settled } from "../../../test/support/fake_connection.ts";
import type { TickgateClient } from "../client.ts";

function assertWaiting(client: TickgateClient, reason: string, retryIn: number): void {
  const { connection } = client;
  assert.equal(connection.phase, "waiting");
  if (connection.phase === "waiting") assert.deepEqual([connection.reason, connection.retryIn], [reason, retryIn]);
}

test("a client offers both subprotocols, the wanted one first, and asks for what is wanted when greeted", () => {
  const { client } = fakeClient({ subprotocol: "tickgate.v1.json" });
  assert.equal(FakeSocket.all.length, 0);
  client.subscribe(["A"], { interval: 50, fields: ["bid"] });
  assert.deepEqual(FakeSocket.last.protocols, ["tickgate.v1.json", "tickgate.v1.msgpack"]);
  assert.equal(FakeSocket.last.binaryType, "arraybuffer");
  assert.deepEqual(FakeSocket.last.takeCommands(), []);
  FakeSocket.last.hello();
  assert.deepEqual(FakeSocket.last.takeCommands(), [
    { op: "subscribe", id: 1, symbols: ["A"], interval: 50, fields: ["bid"] },
  ]);
});

test("failed attempts are made again, later each time and never later than half a minute", () => {
  const { client, time } = fakeClient();
  client.connect();
  const waits: number[] = [];
  for (let attempt = 0; attempt < 9; attempt++) {
    // Like Node's own WebSocket: an error without a close.
    FakeSocket.last.fail("no network");
    assert.equal(client.connection.phase, "waiting");
    const { retryIn } = client.connection as { retryIn: number };
    waits.push(retryIn);
    const sockets = FakeSocket.all.length;
    time.advance(retryIn - 1);
    assert.equal(FakeSocket.all.length, sockets);
    time.advance(1);
    assert.equal(FakeSocket.all.length, sockets + 1);
  }
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test("waits are spread: from half to all of the longest", () => {
  const { client } = fakeClient({ random: () => 0 });
  client.connect();
  FakeSocket.last.fail();
  assert.deepEqual(client.connection, {
    phase: "waiting",
    reason: "no connection",
    retryIn: 250,
    retryAt: 1_700_000_000_250_000,
  });
});

test("error and close of one socket are one loss", () => {
  const { client, events } = fakeClient();
  client.connect();
  FakeSocket.last.fail("x");
  FakeSocket.last.drop(1006);
  assert.deepEqual(events, ["connecting", "waiting: x"]);
});

test("only a connection that has lasted makes the next failure a first one", () => {
  const { client, time } = fakeClient();
  client.connect();
  for (const expected of [500, 1_000]) {
    FakeSocket.last.hello();
    FakeSocket.last.drop(1013, "full");
    assert.equal((client.connection as { retryIn: number }).retryIn, expected);
    time.advance(expected);
  }
  FakeSocket.last.hello({ heartbeat: 20_000 });
  time.advance(10_000);
  FakeSocket.last.drop(1011);
  assertWaiting(client, "connection lost (1011)", 500);
});

test("a gateway that says goodbye is come back to when it asked", () => {
  const { client, time } = fakeClient();
  client.connect();
  FakeSocket.last.hello();
  FakeSocket.last.say({ op: "bye", code: 1012, reason: "the gateway is restarting", retryAfter: 77 });
  FakeSocket.last.drop(1012);
  assertWaiting(client, "the gateway is restarting (1012)", 77);
  time.advance(77);
  assert.equal(FakeSocket.all.length, 2);
  FakeSocket.last.fail("refused");
  assert.equal((client.connection as { retryIn: number }).retryIn, 500, "what was asked for holds once");
});

test("close codes that say no end it; others, and HTTP statuses, do not", () => {
  for (const code of [1009, 4400, 4401, 4403]) {
    const { client, time } = fakeClient();
    client.connect();
    FakeSocket.last.hello();
    FakeSocket.last.drop(code, "no");
    assert.deepEqual(client.connection, { phase: "ended", reason: `no (${code})`, refused: true });
    assert.equal(time.timers, 0);
  }
  for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4408, 4429]) {
    const { client } = fakeClient();
    client.connect();
    FakeSocket.last.hello();
    FakeSocket.last.drop(code);
    assert.equal(client.connection.phase, "waiting", String(code));
  }
  for (const status of [302, 400, 403, 404, 426, 429, 503]) {
    const { client } = fakeClient();
    client.connect();
    FakeSocket.last.fail(`Unexpected server response: ${status}`);
    assert.equal(client.connection.phase, "waiting", String(status));
  }
});

test("another version of the protocol ends it", () => {
  const { client } = fakeClient();
  client.connect();
  FakeSocket.last.hello({ protocol: 2 });
  assert.deepEqual(client.connection, { phase: "ended", reason: "protocol 2", refused: true });
});

test("silence for two heartbeats makes prices stale, a sound makes them live, three heartbeats end the connection", () => {
  const { client, time, events } = fakeClient();
  client.subscribe(["A"]);
  FakeSocket.last.hello();
  FakeSocket.last.grant(["A"]);
  FakeSocket.last.say([1, [1, 1, 1, 10, 11]]);
  const quote = client.quotes.get("A");
  const phase = () => client.connection.phase;
  time.advance(1_500);
  FakeSocket.last.say({ op: "heartbeat", time: 1 });
  time.advance(1_999);
  assert.equal(quote?.state, "live");
  time.advance(1);
  assert.equal(quote?.state, "stale");
  assert.equal(phase(), "silent");
  FakeSocket.last.say({ op: "heartbeat", time: 1 });
  assert.equal(quote?.state, "live");
  assert.equal(phase(), "open");
  const first = FakeSocket.last;
  time.advance(2_999);
  assert.equal(phase(), "silent");
  time.advance(1);
  assertWaiting(client, "nothing heard for 3 s", 500);
  assert.equal(first.closedWith, 1_000);
  assert.equal(quote?.state, "stale");
  const before = events.length;
  first.say([2, [1, 2, 2, 12, 13]]);
  assert.equal(events.length, before, "a connection that was given up is not listened to");
});

test("a gateway that accepts and does not greet is given up", () => {
  const { client, time } = fakeClient();
  client.connect();
  time.advance(9_999);
  assert.equal(client.connection.phase, "connecting");
  time.advance(1);
  assertWaiting(client, "nothing within 10 s", 500);
});

test("after a reconnect a price is stale until its new snapshot, and what was wanted is asked for again", async () => {
  const { client, time, events } = fakeClient();
  const screen = client.subscribe(["V:*"], { interval: 100 });
  screen.remove("V:B");
  FakeSocket.last.hello();
  FakeSocket.last.grant(["V:A"]);
  FakeSocket.last.say([1, [1, 9, 1, 10, 11]]);
  FakeSocket.last.drop(1006);
  const quote = client.get("V:A");
  assert.deepEqual([quote?.state, quote?.bid, quote?.reason], ["stale", 10, "connection lost (1006)"]);
  time.advance(500);
  await settled();
  FakeSocket.last.hello();
  assert.deepEqual(
    FakeSocket.last.takeCommands().map(({ id, ...command }) => command),
    [
      { op: "subscribe", symbols: ["V:*"], interval: 100 },
      { op: "unsubscribe", symbols: ["V:B"] },
    ],
  );
  FakeSocket.last.grant(["V:A"], { from: 7 });
  assert.equal(quote?.state, "stale");
  // A new gateway may count from 1 again: seq is compared within one connection.
  FakeSocket.last.say([2, [7, 3, 2, 12, 13]]);
  assert.deepEqual([quote?.state, quote?.seq, quote?.reason, quote?.conflated], ["live", 3, "", 0]);
  assert.deepEqual(
    events.filter((line) => line.startsWith("violation")),
    [],
  );
});

test("the caller's end is the end", () => {
  const { client, time } = fakeClient({ pingInterval: 100 });
  client.connect();
  FakeSocket.last.hello();
  client.close();
  assert.deepEqual(client.connection, { phase: "ended", reason: "closed", refused: false });
  assert.equal(FakeSocket.last.closedWith, 1_000);
  assert.equal(time.timers, 0);
  FakeSocket.last.drop(1006);
  client.connect();
  assert.deepEqual(client.connection, { phase: "connecting" }, "it can be begun again");
});

test("what cannot be read costs the connection, what comes before hello is counted, what is unknown is let pass", () => {
  const { client } = fakeClient();
  client.connect();
  FakeSocket.last.say({ op: "heartbeat", time: 1 });
  FakeSocket.last.hello();
  FakeSocket.last.say({ op: "newer", than: "this" });
  assert.equal(client.connection.phase, "open");
  FakeSocket.last.raw("{");
  assert.equal(client.connection.phase, "waiting");
  assert.deepEqual([client.violations.beforeHello, client.violations.malformed], [1, 1]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSocket, fakeClient } from "../../test/support/fake_connection.ts";

test("invalid arguments throw at once", () => {
  const { client } = fakeClient();
  assert.throws(() => client.subscribe(["a b"]), /RangeError: "a b" is no symbol/);
  assert.throws(() => client.subscribe("A*B"), /RangeError: "A\*B" is no symbol/);
  assert.throws(() => client.subscribe(["A"], { interval: -1 }), /RangeError: an interval is from 0 to 3600000 ms/);
  assert.throws(() => client.subscribe(["A"], { fields: ["price" as "bid"] }), /RangeError: wrong fields: price/);
  assert.throws(() => client.subscribe(["A"], { fields: [] }), /RangeError: wrong fields/);
  assert.throws(() => client.subscribe(["A"], { fields: ["bid", "bid"] }), /RangeError: wrong fields/);
});

test("refusals, errors and quality are emitted as events", () => {
  const { client, events } = fakeClient();
  client.connect();
  FakeSocket.last.hello();
  events.length = 0;
  const rejected = [{ symbol: "A", code: "too_many_symbols", message: "full" }];
  FakeSocket.last.say({ op: "subscribed", interval: 0, fields: ["bid"], symbols: [], rejected });
  FakeSocket.last.say({ op: "error", code: "internal", message: "x", retryable: true });
  FakeSocket.last.say({ op: "quality", state: "conflating", interval: 900, reason: "client" });
  assert.deepEqual(events, [
    "rejected A: too_many_symbols",
    "error too_many_symbols",
    "error internal",
    "quality conflating",
  ]);
});

test("pings measure the round trip and the clocks' difference", () => {
  const { client, time, events } = fakeClient({ pingInterval: 1_000 });
  client.connect();
  FakeSocket.last.hello({ heartbeat: 60_000 });
  events.length = 0;
  assert.deepEqual(FakeSocket.last.takeCommands(), [{ op: "ping", id: 1 }]);
  time.advance(40);
  const there = time.micros() + 5_000_000 - 20_000;
  FakeSocket.last.say({ op: "pong", id: 1, time: there });
  assert.deepEqual([client.stats.roundTrip, client.stats.clockOffset], [40, 5_000_000]);
  FakeSocket.last.say({ op: "pong", id: 99, time: 1 });
  FakeSocket.last.say({ op: "pong", time: 1 });
  assert.deepEqual(events, ["pong 40"]);
  time.advance(1_000);
  assert.deepEqual(FakeSocket.last.takeCommands(), [{ op: "ping", id: 2 }]);
});

test("at most one ping waits for its answer", () => {
  const { client } = fakeClient();
  client.connect();
  FakeSocket.last.hello({ limits: { symbols: 1, commandsPerSecond: 10_000, messageBytes: 256 } });
  for (let ping = 0; ping < 100; ping++) client.ping();
  assert.equal(FakeSocket.last.takeCommands().length, 1);
});

test("a listener can be taken away, and may end the client from within", () => {
  const { client, events } = fakeClient();
  const stop = client.on("state", (state) => state === "live" && client.close());
  client.connect();
  FakeSocket.last.hello();
  assert.equal(client.state, "closed");
  stop();
  client.connect();
  FakeSocket.last.hello();
  assert.equal(client.state, "live");
  assert.equal(events.at(-1), "open");
});

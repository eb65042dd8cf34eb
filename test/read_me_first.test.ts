/**
 * Read this first: what a client of a gateway sees, from its subscription to a conflated tick. docs/protocol.md has the
 * rest.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayProcess } from "./support/gateway_process.ts";
import { WireClient } from "./support/wire_client.ts";

test("a client subscribes, gets a snapshot, and then the newest tick with the number of those left out", async (t) => {
  // `tickgate all` as a process, with one feed: lines of JSON, which this test writes to its standard input.
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  gateway.tick("FX:EURUSD", { bid: 1.0841, ask: 1.0843 });
  await gateway.known("FX:EURUSD");

  // A WebSocket that sends and receives the protocol's JSON. It is open when the gateway has sent `hello`.
  const client = await WireClient.open(gateway.url, "tickgate.v1.json");
  t.after(() => client.close());

  // At most one tick in 500 ms, with these fields only. The answer gives each symbol a handle: ticks carry it, not the
  // name.
  const command = { op: "subscribe", symbols: ["FX:EURUSD"], interval: 500, fields: ["bid", "ask"] };
  const granted = await client.ask(command, "subscribed");
  const [[symbol, handle]] = granted.symbols;
  assert.equal(symbol, "FX:EURUSD");

  // The snapshot: the current price comes at once. `seq` is 1, since the symbol has had one tick.
  const snapshot = await client.tick((tick) => tick.handle === handle, "the snapshot");
  assert.equal(snapshot.seq, 1);
  assert.deepEqual(snapshot.values, [1.0841, 1.0843]);

  // Twenty ticks at once. The client gets only the newest price, and no queue of old ones: the gateway conflates.
  gateway.ticks(Array.from({ length: 20 }, (_, index) => ({ symbol: "FX:EURUSD", bid: 1.085 + index / 10_000 })));
  const newest = await client.tick((tick) => tick.seq === 21, "the last of the twenty ticks");
  assert.deepEqual(newest.values, [1.0869, 1.0843], "a tick has all fields, so ask is here although only bid changed");

  // `seq` shows how many ticks were left out: all between two ticks that the client got.
  const [first, ...others] = client.ticks;
  const leftOut = newest.seq - first.seq - others.length;
  assert.ok(leftOut >= 18, `${leftOut} of 20 ticks were left out`);
});

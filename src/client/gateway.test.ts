/** The client against a real gateway, over real sockets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket as WsSocket } from "ws";
import { freePort, LiveGateway, until } from "../../test/support/client_gateway.ts";
import { SUBPROTOCOLS } from "../protocol/messages.ts";
import { type SocketConstructor, TickgateClient, VIOLATIONS } from "./client.ts";

const NONE = Object.fromEntries(VIOLATIONS.map((name) => [name, 0]));
const SOCKETS: [string, SocketConstructor | undefined][] = [
  ["the global WebSocket", undefined],
  ["the package ws", WsSocket],
];

for (const [name, WebSocket] of SOCKETS)
  for (const subprotocol of SUBPROTOCOLS)
    test(`snapshot, ticks, states and the end, over ${name} in ${subprotocol}`, async (t) => {
      const gateway = await LiveGateway.open();
      t.after(() => gateway.cut());
      gateway.tick("V:A", 1.5, 2);
      const client = new TickgateClient(gateway.url, { subprotocol, ...(WebSocket ? { WebSocket } : {}) });
      t.after(() => client.close());
      const screen = client.subscribe(["V:*"], { interval: 0, fields: ["ask", "bid"] });
      await until(client, () => client.quotes.get("V:A")?.state === "live", "the snapshot");
      assert.deepEqual(screen.quotes.get("V:A")?.values, [2, 1.5]);
      gateway.tick("V:B", 3, 4);
      await until(client, () => client.quotes.get("V:B")?.get("bid") === 3, "a symbol that is new");
      gateway.publisher.stale("the exchange is silent", ["V:A"]);
      await until(client, () => client.quotes.get("V:A")?.state === "stale", "the state");
      assert.equal(client.quotes.get("V:A")?.reason, "the exchange is silent");
      for (let bid = 10; bid <= 50; bid++) gateway.tick("V:A", bid, bid + 1);
      await until(client, () => client.quotes.get("V:A")?.get("bid") === 50, "the last tick");
      const quote = client.quotes.get("V:A");
      assert.equal(quote?.state, "live");
      assert.equal((quote?.ticks ?? 0) + (quote?.conflated ?? 0), 42, "every tick came or was conflated");
      screen.remove("V:A");
      await until(client, () => !client.quotes.has("V:A"), "the end of a subscription");
      client.ping();
      await until(client, () => client.stats.roundTrip !== undefined, "the round trip");
      assert.ok(Math.abs(client.stats.clockOffset) < 1_000_000, `clocks differ by ${client.stats.clockOffset} µs`);
      assert.deepEqual(client.violations, NONE);
    });

for (const [name, WebSocket] of SOCKETS)
  test(`a gateway that goes and comes back is found again, over ${name}`, async (t) => {
    let gateway = await LiveGateway.open({ port: await freePort() });
    t.after(() => gateway.cut());
    gateway.tick("A", 1, 2);
    const client = new TickgateClient(gateway.url, { ...(WebSocket ? { WebSocket } : {}) });
    t.after(() => client.close());
    client.subscribe(["A"], { interval: 0 });
    await until(client, () => client.quotes.get("A")?.state === "live", "the first gateway");
    const phases: string[] = [];
    client.on("connection", (state) => phases.push("reason" in state ? state.reason : state.phase));
    await gateway.drain();
    await until(client, () => client.connection.phase === "waiting", "the loss");
    assert.equal(client.quotes.get("A")?.state, "stale");
    assert.match(phases[0], /^the gateway is restarting/);
    gateway = await LiveGateway.open({ port: gateway.port });
    gateway.tick("A", 7, 8);
    await until(client, () => client.quotes.get("A")?.get("bid") === 7, "the second gateway");
    assert.equal(client.quotes.get("A")?.state, "live");
    gateway.cut();
    await until(client, () => client.quotes.get("A")?.state === "stale", "the cut");
    assert.deepEqual(client.violations, NONE);
  });

test("a thousand symbols named one by one are asked for within the gateway's limits", async (t) => {
  const gateway = await LiveGateway.open({ maxMessageBytes: 512, commandsPerSecond: 50 });
  t.after(() => gateway.cut());
  const symbols = Array.from({ length: 1_000 }, (_, index) => `V:${index}`);
  const client = new TickgateClient(gateway.url);
  t.after(() => client.close());
  const errors: string[] = [];
  client.on("error", ({ message }) => errors.push(message));
  for (const symbol of symbols) client.subscribe([symbol], { interval: 1_000 });
  await until(client, () => [...client.quotes.values()].every(({ interval }) => interval > 0), "all grants");
  assert.deepEqual(errors, []);
});

test("an HTTP status is the reason of a failed attempt, and never final: a proxy may have sent it", async (t) => {
  const gateway = await LiveGateway.open({ origins: ["https://trade.example.com"] });
  t.after(() => gateway.cut());
  class Foreign extends WsSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { origin: "https://elsewhere.example.com" });
    }
  }
  const client = new TickgateClient(gateway.url, { WebSocket: Foreign });
  client.connect();
  t.after(() => client.close());
  await until(client, () => client.connection.phase === "waiting", "the next attempt");
  assert.equal((client.connection as { reason: string }).reason, "Unexpected server response: 403");
});

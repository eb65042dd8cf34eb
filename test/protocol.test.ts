/** The protocol page, sentence by sentence, against a real process. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FIELDS } from "../src/base/tick.ts";
import { SUBPROTOCOLS } from "../src/protocol/messages.ts";
import { GatewayProcess } from "./support/gateway_process.ts";
import { WireClient } from "./support/wire_client.ts";

let gateway: GatewayProcess;
before(async () => {
  gateway = await GatewayProcess.open("--heartbeat", "1000", "--node", "here");
  gateway.tick("V:A", { bid: 1.25, bidSize: 3, last: -0.5, time: 1_700_000_000_000_001 });
  gateway.tick("V:B", { bid: 20 });
  await gateway.known("V:B");
});
after(() => gateway.close());

for (const subprotocol of SUBPROTOCOLS) {
  const open = () => WireClient.open(gateway.url, subprotocol);

  test(`${subprotocol}: hello is the first message`, async () => {
    const client = await open();
    assert.equal(client.socket.protocol, subprotocol);
    const [hello] = client.controls;
    assert.ok(hello.op === "hello");
    assert.equal(hello.protocol, 1);
    assert.equal(hello.node, "here");
    assert.equal(hello.heartbeat, 1_000);
    assert.deepEqual(hello.limits, { symbols: 20_000, commandsPerSecond: 100, messageBytes: 32_768 });
    assert.ok(Math.abs(hello.time / 1_000 - Date.now()) < 5_000, "microseconds since the epoch");
    client.close();
  });

  test(`${subprotocol}: subscribe, grant, snapshot with null for unknown values, updates`, async () => {
    const client = await open();
    const granted = await client.ask({ op: "subscribe", symbols: ["V:A"] }, "subscribed");
    assert.equal(granted.interval, 100);
    assert.deepEqual(granted.fields, FIELDS);
    assert.deepEqual(granted.rejected, []);
    const [[symbol, handle]] = granted.symbols;
    assert.equal(symbol, "V:A");
    const snapshot = await client.tick((tick) => tick.handle === handle, "the snapshot");
    assert.deepEqual(snapshot.values.slice(1), [3, null, null, -0.5, null, null, null, null, null]);
    assert.ok(client.order.indexOf("subscribed") < client.order.indexOf("tick"));
    assert.ok(Math.abs(snapshot.sentAt / 1_000 - Date.now()) < 5_000);

    const bid = Math.round(Math.random() * 1e9) / 100;
    gateway.tick("V:A", { bid, time: 1_700_000_000_000_002 });
    const update = await client.tick((tick) => tick.handle === handle && tick.values[0] === bid, "the update");
    assert.equal(update.seq, snapshot.seq + 1);
    assert.equal(update.eventTime, 1_700_000_000_000_002);
    assert.deepEqual(update.values.slice(1), snapshot.values.slice(1), "whole state");
    client.close();
  });

  test(`${subprotocol}: fields come in the requested order, at the requested interval`, async () => {
    const client = await open();
    const command = { op: "subscribe", symbols: ["V:A", "V:B"], interval: 12.5, fields: ["last", "bid"] };
    const granted = await client.ask(command, "subscribed");
    assert.equal(granted.interval, 13, "granted in whole ms, never less than requested");
    assert.deepEqual(granted.fields, ["last", "bid"]);
    const handle = new Map(granted.symbols).get("V:A");
    const { values } = await client.tick((tick) => tick.handle === handle, "the snapshot");
    assert.equal(values.length, 2);
    assert.equal(values[0], -0.5);
    client.close();
  });

  test(`${subprotocol}: an answer has the id of its command, or none`, async () => {
    const client = await open();
    for (const id of ["", "a", "ü", 0, -7, 1.5, 2 ** 53 - 1]) {
      client.say({ op: "ping", id });
      await client.heard("pong", (message) => message.id === id);
      client.say({ op: "nonsense", id });
      await client.heard("error", (message) => message.id === id && message.code === "unknown_op");
    }
    client.say({ op: "ping" });
    const pong = await client.heard("pong", (message) => !("id" in message));
    assert.ok(Math.abs(pong.time / 1_000 - Date.now()) < 5_000);
    client.close();
  });

  test(`${subprotocol}: one bad symbol does not affect the others`, async () => {
    const client = await open();
    const { symbols, rejected } = await client.ask(
      { op: "subscribe", symbols: ["V:A", "wrong?", "", "V:*X", "X".repeat(65)] },
      "subscribed",
    );
    assert.deepEqual(
      symbols.map(([symbol]) => symbol),
      ["V:A"],
    );
    assert.deepEqual(
      rejected.map(({ symbol, code }) => [symbol, code]),
      [
        ["wrong?", "invalid_symbol"],
        ["", "invalid_symbol"],
        ["V:*X", "invalid_symbol"],
        ["X".repeat(64), "invalid_symbol"],
      ],
    );
    assert.ok(rejected.every(({ message }) => message.length > 0));
    client.close();
  });

  test(`${subprotocol}: each failed command has its code, and the connection continues`, async () => {
    const client = await open();
    const failures: [object, string][] = [
      [{ op: "subscribe" }, "bad_message"],
      [{ op: "buy" }, "unknown_op"],
      [{ op: "subscribe", symbols: ["V:A"], fields: ["price"] }, "unknown_field"],
      [{ op: "subscribe", symbols: ["V:A"], interval: -1 }, "invalid_interval"],
      [{ op: "unsubscribe", symbols: ["V:A"] }, "not_subscribed"],
    ];
    for (const [command, code] of failures) {
      const error = await client.ask({ ...command }, "error");
      assert.equal(error.code, code);
      assert.equal(error.retryable, false);
      assert.ok(error.message.length > 0);
    }
    await client.ask({ op: "ping" }, "pong");
    client.close();
  });

  test(`${subprotocol}: subscribing again keeps the handle, takes the new interval and fields, sends a snapshot`, async () => {
    const client = await open();
    const first = await client.subscribe(["V:B"], { interval: 0 });
    const handle = first.get("V:B")!;
    await client.tick((tick) => tick.handle === handle, "the snapshot");
    const second = await client.subscribe(["V:B"], { interval: 60_000, fields: ["bid"] });
    assert.equal(second.get("V:B"), handle);
    const again = await client.tick((tick) => tick.handle === handle && tick.values.length === 1, "a fresh snapshot");
    assert.equal(again.values[0], client.ticks[0].values[0]);
    client.close();
  });

  test(`${subprotocol}: no tick of unsubscribed symbols follows, and the others continue`, async () => {
    const client = await open();
    const handles = await client.subscribe(["V:A", "V:B"], { interval: 0 });
    const { symbols } = await client.ask({ op: "unsubscribe", symbols: ["V:A", "V:UNKNOWN"] }, "unsubscribed");
    assert.deepEqual(symbols, ["V:A"]);
    const before = client.ticks.length;
    const bid = Math.random();
    gateway.tick("V:A", { bid });
    gateway.tick("V:B", { bid });
    await client.tick((tick) => tick.handle === handles.get("V:B") && tick.values[0] === bid, "the other's tick");
    assert.ok(client.ticks.slice(before).every((tick) => tick.handle !== handles.get("V:A")));
    assert.deepEqual((await client.ask({ op: "unsubscribe", symbols: ["*"] }, "unsubscribed")).symbols, ["V:B"]);
    assert.deepEqual((await client.ask({ op: "unsubscribe", symbols: ["*"] }, "unsubscribed")).symbols, []);
    client.close();
  });

  test(`${subprotocol}: a pattern matches every symbol, present and future`, async () => {
    const client = await open();
    const prefix = subprotocol === "tickgate.v1.json" ? "PJ:" : "PM:";
    gateway.tick(`${prefix}A`, { bid: 1 });
    await gateway.known(`${prefix}A`);
    const granted = await client.ask({ op: "subscribe", symbols: [`${prefix}*`], interval: 50 }, "subscribed");
    assert.deepEqual(
      granted.symbols.map(([symbol]) => symbol),
      [`${prefix}A`],
    );
    gateway.tick(`${prefix}B`, { bid: 2 });
    const met = await client.heard("subscribed", (message) => message.symbols.some(([name]) => name === `${prefix}B`));
    assert.ok(!("id" in met));
    assert.equal(met.interval, 50);
    const handle = new Map(met.symbols).get(`${prefix}B`);
    const snapshot = await client.tick((tick) => tick.handle === handle, "the snapshot of the new symbol");
    assert.equal(snapshot.values[0], 2);
    await client.ask({ op: "unsubscribe", symbols: [`${prefix}*`] }, "unsubscribed");
    gateway.tick(`${prefix}C`, { bid: 3 });
    await gateway.known(`${prefix}C`);
    await client.ask({ op: "ping" }, "pong");
    assert.ok(!client.controls.some((message) => JSON.stringify(message).includes(`${prefix}C`)));
    client.close();
  });

  test(`${subprotocol}: a symbol that has had no tick is granted, and its first tick is its snapshot`, async () => {
    const client = await open();
    const symbol = `LATER:${subprotocol.slice(-4).toUpperCase()}`;
    const handles = await client.subscribe([symbol], { interval: 100 });
    gateway.tick(symbol, { ask: 7 });
    const { seq, values } = await client.tick((tick) => tick.handle === handles.get(symbol), "its first tick");
    assert.equal(seq, 1);
    assert.equal(values[2], 7);
    client.close();
  });

  test(`${subprotocol}: a heartbeat comes when there is no other message`, async () => {
    const client = await open();
    const { time } = await client.heard("heartbeat");
    assert.ok(Math.abs(time / 1_000 - Date.now()) < 5_000);
    client.close();
  });
}

test("seq counts conflated ticks, at most one tick comes per interval, and the last one published is the last one sent", async () => {
  const client = await WireClient.open(gateway.url);
  const handle = (await client.subscribe(["V:RUN"], { interval: 200, fields: ["bid"] })).get("V:RUN")!;
  // Ten bursts, each when the previous one has arrived: how a burst is conflated is up to the gateway.
  let bid = 0;
  for (let burst = 0; burst < 10; burst++) {
    gateway.ticks(Array.from({ length: 20 }, () => ({ symbol: "V:RUN", bid: ++bid })));
    await client.tick((tick) => tick.handle === handle && tick.values[0] === bid, `tick ${bid}`);
  }
  const ticks = client.ticks.filter((tick) => tick.handle === handle);
  for (const [index, tick] of ticks.entries()) {
    assert.equal(tick.seq, tick.values[0], "each tick was counted");
    if (index === 0) continue;
    assert.ok(tick.seq > ticks[index - 1].seq);
    const gap = (tick.sentAt - ticks[index - 1].sentAt) / 1_000;
    assert.ok(gap >= 190, `${gap} ms after the previous one`);
  }
  assert.equal(ticks.at(-1)?.seq, 200);
  client.close();
});

test("every 15-digit price arrives as it was written", async () => {
  const client = await WireClient.open(gateway.url, "tickgate.v1.msgpack");
  const handle = (await client.subscribe(["V:EXACT"], { interval: 0, fields: ["last"] })).get("V:EXACT");
  for (const last of [0.1, 0.3, 123456.789012345, 0.000000012345678, 999999999999999, -40.32, 4294967296]) {
    gateway.tick("V:EXACT", { last });
    await client.tick((tick) => tick.handle === handle && Object.is(tick.values[0], last), `the price ${last}`);
  }
  client.close();
});

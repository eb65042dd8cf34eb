import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { WebSocketServer } from "ws";
import { FarMarket, until } from "../../test/support/feed_bench.ts";
import { ManualClock } from "../base/clock.ts";
import { ADAPTERS } from "./adapters.ts";
import { NdjsonFeed } from "./ndjson/ndjson.ts";
import { SilenceDetector } from "./silence.ts";
import { openFeed, parseFeed } from "./spec.ts";

test("silence is told when the limit is reached, again while it lasts, and not after something was heard", () => {
  const clock = new ManualClock();
  let told = 0;
  const silence = new SilenceDetector(clock, 100, () => told++);
  silence.start();
  const after = (millis: number) => {
    clock.advance(millis);
    silence.check();
    return told;
  };
  assert.deepEqual([after(99), after(1), after(50)], [0, 1, 2]);
  silence.heard();
  assert.deepEqual([after(99), after(1)], [2, 3]);
  clock.advance(1_000);
  silence.start();
  assert.equal(after(99), 3);
  silence.stop();
});

test("it is checked by itself, and a limit of 0 is none", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const clock = new ManualClock();
  const told: string[] = [];
  const some = new SilenceDetector(clock, 100, () => told.push("some"));
  const none = new SilenceDetector(clock, 0, () => told.push("none"));
  some.start();
  none.start();
  clock.advance(100);
  t.mock.timers.tick(100);
  assert.deepEqual(new Set(told), new Set(["some"]));
  some.stop();
});

test("every source from outside has a limit on silence", () => {
  // The simulator is in this process: it hangs with it, and then the bus hears nothing of the feed.
  for (const { name, options } of ADAPTERS.filter(({ name }) => name !== "sim")) {
    assert.ok(options.silence, name);
    assert.ok(Number(options.silence.default) > 0, name);
  }
});

const ONE_TICK: Readonly<Record<string, [target: string, symbol: string, message: object]>> = {
  coinbase: ["A-B", "COINBASE:A-B", { type: "ticker", product_id: "A-B", price: "1", last_size: "1" }],
  binance: ["AB", "BINANCE:AB", { stream: "ab@bookTicker", data: { u: 1, s: "AB", b: "1", B: "1", a: "2", A: "1" } }],
};

for (const [name, [target, symbol, message]] of Object.entries(ONE_TICK))
  test(`${name}: a venue that hangs after a tick makes its symbols stale, and is connected to again`, async (t) => {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await once(server, "listening");
    const changed = new EventEmitter();
    let connections = 0;
    server.on("connection", (socket) => {
      // The second connection has no tick.
      if (connections++ === 0) socket.send(JSON.stringify(message));
      changed.emit("change");
    });
    const market = await FarMarket.open();
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const feed = openFeed(parseFeed(`${name}:${target}?silence=100&maxBackoff=100&url=${url}`), market.context);
    t.after(async () => {
      await feed.close();
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    });
    feed.start();
    await until(market.changed, () => market.state(symbol) === "live", "the tick");
    await until(market.changed, () => market.state(symbol) === "stale", "the end of patience");
    assert.equal(market.reason(symbol), "connection lost: nothing heard for 100 ms");
    await until(changed, () => connections >= 2, "the next connection");
  });

test("ndjson: a writer that hangs makes the symbols stale; an empty line is a sign of life, and a tick makes live", async () => {
  const market = await FarMarket.open();
  const input = new PassThrough();
  const feed = new NdjsonFeed("-", { isPipe: false, probe() {}, open: () => input }, { silence: 100 }, market.context);
  feed.start();
  assert.equal(feed.connected, true);
  input.write('{"symbol":"A","bid":1}\n{"symbol":"B","bid":1}\n');
  await until(market.changed, () => market.state("B") === "live", "the ticks");
  await until(market.changed, () => market.state("B") === "stale", "the end of patience");
  assert.deepEqual([market.state("A"), market.reason("A")], ["stale", "nothing heard for 100 ms"]);
  const { counts } = market.publisher;
  assert.deepEqual([feed.connected, counts.connects, counts.disconnects], [false, 1, 1]);
  input.write("\n");
  await until(market.kept.changed, () => feed.connected, "the sign of life");
  assert.equal(market.state("A"), "stale");
  input.write('{"symbol":"B","bid":2}\n');
  await until(market.changed, () => market.state("B") === "live", "the tick");
  assert.equal(market.state("A"), "stale");
  const told = market.kept.messages().slice(0, 3);
  assert.deepEqual(told, [
    "reading",
    "nothing heard from the input; its symbols are stale",
    "the input is heard again",
  ]);
  await feed.close();
});

import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { captures } from "../../../test/support/captures.ts";
import { KeptLog, until } from "../../../test/support/feed_bench.ts";
import { type Capture, parseCapture } from "./capture.ts";
import { Player, type PlayerOptions } from "./player.ts";

async function setUp(t: TestContext, capture: Capture, path = "", options: Partial<PlayerOptions> = {}) {
  const player = new Player(capture, { log: new KeptLog().log, ...options });
  const url = await player.listen();
  const socket = new WebSocket(`${url}${path}`);
  t.after(async () => {
    socket.terminate();
    await player.close();
  });
  const heard: string[] = [];
  const changed = new EventEmitter();
  socket.on("message", (data) => {
    heard.push(data.toString());
    changed.emit("change");
  });
  socket.on("close", () => changed.emit("change"));
  await once(socket, "open");
  return { player, socket, heard, changed };
}

const [[, coinbase]] = captures("coinbase");
const [[, binance]] = captures("binance");
const types = (heard: string[]) => heard.map((text) => JSON.parse(text).type);

test("coinbase: nothing before a subscription, then the channels and products of it and no others", async (t) => {
  const { socket, heard, changed } = await setUp(t, coinbase, "", { hold: false });
  socket.send(
    JSON.stringify({ type: "subscribe", product_ids: ["BTC-USD"], channels: ["ticker", { name: "matches" }] }),
  );
  await until(changed, () => socket.readyState === WebSocket.CLOSED, "the end");
  assert.deepEqual(types(heard), ["subscriptions", "last_match", "ticker", "match"]);
  assert.deepEqual(JSON.parse(heard[0]).channels, [
    { name: "ticker", product_ids: ["BTC-USD"] },
    { name: "matches", product_ids: ["BTC-USD"] },
  ]);
  const received = coinbase.received.map(({ text }) => text);
  for (const text of heard.slice(1)) assert.ok(received.includes(text), "word for word");
});

test("coinbase: a subscription with a product that is not there is refused as a whole", async (t) => {
  const { socket, heard, changed } = await setUp(t, coinbase);
  socket.send(JSON.stringify({ type: "subscribe", product_ids: ["BTC-USD", "NO-SUCH"], channels: ["ticker"] }));
  socket.send("rubbish");
  socket.send(JSON.stringify({ type: "subscribe", product_ids: ["ETH-EUR"], channels: ["heartbeat"] }));
  await until(changed, () => types(heard).includes("heartbeat"), "a heartbeat");
  assert.deepEqual(types(heard), ["error", "error", "subscriptions", "heartbeat"]);
  assert.equal(JSON.parse(heard[0]).reason, "NO-SUCH is not a valid product");
});

test("binance: the streams of the address, at once", async (t) => {
  const path = "/stream?streams=bnbbtc@aggTrade/bnbusdt@bookTicker";
  const { socket, heard, changed } = await setUp(t, binance, path, { hold: false });
  await until(changed, () => socket.readyState === WebSocket.CLOSED, "the end");
  assert.deepEqual(
    heard.map((text) => JSON.parse(text).stream),
    ["bnbusdt@bookTicker", "bnbbtc@aggTrade", "bnbbtc@aggTrade"],
  );
});

test("binance: the streams of a SUBSCRIBE", async (t) => {
  const { socket, heard, changed } = await setUp(t, binance, "/stream", { hold: false });
  socket.send(JSON.stringify({ method: "SUBSCRIBE", params: ["bnbbtc@kline_1m"], id: 7 }));
  await until(changed, () => socket.readyState === WebSocket.CLOSED, "the end");
  assert.deepEqual(JSON.parse(heard[0]), { result: null, id: 7 });
  assert.deepEqual(
    heard.slice(1).map((text) => JSON.parse(text).stream),
    ["bnbbtc@kline_1m"],
  );
});

test("the pace is the capture's, times the speed", async (t) => {
  const capture = parseCapture("wss://other.example <-> 0\n0: a\n2: b\n", "c");
  const start = performance.now();
  const { heard, changed, player } = await setUp(t, capture, "", { speed: 10 });
  await until(changed, () => heard.length === 2, "both");
  assert.ok(performance.now() - start >= 195, "two seconds at ten times the speed");
  assert.equal(player.finished, 1);
});

test("a client that reads late gets everything, and the player does not hold it all", async (t) => {
  const line = `1: {"x":"${"x".repeat(10_000)}"}\n`;
  const capture = parseCapture(`wss://other.example <-> 0\nwss://other.example <- 0: go\n${line.repeat(3_000)}`, "c");
  const { socket, heard, changed, player } = await setUp(t, capture);
  socket.pause();
  socket.send("go");
  // Long enough for a player without backpressure to have sent all 30 MB; no test fails because it is too short.
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(player.finished, 0);
  socket.resume();
  await until(changed, () => heard.length === 3_000, "all of it");
});

test("a GET that was captured is answered, whatever its limit; another is not found", async (t) => {
  const capture = parseCapture(
    'https://a.example/depth?symbol=AB&limit=1000 -> 1: {"x":1}\nwss://other.example <-> 0\n0: a\n',
    "c",
  );
  const player = new Player(capture, { log: new KeptLog().log });
  const url = (await player.listen()).replace("ws:", "http:");
  t.after(() => player.close());
  assert.deepEqual(await (await fetch(`${url}/depth?symbol=AB&limit=5`)).json(), { x: 1 });
  for (const path of ["/depth?symbol=CD", "/other?symbol=AB"]) assert.equal((await fetch(url + path)).status, 404);
  assert.equal((await fetch(`${url}/depth?symbol=AB`, { method: "POST" })).status, 404);
});

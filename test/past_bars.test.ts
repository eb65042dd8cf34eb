/** Past bars of a venue that the capture player plays, from the start of a process to a client. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { WebSocket } from "ws";
import { parseCapture } from "../src/feed/capture/capture.ts";
import { Player } from "../src/feed/capture/player.ts";
import { KeptLog } from "./support/feed_bench.ts";
import { polled, ServerProcess, until } from "./support/gateway_process.ts";

const MINUTE = 60_000;
const HOME = "https://api.binance.com/api/v3/klines";
const STREAM = "wss://stream.binance.com:9443/stream";

/** Klines up to the current one, which is still forming: the price is the distance from it. */
function klines(now: number, count: number, length: number): unknown[][] {
  const last = Math.floor(now / length) * length;
  return Array.from({ length: count }, (_, index) => {
    const price = `${count - 1 - index}`;
    const time = last - (count - 1 - index) * length;
    return [time, price, price, price, price, "2.5", time + length - 1, "1", 4, "1", "1", "0"];
  });
}

test("tickgate all: a client gets 300 past bars at once after the start", async (t) => {
  const now = Date.now();
  const trade = { e: "aggTrade", E: now, s: "BTCUSDT", a: 1, p: "7", q: "1", f: 1, l: 1, T: now, m: true };
  const capture = parseCapture(
    [
      `${STREAM} <-> 1`,
      `${HOME}?symbol=BTCUSDT&interval=1m -> 1: ${JSON.stringify(klines(now, 1_000, MINUTE))}`,
      `${HOME}?symbol=BTCUSDT&interval=1s -> 1: ${JSON.stringify(klines(now, 1_000, 1_000))}`,
      `1: ${JSON.stringify({ stream: "btcusdt@aggTrade", data: trade })}`,
    ].join("\n"),
    "a venue",
  );
  const player = new Player(capture, { log: new KeptLog().log });
  const url = await player.listen();
  t.after(() => player.close());
  const feed = `binance:BTCUSDT?url=${url}&rest=${url.replace("ws:", "http:")}&channels=quote,trade,bar`;
  const gateway = await ServerProcess.open("all", "--port", "0", "--admin-port", "0", "--feed", feed);
  t.after(() => gateway.close());

  const ask = async (resolution: string) => {
    const answer = await gateway.get(`/v1/bars?symbol=BINANCE:BTCUSDT&resolution=${resolution}&last=5000`);
    return answer.status === 200 ? ((await answer.json()) as { bars: { start: number; flags: number }[] }).bars : [];
  };
  await polled(
    () => ask("1m"),
    (bars) => bars.length >= 999,
    "the minutes",
  );
  await polled(
    () => ask("1s"),
    (bars) => bars.length >= 900,
    "the seconds",
  );
  const hours = await ask("1h");
  assert.ok(hours.length >= 16, `${hours.length} bars of an hour`);

  const socket = new WebSocket(gateway.url, ["tickgate.v1.json"]);
  t.after(() => socket.terminate());
  const changes = new EventEmitter();
  let count = 0;
  const ticks: number[][] = [];
  socket.on("open", () => {
    const command = { op: "subscribe", channel: "bar", resolution: "1m", last: 300, symbols: ["BINANCE:BTCUSDT"] };
    socket.send(JSON.stringify(command));
  });
  socket.on("message", (data: Buffer) => {
    const message = JSON.parse(data.toString());
    if (Array.isArray(message)) ticks.push(...message.slice(1));
    else if (message.op === "subscribed") [[, , count]] = message.symbols;
    changes.emit("change");
  });
  await until(changes, () => ticks.length >= 300, "past bars");
  assert.equal(count, 300);
  const last = Math.floor(now / MINUTE) * MINUTE;
  const past = ticks.slice(0, 300).filter(([, , start]) => start / 1_000 < last);
  assert.ok(past.length >= 298, `${past.length} past bars`);
  for (const [, , start, open, high, low, close, volume, trades, flags] of past) {
    const price = (last - start / 1_000) / MINUTE;
    assert.deepEqual([open, high, low, close, volume, trades, flags], [price, price, price, price, 2.5, 4, 1]);
  }
});

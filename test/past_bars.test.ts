/** Past bars of a venue that the capture player plays, from the start of a process to a client. */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { WebSocket } from "ws";
import { parseCapture } from "../src/feed/capture/capture.ts";
import { Player } from "../src/feed/capture/player.ts";
import { KeptLog } from "./support/feed_bench.ts";
import { polled, ServerProcess, until } from "./support/gateway_process.ts";
import { RedisServer } from "./support/redis_server.ts";

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

test("through Redis: a standby asks for nothing until it leads, and then for what the store lacks", async (t) => {
  const asked: { who: string; start: number; end: number; at: number }[] = [];
  // Candles for whoever asks; of the leader it is only the first request that is not refused.
  const venue = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://x");
    const who = pathname.split("/")[1];
    const [start, end] = ["start", "end"].map((name) => Date.parse(String(searchParams.get(name))));
    asked.push({ who, start, end, at: Date.now() });
    const candles: number[][] = [];
    for (let time = end; time >= start; time -= MINUTE) candles.push([time / 1_000, 1, 4, 2, 3, 0.5]);
    if (who === "leader" && asked.length > 1) response.writeHead(429, { "retry-after": "3600" }).end();
    else response.end(JSON.stringify(candles));
  });
  venue.listen(0, "127.0.0.1");
  await once(venue, "listening");
  t.after(() => venue.close());
  const subscribe = '{"type":"subscribe","product_ids":["BTC-USD"],"channels":["ticker"]}';
  const home = "wss://ws-feed.exchange.coinbase.com";
  const ticker = '{"type":"ticker","product_id":"BTC-USD","price":"3","time":"2023-11-14T22:13:20.000000Z"}';
  const capture = parseCapture(`${home} <-> 1\n${home} <- 1: ${subscribe}\n1: ${ticker}`, "a venue");
  const player = new Player(capture, { log: new KeptLog().log });
  const url = await player.listen();
  t.after(() => player.close());
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  const bus = ["--redis-url", redis.url, "--bus-shards", "2", "--admin-port", "0"];
  const openFeed = async (who: string) => {
    const rest = `http://127.0.0.1:${(venue.address() as AddressInfo).port}/${who}`;
    const feed = `coinbase:BTC-USD?url=${url}&rest=${rest}&channels=quote,bar`;
    const opened = await ServerProcess.open("feed", "--feed", feed, ...bus);
    t.after(() => opened.close());
    return opened;
  };
  const gateway = await ServerProcess.open("gateway", "--port", "0", ...bus);
  t.after(() => gateway.close());
  const ask = async (resolution: string) => {
    const answer = await gateway.get(`/v1/bars?symbol=COINBASE:BTC-USD&resolution=${resolution}&last=5000`);
    return answer.status === 200 ? ((await answer.json()) as { bars: { trades: number; flags: number }[] }).bars : [];
  };
  const leader = await openFeed("leader");
  const polledBars = (count: number) =>
    polled(
      () => ask("1m"),
      (bars) => bars.length >= count,
      `${count} bars`,
    );
  await polledBars(300);
  const standby = await openFeed("standby");
  await polled(
    async () => standby.stderr,
    (said) => said.includes("standing by") && said.includes('"live"'),
    "a standby that receives the venue",
  );
  const killedAt = Date.now();
  leader.signal("SIGKILL");
  const bars = await polledBars(1_499);
  assert.ok(bars.every(({ trades, flags }) => trades === 0 && flags === 1));
  assert.ok(
    (await ask("5m")).every(({ trades }) => trades === 0),
    "unknown as well",
  );
  const own = asked.filter(({ who }) => who === "standby");
  assert.ok(own.every(({ at }) => at >= killedAt));
  // The newest 300 were in the store; a minute may have ended since.
  const newest = asked[0].end;
  for (const { start, end } of own) {
    assert.ok(end <= newest - 299 * MINUTE || start > newest, JSON.stringify({ newest, start, end }));
  }
  const older = own.filter(({ end }) => end < newest);
  assert.equal(older.length, 4, "1,199 minutes");
});

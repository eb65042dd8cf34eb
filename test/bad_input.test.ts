/** Invalid input from clients: it causes an error or closes their connection, and does not affect other clients. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { encode } from "@msgpack/msgpack";
import { GatewayProcess, polled } from "./support/gateway_process.ts";
import { frame, RawSocket } from "./support/raw_socket.ts";
import { WireClient } from "./support/wire_client.ts";

const JSON_NAME = "tickgate.v1.json";
const MSGPACK_NAME = "tickgate.v1.msgpack";
const [TEXT, BINARY, CLOSE, PING, PONG] = [1, 2, 8, 9, 10];

let gateway: GatewayProcess;
/** Another client, which must not be affected. */
let bystander: WireClient;
let price = 0;
before(async () => {
  gateway = await GatewayProcess.open();
  bystander = await WireClient.open(gateway.url, MSGPACK_NAME);
  await bystander.subscribe(["V:A"], { interval: 0, fields: ["last"] });
});
afterEach(async () => {
  gateway.tick("V:A", { last: ++price });
  await bystander.tick(({ values }) => values[0] === price, "a tick for somebody else");
  assert.ok(gateway.alive);
  assert.equal(bystander.closed, undefined);
});
after(async () => {
  bystander.close();
  await gateway.close();
});

test("frames that the end of the connection cuts off", async () => {
  const whole = frame(TEXT, JSON.stringify({ op: "subscribe", symbols: ["V:A"] }));
  for (const length of [1, 2, 5, whole.length - 1]) {
    const raw = await RawSocket.open(gateway.port, JSON_NAME);
    raw.socket.end(whole.subarray(0, length));
    await raw.untilClosed();
  }
  await polled(
    () => gateway.metric("tickgate_connections"),
    (count) => count === 1,
    "their sessions to end",
  );
});

test("frames that no client may send end the connection", async () => {
  const refused: Record<string, Buffer> = {
    "a reserved opcode": frame(3, "x"),
    "a reserved bit": frame(TEXT, "{}", { first: 0xf0 }),
    "a ping of 126 bytes": frame(PING, new Uint8Array(126)),
    "a ping in parts": frame(PING, "x", { first: 0 }),
    "text that is not UTF-8": frame(TEXT, Buffer.of(0x22, 0xc3, 0x28, 0x22)),
    "2^40 bytes announced": frame(BINARY, "x", { claimed: 2n ** 40n }),
    "2^63 bytes announced": frame(BINARY, "x", { claimed: 2n ** 63n }),
    "more than eight times the limit": frame(TEXT, new Uint8Array(300_000).fill(0x20)),
    "a close of one byte": frame(CLOSE, "x"),
    "a continuation of nothing": frame(0, "x"),
  };
  for (const [what, bytes] of Object.entries(refused)) {
    const raw = await RawSocket.open(gateway.port, JSON_NAME);
    raw.socket.write(bytes);
    await raw.untilClosed().catch((error) => assert.fail(`${what}: ${error.message}`));
  }
});

test("unmasked or random frames close at most their connection", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const raw = await RawSocket.open(gateway.port, seed % 2 === 0 ? JSON_NAME : MSGPACK_NAME);
    let state = seed;
    const noise = Buffer.from(
      Array.from({ length: 2_000 }, () => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return state >>> 16;
      }),
    );
    raw.socket.write(seed % 3 === 0 ? frame(TEXT, noise, { masked: false }) : noise);
    raw.socket.end();
    await raw.untilClosed();
  }
});

test("a message in endless parts is refused at the limit", async () => {
  const raw = await RawSocket.open(gateway.port, JSON_NAME);
  raw.socket.write(frame(TEXT, "x".repeat(1_000), { first: 0 }));
  const part = frame(0, "x".repeat(1_000), { first: 0 });
  for (let count = 0; count < 2_000 && !raw.closed; count++) raw.socket.write(part);
  await raw.untilClosed();
});

test("messages that are not commands get an error, and the connection continues", async () => {
  const deep = 10_000;
  const messages: [string, Uint8Array | string][] = [
    [JSON_NAME, ""],
    [JSON_NAME, "{"],
    [JSON_NAME, "[".repeat(deep)],
    [JSON_NAME, `${"[".repeat(deep)}${"]".repeat(deep)}`],
    [JSON_NAME, '{"op":"subscribe","symbols":"V:A"}'],
    [JSON_NAME, '{"__proto__":{"op":"ping"}}'],
    [MSGPACK_NAME, new Uint8Array(0)],
    [MSGPACK_NAME, Buffer.of(0xc1)],
    [MSGPACK_NAME, new Uint8Array(deep).fill(0x91)],
    [MSGPACK_NAME, Buffer.of(0xdd, 255, 255, 255, 255)],
    [MSGPACK_NAME, Buffer.concat(new Array(10_000).fill(Buffer.of(0xdc, 0x7f, 0xff)))],
    [MSGPACK_NAME, Buffer.of(0xd4, 0x72, 0x40)],
    [MSGPACK_NAME, encode({ op: "subscribe", symbols: [new Date()] })],
    [MSGPACK_NAME, encode({ op: new Uint8Array(5) })],
  ];
  for (const [subprotocol, message] of messages) {
    const client = await WireClient.open(gateway.url, subprotocol as typeof JSON_NAME);
    client.socket.send(message);
    assert.equal((await client.heard("error")).code, "bad_message");
    await client.ask({ op: "ping" }, "pong");
    client.close();
  }
});

test("text in the binary subprotocol, and the reverse, is a bad message", async () => {
  const json = await WireClient.open(gateway.url, JSON_NAME);
  json.socket.send(Buffer.from('{"op":"ping"}'), { binary: true });
  assert.equal((await json.heard("error")).code, "bad_message");
  const msgpack = await WireClient.open(gateway.url, MSGPACK_NAME);
  msgpack.socket.send('{"op":"ping"}');
  assert.equal((await msgpack.heard("error")).code, "bad_message");
  for (const client of [json, msgpack]) client.close();
});

test("a thousand subscribes in one go end with 4429", async () => {
  const client = await WireClient.open(gateway.url, JSON_NAME);
  const symbols = Array.from({ length: 100 }, (_, index) => `FLOOD:${index}`);
  for (let count = 0; count < 1_000; count++) client.say({ op: "subscribe", symbols, interval: count });
  assert.equal((await client.untilClosed()).code, 4429);
  await polled(
    () => gateway.metric("tickgate_awaited_symbols"),
    (count) => count <= 1,
    "its subscriptions to be released",
  );
});

test("unexpected pongs are ignored", async () => {
  const raw = await RawSocket.open(gateway.port, JSON_NAME);
  for (let count = 0; count < 100; count++) raw.socket.write(frame(PONG, Buffer.of(0, 0, count, count)));
  raw.socket.write(frame(PONG, "much too long for one of ours"));
  raw.socket.write(frame(PONG, ""));
  raw.socket.write(frame(TEXT, '{"op":"ping"}'));
  await raw.heard("pong");
  raw.destroy();
});

test("invalid, too large or endless HTTP closes at most its connection", async () => {
  const requests = [
    "\r\n\r\n",
    "GARBAGE\r\n\r\n",
    "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "GET /v1/symbols?prefix=%%%&&&=;\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    `GET /${"x".repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(100_000)}\r\n\r\n`,
    "POST /v1/ticks HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
    "POST /v1/ticks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
    "GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nSec-WebSocket-Key: short\r\n\r\n",
    Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 7_919) % 256)),
  ];
  for (const request of requests)
    for (const port of [gateway.port, gateway.adminPort]) {
      const raw = new RawSocket(port);
      raw.socket.end(request);
      await raw.untilClosed();
    }
  const unfinished = new RawSocket(gateway.port);
  unfinished.socket.write("GET /v1/symbols HTTP/1.1\r\nHost: x\r\nX-Slow: ");
  assert.equal((await gateway.get("/v1/symbols")).status, 200, "others are served meanwhile");
  unfinished.destroy();
});

test("lines of the feed that are not ticks are left out", async () => {
  gateway.ticks([{ symbol: "no symbol", bid: 1 }, { symbol: "V:A", bid: "1" }, { symbol: "V:A", ask: [1] }, { no: 1 }]);
  await polled(
    () => gateway.metric("tickgate_feed_skipped_total"),
    (count) => count >= 3,
    "lines to be counted as left out",
  );
});

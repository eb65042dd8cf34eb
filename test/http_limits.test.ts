/** What attacks over HTTP cost a gateway and its other clients. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { GatewayProcess, polled } from "./support/gateway_process.ts";
import { RawSocket } from "./support/raw_socket.ts";
import { WireClient } from "./support/wire_client.ts";

const SYMBOLS = 20_000;
/** The largest growth of a gateway's memory, bytes. */
const MOST_GROWTH = 150_000_000;
/** The longest wait of a client for its pong while others attack, ms. */
const MOST_WAIT = 250;

let gateway: GatewayProcess;
let beside: WireClient;

before(async () => {
  gateway = await GatewayProcess.open();
  for (let from = 0; from < SYMBOLS; from += 1_000)
    gateway.ticks(
      Array.from({ length: 1_000 }, (_, index) => ({ symbol: `A:${from + index}`, bid: 1.25, ask: 1.5, last: 1.375 })),
    );
  await polled(
    () => gateway.metric("tickgate_symbols"),
    (count) => count === SYMBOLS,
    "all symbols to be known",
  );
  beside = await WireClient.open(gateway.url);
});
after(async () => {
  beside.close();
  await gateway.close();
});

/** The memory (bytes) and CPU time (seconds) of the process. */
function usage(): { memory: number; cpu: number } {
  const [, pages] = readFileSync(`/proc/${gateway.pid}/statm`, "utf8").split(" ");
  const stat = readFileSync(`/proc/${gateway.pid}/stat`, "utf8").split(") ")[1].split(" ");
  return { memory: Number(pages) * 4_096, cpu: (Number(stat[11]) + Number(stat[12])) / 100 };
}

/** Pings until it is stopped. @returns the longest wait, ms */
function pinging(): () => Promise<number> {
  let isOver = false;
  const longest = (async () => {
    let most = 0;
    while (!isOver) {
      const asked = performance.now();
      await beside.ask({ op: "ping", id: `at ${asked}` }, "pong");
      most = Math.max(most, performance.now() - asked);
      // Fewer than a client may send.
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    return most;
  })();
  return () => {
    isOver = true;
    return longest;
  };
}

function ask(path: string, method = "GET", headers = ""): string {
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`;
}

const attacks: Record<string, string> = {
  "all ticks": ask("/v1/ticks?symbols=*"),
  "all symbols": ask("/v1/symbols"),
  "patterns without end": ask(`/v1/ticks?symbols=${"A*,".repeat(1_200)}`),
  "many patterns": ask(`/v1/ticks?symbols=${Array.from({ length: 500 }, (_, index) => `A:${index}*`).join(",")}`),
  "many symbols": ask(`/v1/ticks?symbols=${Array.from({ length: 500 }, (_, index) => `A:${index}`).join(",")}`),
  "the page": ask("/"),
  "what is not there": ask("/nothing"),
  "a stream that is none": ask("/v1/stream"),
  "a handshake that is refused": ask("/v1/stream", "GET", "Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n"),
  "another version": ask(
    "/v1/stream",
    "GET",
    "Upgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
  ),
  HEAD: ask("/", "HEAD"),
  OPTIONS: ask("/v1/ticks", "OPTIONS", "Access-Control-Request-Method: GET\r\nOrigin: https://a.example\r\n"),
  "an expectation": ask("/v1/symbols", "GET", "Expect: 100-continue\r\n"),
  "many ranges": ask("/", "GET", `Range: bytes=${"0-1,".repeat(500)}2-3\r\n`),
  "many tags": ask("/", "GET", `If-None-Match: ${'"x",'.repeat(500)}*\r\n`),
};

test("pipelined requests on sockets that do not read cost little, and no other client waits", async () => {
  for (const [what, request] of Object.entries(attacks)) {
    const start = usage();
    const requests = await gateway.metric("tickgate_http_requests_total");
    const stop = pinging();
    const attackers = Array.from({ length: 4 }, () => new RawSocket(gateway.port));
    for (const attacker of attackers) {
      attacker.socket.pause();
      attacker.socket.write(request.repeat(Math.ceil(360_000 / request.length)));
    }
    await polled(
      () => gateway.metric("tickgate_http_requests_total"),
      (count) => count > requests,
      `${what}: the requests to come`,
    );
    for (const attacker of attackers) attacker.socket.resume();
    await Promise.all(attackers.map((attacker) => attacker.untilClosed()));
    const longest = await stop();
    const { memory, cpu } = usage();
    assert.ok(longest < MOST_WAIT, `${what}: a pong took ${longest} ms`);
    assert.ok(memory - start.memory < MOST_GROWTH, `${what}: ${(memory - start.memory) / 1e6} MB more`);
    assert.ok(cpu - start.cpu < 3, `${what}: ${cpu - start.cpu} s of CPU`);
  }
  assert.equal(beside.closed, undefined);
});

test("an endless body is not stored", async () => {
  const start = usage();
  const raw = new RawSocket(gateway.port);
  raw.socket.write(ask("/v1/ticks", "POST", "Content-Length: 10000000000\r\n"));
  const part = Buffer.alloc(1_000_000, "x");
  for (let count = 0; count < 100; count++)
    if (!raw.socket.write(part)) await new Promise((resolve) => raw.socket.once("drain", resolve));
  await raw.heard('{"error":');
  assert.match(raw.text, /^HTTP\/1.1 405 /);
  assert.ok(usage().memory - start.memory < MOST_GROWTH);
  raw.destroy();
});

test("an address with too many requests gets 429 with Retry-After; a client is not affected", async () => {
  const limited = await GatewayProcess.open("--http-rate-per-address", "5");
  try {
    const client = await WireClient.open(limited.url);
    const answers = await Promise.all(Array.from({ length: 20 }, () => limited.get("/v1/symbols")));
    const refused = answers.filter(({ status }) => status === 429);
    assert.ok(refused.length >= 8 && refused.length < 20, `${refused.length} of 20`);
    for (const { headers } of refused) assert.match(headers.get("retry-after") ?? "", /^\d+$/);
    const asked = performance.now();
    const upgrades = Array.from({ length: 15 }, () => WireClient.refused(limited.url, { protocols: ["chat"] }));
    assert.ok((await Promise.all(upgrades)).every(({ status }) => status === 400));
    assert.ok(performance.now() - asked >= 240, "refusals are delayed");
    await client.ask({ op: "ping", id: 1 }, "pong");
    await (await WireClient.open(limited.url)).ask({ op: "ping", id: 1 }, "pong");
    assert.ok((await limited.metric("tickgate_http_refused_total")) >= 8);
  } finally {
    await limited.close();
  }
});

test("an address may not leave more unread than its limit, and others are served", async () => {
  const proxied = ["--trusted-proxy", "127.0.0.1", "--http-unread-bytes-per-address", "131072"];
  const limited = await GatewayProcess.open(...proxied);
  try {
    limited.ticks(Array.from({ length: 40_000 }, (_, index) => ({ symbol: `A:${index}`, bid: 1.25, ask: 1.5 })));
    await polled(
      () => limited.metric("tickgate_symbols"),
      (count) => count === 40_000,
      "all symbols to be known",
    );
    const from = (address: string) => ({ "X-Forwarded-For": address });
    const readers = Array.from({ length: 2 }, () => new RawSocket(limited.port));
    for (const { socket } of readers) {
      socket.pause();
      socket.write(ask("/v1/ticks?symbols=*", "GET", "X-Forwarded-For: 2001:db8::1\r\n"));
    }
    await polled(
      () => limited.metric("tickgate_http_pending"),
      (count) => count === 2,
      "two answers to wait",
    );
    const refused = await limited.get("/v1/ticks?symbols=A:1", from("2001:db8::2"));
    assert.equal(refused.status, 429, "the same /64");
    assert.equal((await limited.get("/v1/ticks?symbols=A:1", from("2001:db8:0:1::1"))).status, 200);
    for (const reader of readers) reader.destroy();
    await polled(
      async () => (await limited.get("/v1/ticks?symbols=A:1", from("2001:db8::2"))).status,
      (status) => status === 200,
      "the unread bytes to be released",
    );
  } finally {
    await limited.close();
  }
});

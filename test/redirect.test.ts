/** The redirect port: plain requests are sent to the https address, and nothing else is served. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connect, type Socket } from "node:net";
import { after, type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { CertificateFolder } from "./support/certificate.ts";
import { polled, runTickgate, ServerProcess } from "./support/gateway_process.ts";
import { RawSocket } from "./support/raw_socket.ts";
import { RedisServer } from "./support/redis_server.ts";

// The certificate of these tests signs itself.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
const folder = new CertificateFolder();
after(() => folder.close());
const { cert, key } = folder.create("redirect");
const TLS = ["--tls-cert", cert, "--tls-key", key];

async function open(t: TestContext, ...args: string[]): Promise<{ server: ServerProcess; port: number }> {
  const ports = ["--port", "0", "--admin-port", "0", "--redirect-port", "0"];
  const server = await ServerProcess.open(...args, ...ports, ...TLS);
  t.after(() => server.close());
  return { server, port: server.redirectPort };
}

test("the address has the port that clients reach, where that is another one", async (t) => {
  const { port } = await open(t, "all", "--redirect-to", "443");
  const response = await fetch(`http://127.0.0.1:${port}/v1/symbols`, { redirect: "manual" });
  assert.equal(response.headers.get("location"), "https://127.0.0.1/v1/symbols");
});

/** The whole answer to these bytes: the connection ends with it. */
async function answerTo(port: number, bytes: string): Promise<string> {
  const raw = new RawSocket(port);
  raw.socket.write(bytes);
  await raw.untilClosed();
  return raw.text;
}

const REQUEST = (head: string) => `${head}\r\n\r\n`;

test("every request is answered with 308 and the https address, an upgrade too; a client that follows gets prices", async (t) => {
  const { server, port } = await open(t, "all");
  const target = `https://127.0.0.1:${server.port}`;
  for (const method of ["GET", "HEAD", "POST", "DELETE", "OPTIONS"]) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/symbols?prefix=SIM:`, { method, redirect: "manual" });
    assert.equal(response.status, 308, method);
    assert.equal(response.headers.get("location"), `${target}/v1/symbols?prefix=SIM:`);
    assert.equal(response.headers.get("strict-transport-security"), null, "browsers ignore it without TLS");
    assert.equal(await response.text(), "");
  }
  await server.known("SIM:S0001");
  const followed = await fetch(`http://127.0.0.1:${port}/v1/symbols?prefix=SIM:S0001`);
  assert.deepEqual(((await followed.json()) as { symbols: string[] }).symbols, ["SIM:S0001"]);
  const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
  const answer = await answerTo(
    port,
    REQUEST(
      `GET /v1/stream HTTP/1.1\r\nHost: localhost:${port}\r\n${upgrade}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==`,
    ),
  );
  assert.match(
    answer,
    new RegExp(`^HTTP/1\\.1 308 .*\r\nLocation: https://localhost:${server.port}/v1/stream\r\n`, "s"),
  );
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/stream`, "tickgate.v1.json", { followRedirects: true });
  t.after(() => socket.terminate());
  const hello = await new Promise<string>((resolve, reject) => {
    socket.once("message", (data) => resolve(data.toString()));
    socket.once("error", reject);
  });
  assert.equal(JSON.parse(hello).op, "hello");
});

test("a host that is not valid is answered with 400, and no answer has a header of the client's", async (t) => {
  const { server, port } = await open(t, "all", "--origin", "https://prices.example.com");
  for (const head of [
    "GET / HTTP/1.1",
    "GET / HTTP/1.0",
    "GET / HTTP/1.1\r\nHost:",
    "GET / HTTP/1.1\r\nHost: a@b",
    "GET / HTTP/1.1\r\nHost: evil.example/x",
    "GET / HTTP/1.1\r\nHost: evil.example",
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example",
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\rX-Injected: 1",
    "GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1",
    "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1",
    "GET /\xe4 HTTP/1.1\r\nHost: 127.0.0.1",
    `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: 127.0.0.1`,
  ]) {
    const answer = await answerTo(port, REQUEST(head));
    assert.match(answer, /^HTTP\/1\.1 4\d\d /, head);
    assert.ok(!/location|injected|evil/i.test(answer), answer);
  }
  const injected = await answerTo(port, REQUEST("GET /%0d%0aX-Injected:%201 HTTP/1.1\r\nHost: 127.0.0.1"));
  assert.match(injected, /Location: https:\/\/127\.0\.0\.1:\d+\/%0d%0aX-Injected:%201\r\n/);
  assert.ok(!/^x-injected/im.test(injected), injected);
  assert.ok(server.alive);
  assert.match(server.stderr, /refusing an HTTP request/);
});

test("connections are bounded in number and in time, and the clients' port does not notice", async (t) => {
  const { server, port } = await open(t, "all");
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  let isOpen = 0;
  for (let index = 0; index < 100; index++) {
    const socket = connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"));
    sockets.push(socket);
    isOpen++;
    socket.on("error", () => {});
    socket.on("close", () => isOpen--);
  }
  // 64 of one address.
  await polled(
    async () => isOpen,
    (count) => count <= 64,
    "connections to be closed",
  );
  assert.equal((await server.get("/v1/symbols")).status, 200);
  await polled(
    async () => isOpen,
    (count) => count === 0,
    "requests that do not end to be closed",
  );
  assert.match(await answerTo(port, REQUEST("GET / HTTP/1.1\r\nHost: 127.0.0.1")), / 308 /);
});

test("with workers, the port belongs to the process that starts them", async (t) => {
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  const { server, port } = await open(t, "gateway", "--workers", "2", "--redis-url", redis.url);
  const response = await fetch(`http://127.0.0.1:${port}/`, { redirect: "manual" });
  assert.equal(response.headers.get("location"), `https://127.0.0.1:${server.port}/`);
});

test("without TLS, and with a port in use, the process ends with code 2 and one line", async (t) => {
  const other = createServer();
  other.listen(0, "127.0.0.1");
  t.after(() => other.close());
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as AddressInfo;
  const all = ["all", "--port", "0", "--admin-port", "0"];
  const workers = ["gateway", "--workers", "2", "--redis-url", "redis://127.0.0.1:1", ...all.slice(1)];
  for (const [args, message] of [
    [[...all, "--redirect-port", "0"], /--redirect-port needs --tls-cert/],
    [[...all, "--redirect-port", "x"], /--redirect-port must be empty or a whole number from 0 to 65535/],
    [[...all, ...TLS, "--redirect-port", String(port)], /--redirect-port\): the port is in use/],
    [[...workers, ...TLS, "--redirect-port", String(port)], /--redirect-port\): the port is in use/],
  ] as const) {
    const { code, stderr } = await runTickgate(...args);
    assert.equal(code, 2, stderr);
    // The gateway may have said that it is ready before.
    const [line, ...more] = stderr.split("\n").filter((text) => text !== "" && !text.startsWith("{"));
    assert.match(line, message);
    assert.deepEqual(more, []);
  }
});

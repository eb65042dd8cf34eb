/** What a gateway refuses, and with which code. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GatewayProcess, runTickgate } from "./support/gateway_process.ts";
import { RawSocket } from "./support/raw_socket.ts";
import { WireClient } from "./support/wire_client.ts";

const JSON_ONLY = { protocols: ["tickgate.v1.json"] };

let gateway: GatewayProcess;
before(async () => {
  gateway = await GatewayProcess.open(
    ...["--heartbeat", "1000", "--max-message-bytes", "1000", "--commands-per-second", "50"],
    ...["--max-symbols-per-connection", "3", "--origin", "https://ours.example"],
  );
});
after(() => gateway.close());

test("the first subprotocol known in the client's order is taken, the default when none is offered", async () => {
  const choices: [string[], string][] = [
    [[], ""],
    [["tickgate.v1.json"], "tickgate.v1.json"],
    [["tickgate.v1.msgpack", "tickgate.v1.json"], "tickgate.v1.msgpack"],
    [["tickgate.v1.json", "tickgate.v1.msgpack"], "tickgate.v1.json"],
    [["chat", "tickgate.v9.json", "tickgate.v1.json"], "tickgate.v1.json"],
  ];
  for (const [protocols, taken] of choices) {
    const client = new WireClient(gateway.url, { protocols });
    const hello = await client.heard("hello");
    assert.equal(hello.protocol, 1);
    assert.equal(client.socket.protocol, taken);
    client.close();
  }
  assert.equal((await WireClient.refused(gateway.url, { protocols: ["chat", "tickgate.v2.json"] })).status, 400);
});

test("other origins are refused; listed ones and clients without one are accepted", async () => {
  for (const origin of ["https://theirs.example", "null", "https://ours.example.evil"])
    assert.equal((await WireClient.refused(gateway.url, { ...JSON_ONLY, origin })).status, 403);
  const ours = await WireClient.open(gateway.url, "tickgate.v1.json", { origin: "https://ours.example" });
  ours.close();
});

test("an invalid handshake is refused, with what is expected", async () => {
  const lines = {
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  const answer = async (changed: Record<string, string | string[] | undefined>) => {
    const headers = Object.entries({ ...lines, ...changed }).flatMap(([name, value]) =>
      [value ?? []].flat().map((each) => `${name}: ${each}\r\n`),
    );
    const raw = new RawSocket(gateway.port);
    raw.socket.write(`GET /v1/stream HTTP/1.1\r\nHost: here\r\n${headers.join("")}\r\n`);
    await raw.heard("\r\n\r\n");
    raw.destroy();
    return raw.text;
  };
  assert.match(await answer({}), /^HTTP\/1.1 101 /);
  assert.match(await answer({ Upgrade: undefined }), /^HTTP\/1.1 426 /);
  assert.match(await answer({ Connection: "close" }), /^HTTP\/1.1 426 /);
  for (const version of ["12", "8", "", undefined])
    assert.match(
      await answer({ "Sec-WebSocket-Version": version }),
      /^HTTP\/1.1 426 .*\r\nSec-WebSocket-Version: 13\r\n/s,
    );
  for (const key of ["", "short", "dGhlIHNhbXBsZSBub25jZQ", "!!!!!!!!!!!!!!!!!!!!!!==", undefined])
    assert.match(await answer({ "Sec-WebSocket-Key": key }), /^HTTP\/1.1 400 /, key);
  const key = lines["Sec-WebSocket-Key"];
  assert.match(await answer({ "Sec-WebSocket-Key": [key, key] }), /^HTTP\/1.1 400 /);
  const protocol = /\r\nSec-WebSocket-Protocol: (\S+)\r\n/;
  const two = await answer({ "Sec-WebSocket-Protocol": ["chat", "tickgate.v1.json"] });
  assert.equal(protocol.exec(two)?.[1], "tickgate.v1.json", "of all lines together");
  const token = await answer({ "Sec-WebSocket-Protocol": ["bearer.secret.token", "tickgate.v1.json"] });
  assert.equal(protocol.exec(token)?.[1], "tickgate.v1.json");
  const alone = await answer({ "Sec-WebSocket-Protocol": "bearer.secret.token" });
  assert.match(alone, /^HTTP\/1.1 101 /);
  assert.doesNotMatch(alone, protocol);
  const unknown = await answer({ "Sec-WebSocket-Protocol": ["bearer.secret.token", "chat"] });
  assert.match(unknown, /^HTTP\/1.1 400 /);
  for (const text of [token, alone, unknown, gateway.stderr]) assert.doesNotMatch(text, /secret/);
});

test("a message over the limit closes with 1009, one at the limit does not", async () => {
  for (const bytes of [1_001, 4_000]) {
    const client = await WireClient.open(gateway.url);
    const command = (length: number) => ({ op: "ping", x: "x".repeat(length - '{"op":"ping","x":""}'.length) });
    client.say(command(1_000));
    await client.heard("pong");
    client.say(command(bytes));
    assert.equal((await client.untilClosed()).code, 1009);
  }
});

test("messages that are not commands get an error each, and too many of them close with 4400", async () => {
  const client = await WireClient.open(gateway.url);
  for (let count = 0; count < 40; count++) client.socket.send("nonsense");
  assert.equal((await client.untilClosed()).code, 4400);
  const errors = client.controls.filter((message) => message.op === "error");
  assert.ok(errors.length >= 20, `${errors.length} errors first`);
  assert.ok(errors.every((error) => error.code === "bad_message" && !error.retryable));
});

test("too many commands get a retryable error, and far too many close with 4429", async () => {
  const client = await WireClient.open(gateway.url);
  for (let count = 0; count < 60; count++) client.say({ op: "ping", id: count });
  const error = await client.heard("error");
  assert.equal(error.code, "too_many_commands");
  assert.equal(error.retryable, true);
  assert.equal(typeof error.id, "number", "the answer says which command it was");
  for (let count = 0; count < 500; count++) client.say({ op: "ping" });
  assert.equal((await client.untilClosed()).code, 4429);
});

test("symbols over the limit are rejected, those before them are granted", async () => {
  const client = await WireClient.open(gateway.url);
  const { symbols, rejected } = await client.ask({ op: "subscribe", symbols: ["A", "B", "C", "D"] }, "subscribed");
  assert.equal(symbols.length, 3);
  assert.deepEqual(
    rejected.map(({ symbol, code }) => [symbol, code]),
    [["D", "too_many_symbols"]],
  );
  client.close();
});

test("a client that answers no ping for three heartbeats is closed with 4408", async () => {
  const opened = performance.now();
  const client = await WireClient.open(gateway.url, "tickgate.v1.json", { autoPong: false });
  assert.equal((await client.untilClosed()).code, 4408);
  assert.ok(performance.now() - opened >= 2_900);
});

test("connections over the limit are refused with 503 and Retry-After, and accepted when there is room", async () => {
  const limits: [string[], string][] = [
    [["--max-connections", "2"], "connections"],
    [["--max-connections-per-address", "2"], "address"],
  ];
  for (const [settings] of limits) {
    const full = await GatewayProcess.open(...settings);
    try {
      const [first] = [await WireClient.open(full.url), await WireClient.open(full.url)];
      const { status, headers } = await WireClient.refused(full.url, JSON_ONLY);
      assert.equal(status, 503);
      assert.match(String(headers["retry-after"]), /^\d+$/);
      first.socket.close();
      await first.untilClosed();
      const next = new WireClient(full.url, JSON_ONLY);
      await next.heard("hello");
      assert.equal(await full.metric("tickgate_refused_total"), 1);
    } finally {
      await full.close();
    }
  }
});

test("behind a trusted balancer the limit applies to the client's address, which the client cannot forge", async (t) => {
  const behind = await GatewayProcess.open("--max-connections-per-address", "1", "--trusted-proxy", "127.0.0.0/8");
  t.after(() => behind.close());
  const from = (...addresses: string[]) => ({ ...JSON_ONLY, headers: { "X-Forwarded-For": addresses } });
  const open = (...addresses: string[]) =>
    WireClient.open(behind.url, "tickgate.v1.json", { headers: { "X-Forwarded-For": addresses } });
  await open("203.0.113.1");
  const second = await open("203.0.113.2");
  assert.equal((await WireClient.refused(behind.url, from("203.0.113.1"))).status, 503);
  // The balancer's header comes last, and may be a separate one.
  assert.equal((await WireClient.refused(behind.url, from("203.0.113.3", "203.0.113.1"))).status, 503);
  second.socket.close();
  await second.untilClosed();
  await open("203.0.113.2");
});

test("a wrong setting is one line that names it and its range, exit code 2, no stack", async () => {
  const wrong: [string[], RegExp][] = [
    [["all", "--heartbeat", "5"], /--heartbeat must be a whole number from 1000 to 60000 \(ms\), not "5"/],
    [["all", "--port", "70000"], /--port must be a whole number from 0 to 65535/],
    [["all", "--log-level", "loud"], /--log-level must be one of trace, /],
    [["all", "--origin", "https://*"], /--origin must be a list, each \* or an origin such as /],
    [["all", "--origin", "null"], /--origin must be a list/],
    [["all", "--origin", "https://trade.example.com/page"], /--origin must be a list/],
    [["all", "--trusted-proxy", "10.0.0.0/33"], /--trusted-proxy must be a list, each an IP address or a network/],
    [["all", "--no-such-thing"], /no-such-thing/],
    [["all", "--feed", "nosuchfeed:x"], /nosuchfeed/],
    [["nosuchcommand"], /nosuchcommand/],
  ];
  for (const [args, text] of wrong) {
    const { code, stdout, stderr } = await runTickgate(...args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, text);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    assert.doesNotMatch(stderr, /\n\s+at /);
    assert.equal(stdout, "");
  }
});

test("a port in use is one clear line, exit code 2, no stack", async () => {
  const taken: [string, number][] = [
    ["--port", gateway.port],
    ["--admin-port", gateway.adminPort],
  ];
  for (const [flag, port] of taken) {
    const other = flag === "--port" ? "--admin-port" : "--port";
    const feed = ["--feed", "sim:?symbols=1&rate=1"];
    const { code, stderr } = await runTickgate("all", other, "0", flag, String(port), ...feed, "--log-level", "warn");
    assert.equal(code, 2, stderr);
    assert.match(stderr, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}`));
    assert.match(stderr, /in use/);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  }
});

/** HTTP besides the stream: the market's prices, and the admin port. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GatewayProcess } from "./support/gateway_process.ts";
import { RawSocket } from "./support/raw_socket.ts";

let gateway: GatewayProcess;
before(async () => {
  gateway = await GatewayProcess.open("--origin", "https://ours.example", "--max-symbols-per-connection", "5");
  gateway.tick("V:B", { bid: 1.5, last: -40.32, time: 1_700_000_000_000_001 });
  gateway.tick("V:A", { ask: 2 });
  gateway.tick("W:A", { bid: 3 });
  await gateway.known("W:A");
});
after(() => gateway.close());

async function json(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await gateway.get(path);
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test("/v1/symbols lists the symbols that have had a tick, in order, by prefix", async () => {
  const all = await json("/v1/symbols");
  assert.equal(all.status, 200);
  assert.deepEqual(all.body.symbols, ["V:A", "V:B", "W:A"]);
  assert.deepEqual((await json("/v1/symbols?prefix=V:")).body.symbols, ["V:A", "V:B"]);
  assert.deepEqual((await json("/v1/symbols?prefix=nothing")).body.symbols, []);
});

test("/v1/ticks has the latest tick of symbols and patterns, and lists unknown symbols", async () => {
  const { status, body } = await json("/v1/ticks?symbols=V:B,W:*,NOPE");
  assert.equal(status, 200);
  assert.deepEqual(body.unknown, ["NOPE"]);
  const [tick, other] = body.ticks as Record<string, unknown>[];
  assert.deepEqual(
    { ...tick },
    {
      ...{ symbol: "V:B", seq: 1, eventTime: 1_700_000_000_000_001, state: "live", bid: 1.5, last: -40.32 },
      ...{ bidSize: null, ask: null, askSize: null, lastSize: null, open: null, high: null, low: null, volume: null },
    },
  );
  assert.equal(other.symbol, "W:A");
});

test("a bad request gets 400 with the reason", async () => {
  for (const path of [
    "/v1/ticks",
    "/v1/ticks?symbols=",
    "/v1/ticks?symbols=no%20symbol",
    "/v1/ticks?symbols=A*B,%00",
  ]) {
    const { status, body } = await json(path);
    assert.equal(status, 400, path);
    assert.equal(typeof body.error, "string");
  }
  assert.equal((await json("/v1/nothing")).status, 404);
  assert.equal((await json("/v1/stream")).status, 426);
});

test("methods other than GET are refused, and the answer to a HEAD has no body", async () => {
  const ask = (method: string) => {
    const raw = new RawSocket(gateway.port);
    raw.socket.write(`${method} /v1/symbols HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    return raw;
  };
  const head = ask("HEAD");
  await head.untilClosed();
  assert.match(head.text, /^HTTP\/1.1 405 /);
  assert.match(head.text, /\r\nAllow: GET\r\n/);
  assert.match(head.text, /\r\nConnection: close\r\n/);
  assert.ok(head.text.endsWith("\r\n\r\n"), head.text);
  const remove = ask("DELETE");
  await remove.heard('{"error":');
  assert.match(remove.text, /^HTTP\/1.1 405 /);
  remove.socket.write("GET /v1/symbols HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await remove.heard('"symbols":');
  assert.match(remove.text, /}HTTP\/1.1 200 OK\r\n/, "the next answer follows");
  remove.destroy();
});

test("it answers under our names only, since anyone can point a name at this address", async () => {
  const ask = async (path: string, host: string) => {
    const raw = new RawSocket(gateway.port);
    raw.socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await raw.heard("\r\n\r\n");
    raw.destroy();
    return { status: Number(raw.text.slice(9, 12)), text: raw.text };
  };
  for (const path of ["/v1/symbols", "/v1/ticks?symbols=V:A"]) {
    for (const host of ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "ours.example.evil"]) {
      const { status, text } = await ask(path, host);
      assert.equal(status, 403, host);
      assert.doesNotMatch(text, /V:A/);
    }
    for (const host of ["127.0.0.1", `localhost:${gateway.port}`, "[::1]:8080", "ours.example", "OURS.example:443"])
      assert.equal((await ask(path, host)).status, 200, host);
  }
  assert.equal(await gateway.metric("tickgate_http_refused_total"), 10);
});

test("pages of our origin may read, others may not, and nothing is cached", async () => {
  const ours = await gateway.get("/v1/symbols", { Origin: "https://ours.example" });
  assert.equal(ours.headers.get("access-control-allow-origin"), "https://ours.example");
  assert.equal(ours.headers.get("cache-control"), "no-store");
  const theirs = await gateway.get("/v1/symbols", { Origin: "https://theirs.example" });
  assert.equal(theirs.headers.get("access-control-allow-origin"), null);
});

test("the admin port answers health, readiness and metrics, and nothing else", async () => {
  assert.equal((await gateway.admin("/healthz")).status, 200);
  assert.equal((await gateway.admin("/readyz")).status, 200);
  assert.equal((await gateway.admin("/secrets")).status, 404);
  const page = await (await gateway.admin("/metrics")).text();
  for (const line of page.trimEnd().split("\n"))
    assert.match(line, /^(#.*|[a-z_]\w*(\{[^}]*\})? (-?[\d.e+-]+|[+-]Inf|NaN)|)$/i, line);
  assert.equal(await gateway.metric("tickgate_symbols"), 3);
  assert.equal(await gateway.metric("tickgate_feed_ticks_total"), 3);
});

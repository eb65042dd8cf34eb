/**
 * Trades and books from a feed to clients, in one process and through Redis: each trade once and in order, each loss
 * counted, and the book as the feed has it.
 */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { decode, encode } from "@msgpack/msgpack";
import { WebSocket } from "ws";
import { GatewayProcess, polled, ServerProcess, until } from "./support/gateway_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { SECRET } from "./support/tokens.ts";
import { WireClient } from "./support/wire_client.ts";

type WireTrade = [handle: number, seq: number, time: number, price: number, size: number, side: number, id: string];

/** Reads the tape of one symbol, and checks what the protocol promises of it. */
class Tape {
  readonly ids: number[] = [];
  readonly changes = new EventEmitter();
  readonly breaches: string[] = [];
  missed = 0;
  count: number | undefined;
  states: string[] = [];
  #expected: number | undefined;
  readonly #socket: WebSocket;

  constructor(url: string, subprotocol: string, symbol: string, own: Record<string, unknown>) {
    this.#socket = new WebSocket(url, [subprotocol]);
    const isBinary = subprotocol.endsWith("msgpack");
    this.#socket.on("open", () => {
      const command = { op: "subscribe", channel: "trade", symbols: [symbol], ...own };
      this.#socket.send(isBinary ? encode(command) : JSON.stringify(command));
    });
    this.#socket.on("message", (data: Buffer) => {
      const value = (isBinary ? decode(data) : JSON.parse(data.toString())) as unknown;
      if (Array.isArray(value)) this.#frame(value.slice(1) as WireTrade[]);
      else this.#control(value as Record<string, unknown>);
      this.changes.emit("change");
    });
  }

  until(condition: () => boolean, what: string): Promise<void> {
    return until(this.changes, condition, `${what}: ${this.ids.length} trades, ${this.missed} missed`);
  }

  close(): void {
    this.#socket.terminate();
  }

  #control(message: Record<string, unknown>): void {
    if (message.op === "subscribed") this.count = (message.symbols as [string, number, number][])[0]?.[2];
    if (message.op !== "status") return;
    if (message.channel !== "trade") this.breaches.push("a status of another channel");
    this.states.push(`${message.state} ${message.reason ?? ""}`.trim());
    if (message.state !== "gap") return;
    if (typeof message.missed === "number") this.missed += message.missed;
    this.#expected =
      message.reason === "reset" ? undefined : (this.#expected ?? Number.NaN) + (message.missed as number);
  }

  #frame(trades: readonly WireTrade[]): void {
    for (const [, seq, , , , , id] of trades) {
      if (this.#expected !== undefined && seq !== this.#expected)
        this.breaches.push(`${seq} instead of ${this.#expected}`);
      this.#expected = seq + 1;
      this.ids.push(Number(id));
    }
  }
}

/** Trades with ids from `first` to `last`. */
function trades(symbol: string, first: number, last: number) {
  return Array.from({ length: last - first + 1 }, (_, index) => ({
    symbol,
    trade: {
      price: 100 + (index % 7),
      size: 1 + (index % 3),
      side: index % 2 === 0 ? "buy" : "sell",
      id: first + index,
    },
  }));
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

async function openTape(
  t: TestContext,
  gateway: ServerProcess,
  own: Record<string, unknown>,
  subprotocol = "tickgate.v1.msgpack",
) {
  const tape = new Tape(gateway.url, subprotocol, "V:A", own);
  t.after(() => tape.close());
  await tape.until(() => tape.count !== undefined, "an answer");
  return tape;
}

test("in one process, each trade comes once and in order at any interval, in both subprotocols", async (t) => {
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  const tapes = [
    await openTape(t, gateway, { interval: 0 }),
    await openTape(t, gateway, { interval: 250 }),
    await openTape(t, gateway, { interval: 0 }, "tickgate.v1.json"),
  ];
  for (let first = 1; first <= 2_000; first += 20) {
    gateway.ticks(trades("V:A", first, first + 19));
    // The same again: each is known by its id.
    gateway.ticks(trades("V:A", first, first + 4));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  for (const tape of tapes) {
    await tape.until(() => tape.ids.at(-1) === 2_000, "the last trade");
    assert.deepEqual(tape.ids, range(1, 2_000));
    assert.deepEqual(tape.breaches, []);
  }
  assert.equal(await gateway.metric("tickgate_feed_skipped_total"), 500, "the repeated ones are counted");
  const late = await openTape(t, gateway, { last: 100 });
  await late.until(() => late.ids.length === 100, "the latest");
  assert.equal(late.count, 100);
  assert.deepEqual(late.ids, range(1_901, 2_000));
  const response = await gateway.get("/v1/trades?symbol=V:A&last=3");
  const { trades: latest } = (await response.json()) as { trades: { id: string; side: number }[] };
  assert.deepEqual(
    latest.map(({ id }) => id),
    ["1998", "1999", "2000"],
  );
});

test("bad trades and books are skipped by line, and do no harm", async (t) => {
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  const tape = await openTape(t, gateway, { interval: 0 });
  const bad = [
    { trade: { price: 1, size: 0 } },
    { trade: { size: 1 } },
    { trade: { price: "1", size: 1 } },
    { trade: { price: 1, size: 1, id: "x".repeat(37) } },
    { trade: [] },
    { book: { bids: [[1]] } },
    { book: { bids: 5 } },
    { book: { bids: [[1, -1]] } },
  ];
  gateway.ticks(bad.map((content) => ({ symbol: "V:A", ...content })));
  gateway.ticks(trades("V:A", 1, 1));
  await tape.until(() => tape.ids.length === 1, "the good one");
  assert.deepEqual(tape.ids, [1]);
  assert.equal(await gateway.metric("tickgate_feed_skipped_total"), bad.length);
});

test("through Redis: a leader that is killed, and its standby continues without losing or repeating a trade", async (t) => {
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  const url = ["--redis-url", redis.url, "--bus-shards", "2"];
  const leader = await GatewayProcess.openFeed(...url);
  t.after(() => leader.close());
  const gateway = await ServerProcess.open("gateway", "--port", "0", "--admin-port", "0", ...url);
  t.after(() => gateway.close());
  const standby = await GatewayProcess.openFeed(...url);
  t.after(() => standby.close());
  const both = (first: number, last: number) => {
    leader.ticks(trades("V:A", first, last));
    standby.ticks(trades("V:A", first, last));
  };
  both(1, 50);
  const tape = await openTape(t, gateway, { interval: 0, last: 1 });
  await tape.until(() => tape.ids.at(-1) === 50, "what there was");
  const from = tape.ids[0];
  const slow = await openTape(t, gateway, { interval: 250 });
  for (let first = 51; first <= 500; first += 50) {
    both(first, first + 49);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await tape.until(() => tape.ids.at(-1) === 500, "what the leader has published");
  leader.signal("SIGKILL");
  await leader.ended();
  standby.ticks(trades("V:A", 501, 600));
  await tape.until(() => tape.ids.at(-1) === 600, "what the standby publishes");
  assert.deepEqual(tape.ids, range(from, 600));
  assert.deepEqual(tape.breaches, []);
  assert.equal(tape.missed, 0);
  await slow.until(() => slow.ids.at(-1) === 600, "the same at an interval");
  assert.deepEqual(slow.ids, range(slow.ids[0], 600));
  assert.deepEqual(slow.breaches, []);
  // A gateway that starts later has the newest one from the store.
  const other = await ServerProcess.open("gateway", "--port", "0", "--admin-port", "0", ...url);
  t.after(() => other.close());
  const late = await openTape(t, other, { last: 10 });
  await late.until(() => late.ids.length > 0, "the newest");
  standby.ticks(trades("V:A", 601, 610));
  await late.until(() => late.ids.at(-1) === 610, "what comes later");
  assert.deepEqual(late.ids, range(600, 610));
  assert.deepEqual(late.breaches, []);
});

test("through Redis: after Redis was killed and has lost all, no trade comes twice and each loss is counted", async (t) => {
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  const url = ["--redis-url", redis.url, "--bus-shards", "2"];
  const feed = await GatewayProcess.openFeed(...url);
  t.after(() => feed.close());
  const gateway = await ServerProcess.open("gateway", "--port", "0", "--admin-port", "0", ...url);
  t.after(() => gateway.close());
  feed.ticks(trades("V:A", 1, 10));
  const tape = await openTape(t, gateway, { interval: 0, last: 1 });
  await tape.until(() => tape.ids.at(-1) === 10, "the first");
  const from = tape.ids[0];
  await redis.kill();
  feed.ticks(trades("V:A", 11, 200));
  await redis.run();
  await tape.until(() => tape.ids.at(-1) === 200, "what came meanwhile");
  feed.ticks(trades("V:A", 201, 300));
  await tape.until(() => tape.ids.at(-1) === 300, "what comes later");
  assert.deepEqual(tape.breaches, []);
  assert.equal(new Set(tape.ids).size, tape.ids.length, "none twice");
  assert.equal(tape.ids.length + tape.missed, 300 - from + 1, "each is sent or counted");
});

test("through Redis: a burst of more trades than a batch may have is written in several", async (t) => {
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  const url = ["--redis-url", redis.url, "--bus-shards", "2", "--trades-per-symbol", "8192"];
  const feed = await GatewayProcess.openFeed(...url);
  t.after(() => feed.close());
  const gateway = await ServerProcess.open("gateway", "--port", "0", "--admin-port", "0", ...url);
  t.after(() => gateway.close());
  feed.ticks(trades("V:A", 1, 1));
  const tape = await openTape(t, gateway, { interval: 0, last: 1 });
  await tape.until(() => tape.ids.length === 1, "the first");
  // Nothing is written meanwhile, so that all of them are to be written at once.
  redis.signal("SIGSTOP");
  feed.ticks(trades("V:A", 2, 4_000));
  await polled(
    () => feed.metric("tickgate_feed_trades_total"),
    (count) => count === 4_000,
    "the feed to have read all",
  );
  redis.signal("SIGCONT");
  await tape.until(() => tape.ids.at(-1) === 4_000, "the last trade");
  assert.deepEqual(tape.ids, range(1, 4_000));
  assert.deepEqual([tape.breaches, tape.missed], [[], 0]);
});

test("through Redis: with --keep-trades the latest ones are there for the first client", async (t) => {
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  const url = ["--redis-url", redis.url, "--bus-shards", "2"];
  const gateway = await ServerProcess.open("gateway", "--port", "0", "--admin-port", "0", "--keep-trades", ...url);
  t.after(() => gateway.close());
  const feed = await GatewayProcess.openFeed(...url);
  t.after(() => feed.close());
  for (let first = 1; first <= 41; first += 10) {
    feed.ticks(trades("V:A", first, first + 9));
    const records = () => gateway.metric("tickgate_records_in_total");
    await polled(records, (count) => count >= first + 9, "the gateway to have the trades");
  }
  const tape = await openTape(t, gateway, { last: 30 });
  await tape.until(() => tape.ids.length === 30, "the latest");
  assert.deepEqual(tape.ids, range(21, 50));
});

test("a book at rest is the feed's, to the depth that is granted; a crossed one is stale and not shown", async (t) => {
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  const url = ["--redis-url", redis.url, "--bus-shards", "2"];
  const feed = await GatewayProcess.openFeed(...url);
  t.after(() => feed.close());
  const gateway = await ServerProcess.open("gateway", "--port", "0", "--admin-port", "0", ...url);
  t.after(() => gateway.close());
  const side = (best: number, step: number, levels: number) =>
    Array.from({ length: levels }, (_, index) => [best + index * step, index + 1]);
  const book = (bid: number, ask: number, levels = 60) => ({
    symbol: "V:A",
    book: { bids: side(bid, -1, levels).reverse(), asks: side(ask, 1, levels) },
  });
  const socket = new WebSocket(gateway.url, ["tickgate.v1.json"]);
  t.after(() => socket.terminate());
  const changes = new EventEmitter();
  const books = new Map<number, unknown[]>();
  const controls: Record<string, unknown>[] = [];
  socket.on("message", (data: Buffer) => {
    const value = JSON.parse(data.toString()) as unknown;
    if (Array.isArray(value)) for (const tick of value.slice(1) as unknown[][]) books.set(tick[0] as number, tick);
    else controls.push(value as Record<string, unknown>);
    changes.emit("change");
  });
  await until(changes, () => controls.length > 0, "hello");
  socket.send(JSON.stringify({ op: "subscribe", channel: "book", symbols: ["V:A"], depth: 12, interval: 0 }));
  await until(changes, () => controls.some(({ op }) => op === "subscribed"), "a grant");
  const granted = controls.find(({ op }) => op === "subscribed") as { depth: number; symbols: [string, number][] };
  assert.equal(granted.depth, 20, "the next depth that is enough");
  const handle = granted.symbols[0][1];
  feed.ticks([book(100, 101)]);
  const isAt = (bid: number) => () => (books.get(handle)?.[3] as number[] | undefined)?.[0] === bid;
  await until(changes, isAt(100), "the book");
  const [, , , bids, asks] = books.get(handle) as [number, number, number, number[], number[]];
  assert.deepEqual(bids, side(100, -1, 20).flat());
  assert.deepEqual(asks, side(101, 1, 20).flat());
  feed.ticks([book(105, 104)]);
  const isStale = () =>
    controls.some(
      (message) => message.op === "status" && message.state === "stale" && message.reason === "crossed book",
    );
  await until(changes, isStale, "a stale book");
  assert.ok(isAt(100)());
  feed.ticks([{ symbol: "V:A", book: { bids: [[90, 1]] } }]);
  await until(changes, isAt(90), "a book of one side");
  assert.deepEqual(books.get(handle)?.[4], []);
  const last = controls.filter(({ op }) => op === "status").at(-1) as { state: string; channel: string };
  assert.deepEqual([last.state, last.channel], ["live", "book"]);
  feed.ticks([book(200, 201, 1_000)]);
  await until(changes, isAt(200), "a deep book");
  await polled(
    () => gateway.metric("tickgate_gaps_total"),
    () => true,
    "the metrics",
  );
});

test("who may see quotes only sees no trades and books, whether there are any or not, also after the policy has changed", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-streams-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "policy.json");
  const allow = (channels: readonly string[], delay = 0) => {
    writeFileSync(
      `${path}.new`,
      JSON.stringify({ roles: { anonymous: { grants: [{ symbols: ["*"], channels, delay }] } } }),
    );
    renameSync(`${path}.new`, path);
  };
  allow(["quote", "trade", "book"]);
  const gateway = await GatewayProcess.open("--auth", "optional", "--jwt-secret", SECRET, "--policy", path);
  t.after(() => gateway.close());
  gateway.ticks([...trades("V:A", 1, 5), { symbol: "V:A", bid: 1 }, { symbol: "V:A", book: { bids: [[1, 1]] } }]);
  const client = await WireClient.open(gateway.url);
  t.after(() => client.close());
  for (const channel of [undefined, "trade", "book"]) await client.subscribe(["V:A"], { channel });
  allow(["quote"]);
  const ended = (channel: string) => (message: { channel?: string; reason?: string }) =>
    message.channel === channel && message.reason === "not_entitled";
  await client.heard("unsubscribed", ended("trade"));
  await client.heard("unsubscribed", ended("book"));
  for (const channel of ["trade", "book"]) {
    const refused = async (symbol: string) => {
      const { rejected } = await client.ask({ op: "subscribe", channel, symbols: [symbol] }, "subscribed");
      const response = await gateway.get(`/v1/${channel === "trade" ? "trades" : "book"}?symbol=${symbol}`);
      return [rejected.map(({ code, message }) => [code, message]), response.status, await response.text()];
    };
    assert.deepEqual(await refused("V:A"), await refused("V:NONE"), "the same answers as for one that does not exist");
    const { symbols, rejected } = await client.ask({ op: "subscribe", channel, symbols: ["*"] }, "subscribed");
    assert.deepEqual([symbols, rejected], [[], []]);
  }
  // What may be seen late is not shown in channels that show nothing late.
  allow(["quote", "trade"], 1_000);
  await client.heard("subscribed", (message) => message.delayed !== undefined);
  const { rejected } = await client.ask({ op: "subscribe", channel: "trade", symbols: ["V:A"] }, "subscribed");
  assert.deepEqual(
    rejected.map(({ code }) => code),
    ["not_entitled"],
  );
  const before = client.ticks.length;
  gateway.ticks(trades("V:A", 6, 9));
  gateway.tick("V:A", { bid: 2 });
  await client.tick(({ values }) => values[0] === 2, "the quote, late");
  assert.ok(
    client.ticks.slice(before).every(({ values }) => values.length === 10),
    "no trade came",
  );
});

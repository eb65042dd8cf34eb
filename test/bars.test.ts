/**
 * Bars from a feed to clients, in one process and through Redis: they equal those that are computed from the same
 * trades, whatever is killed and restarted, or are marked as partial.
 */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { type TestContext, test } from "node:test";
import { decode, encode } from "@msgpack/msgpack";
import { WebSocket } from "ws";
import { GatewayProcess, polled, ServerProcess, until } from "./support/gateway_process.ts";
import { RedisServer } from "./support/redis_server.ts";

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const LENGTHS = { "1s": SECOND, "1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE };
type Resolution = keyof typeof LENGTHS;
const CLOSED = 1;
const CORRECTED = 2;
const PARTIAL = 4;
/** The trades begin at the start of an hour, and so of a bar of any length but a day. */
const START = Math.floor((Date.now() * 1_000) / (60 * MINUTE)) * 60 * MINUTE - 24 * 60 * MINUTE;
const SYMBOL = "V:A";

interface Bar {
  start: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  trades: number;
  flags: number;
}

interface Trade {
  id: number;
  time: number;
  price: number;
  size: number;
}

/** Trades from one number to another, one in 700 ms of the source's time. */
function trades(first: number, last: number): Trade[] {
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const id = first + index;
    return { id, time: START + id * 700_000, price: 100 + ((id * 7) % 13) / 4, size: 1 + (id % 5) };
  });
}

function line({ id, time, price, size }: Trade): object {
  return { symbol: SYMBOL, time, trade: { price, size, side: "buy", id } };
}

/** The bars of some trades, without flags. */
function barsOf(all: readonly Trade[], resolution: Resolution): Bar[] {
  const length = LENGTHS[resolution];
  const bars = new Map<number, Bar>();
  for (const { time, price, size } of [...all].sort((a, b) => a.time - b.time)) {
    const start = Math.floor(time / length) * length;
    const bar = bars.get(start);
    if (bar) {
      bar.high = Math.max(bar.high, price);
      bar.low = Math.min(bar.low, price);
      bar.close = price;
      bar.volume += size;
      bar.trades++;
    } else
      bars.set(start, { start, open: price, high: price, low: price, close: price, volume: size, trades: 1, flags: 0 });
  }
  return [...bars.values()];
}

/** Reads the bars of one symbol, and checks what the protocol promises of them. */
class Chart {
  readonly bars = new Map<number, Bar>();
  readonly changes = new EventEmitter();
  readonly breaches: string[] = [];
  readonly states: string[] = [];
  count: number | undefined;
  #seq = 0;
  /** How many past bars are still to come. */
  #past = 0;
  readonly #socket: WebSocket;

  constructor(url: string, subprotocol: string, own: Record<string, unknown>) {
    this.#socket = new WebSocket(url, [subprotocol]);
    const isBinary = subprotocol.endsWith("msgpack");
    this.#socket.on("open", () => {
      const command = { op: "subscribe", channel: "bar", symbols: [SYMBOL], ...own };
      this.#socket.send(isBinary ? encode(command) : JSON.stringify(command));
    });
    this.#socket.on("message", (data: Buffer) => {
      const value = (isBinary ? decode(data) : JSON.parse(data.toString())) as unknown;
      if (Array.isArray(value)) for (const tick of value.slice(1) as number[][]) this.#tick(tick);
      else this.#control(value as Record<string, unknown>);
      this.changes.emit("change");
    });
  }

  get all(): Bar[] {
    return [...this.bars.values()].sort((a, b) => a.start - b.start);
  }

  /** Waits until it has these bars, apart from the flags. */
  async untilEqual(bars: readonly Bar[], what: string): Promise<void> {
    const plain = (all: readonly Bar[]) => JSON.stringify(all.map((bar) => ({ ...bar, flags: 0 })));
    const wanted = plain(bars);
    await until(this.changes, () => plain(this.all) === wanted, what).catch((error) => {
      assert.deepEqual(
        this.all.map((bar) => ({ ...bar, flags: 0 })),
        bars,
        String(error),
      );
    });
  }

  close(): void {
    this.#socket.terminate();
  }

  #control(message: Record<string, unknown>): void {
    if (message.op === "subscribed") {
      this.count = (message.symbols as [string, number, number][])[0]?.[2];
      this.#past = this.count ?? 0;
    }
    if (message.op !== "status") return;
    if (message.channel !== "bar") this.breaches.push("a status of another channel");
    this.states.push(`${message.state} ${message.reason ?? ""}`.trim());
    if (message.reason === "reset") this.#seq = 0;
  }

  #tick([, seq, start, open, high, low, close, volume, trades, flags]: number[]): void {
    const before = this.bars.get(start);
    if (this.#past > 0) {
      this.#past--;
      if (this.#past > 0 && seq !== 0) this.breaches.push(`a past bar with the number ${seq}`);
      const last = this.all.at(-1);
      if (last && last.start >= start) this.breaches.push("past bars are not in order");
    } else if (seq > 0 && seq <= this.#seq) this.breaches.push(`${seq} after ${this.#seq}`);
    else if (before && before.flags & CLOSED && !(flags & CORRECTED) && before.flags === flags)
      this.breaches.push(`closed twice: ${JSON.stringify([before, seq, flags])}`);
    if (before && before.flags & CLOSED && !(flags & CLOSED)) this.breaches.push("a closed bar is forming again");
    if (seq > 0) this.#seq = seq;
    this.bars.set(start, { start, open, high, low, close, volume, trades, flags });
  }
}

async function openChart(
  t: TestContext,
  gateway: ServerProcess,
  own: Record<string, unknown>,
  subprotocol = "tickgate.v1.msgpack",
): Promise<Chart> {
  const chart = new Chart(gateway.url, subprotocol, own);
  t.after(() => chart.close());
  await until(chart.changes, () => chart.count !== undefined, "an answer");
  return chart;
}

/** Deterministic, so that a failure can be repeated. */
function shuffled<T>(items: readonly T[], reach: number): T[] {
  let state = 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  return items
    .map((item, index) => ({ item, at: index + random() * reach }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

test("in one process, bars equal those of the same trades, whatever their order, in both subprotocols", async (t) => {
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  const charts: [Chart, Resolution][] = [];
  for (const resolution of ["1s", "1m", "5m"] as const) {
    charts.push([await openChart(t, gateway, { resolution, interval: 0 }), resolution]);
    charts.push([await openChart(t, gateway, { resolution, interval: 250 }, "tickgate.v1.json"), resolution]);
  }
  const all = trades(1, 1_500);
  const mixed = shuffled(all, 5);
  for (let first = 0; first < mixed.length; first += 50) {
    gateway.ticks(mixed.slice(first, first + 50).map(line));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  for (const [chart, resolution] of charts) {
    await chart.untilEqual(barsOf(all, resolution), resolution);
    assert.deepEqual(chart.breaches, [], resolution);
    const isClosed = ({ start }: Bar) => start + LENGTHS[resolution] + 2 * SECOND < (all.at(-1)?.time ?? 0);
    const open = () => chart.all.filter((bar) => isClosed(bar) && !(bar.flags & CLOSED));
    await until(chart.changes, () => open().length === 0, `${resolution}: all to be closed`);
    const partial = chart.all.filter(({ flags }) => flags & PARTIAL);
    assert.ok(partial.length <= 1 && (partial[0]?.start ?? 0) <= START + SECOND, "only the first may be partial");
  }
  const late = await openChart(t, gateway, { resolution: "1m", last: 5 });
  await until(late.changes, () => late.bars.size === 5, "the latest");
  assert.equal(late.count, 5);
  assert.deepEqual(late.breaches, []);
  assert.deepEqual(
    late.all.map(({ start }) => start),
    barsOf(all, "1m")
      .slice(-5)
      .map(({ start }) => start),
  );
  const from = START + 3 * MINUTE;
  const answer = await gateway.get(`/v1/bars?symbol=${SYMBOL}&resolution=1m&from=${from}&to=${from + 2 * MINUTE}`);
  const { bars } = (await answer.json()) as { bars: Bar[] };
  assert.deepEqual(
    bars.map((bar) => ({ ...bar, flags: 0 })),
    barsOf(all, "1m").filter(({ start }) => start >= from && start < from + 2 * MINUTE),
  );
  assert.equal((await gateway.get(`/v1/bars?symbol=${SYMBOL}&resolution=2m`)).status, 400);
});

/** Redis, with the arguments of processes that use it. */
async function openRedis(t: TestContext): Promise<{ redis: RedisServer; url: string[] }> {
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  return { redis, url: ["--redis-url", redis.url, "--bus-shards", "2"] };
}

async function openGateway(t: TestContext, url: readonly string[]): Promise<ServerProcess> {
  const gateway = await ServerProcess.open("gateway", "--port", "0", "--admin-port", "0", ...url);
  t.after(() => gateway.close());
  return gateway;
}

async function openFeed(t: TestContext, url: readonly string[]): Promise<GatewayProcess> {
  const feed = await GatewayProcess.openFeed(...url);
  t.after(() => feed.close());
  return feed;
}

test("through Redis: a standby continues the bars of a leader that is killed; a gateway that starts has them", async (t) => {
  const { url } = await openRedis(t);
  const leader = await openFeed(t, url);
  const gateway = await openGateway(t, url);
  const standby = await openFeed(t, url);
  const both = (first: number, last: number) => {
    leader.ticks(trades(first, last).map(line));
    standby.ticks(trades(first, last).map(line));
  };
  both(1, 100);
  const chart = await openChart(t, gateway, { resolution: "1m", interval: 0 });
  const seconds = await openChart(t, gateway, { resolution: "1s", interval: 250 });
  await chart.untilEqual(barsOf(trades(1, 100), "1m"), "what there was");
  both(101, 330);
  await chart.untilEqual(barsOf(trades(1, 330), "1m"), "what the leader has published");
  leader.signal("SIGKILL");
  await leader.ended();
  standby.ticks(trades(331, 600).map(line));
  const all = trades(1, 600);
  await chart.untilEqual(barsOf(all, "1m"), "what the standby publishes");
  await seconds.untilEqual(barsOf(all, "1s"), "seconds");
  const other = await openGateway(t, url);
  const late = await openChart(t, other, { resolution: "1m", interval: 0 });
  await late.untilEqual(barsOf(all, "1m"), "a gateway that starts later");
  assert.equal(late.count, barsOf(all, "1m").length, "all as past bars");
  const longer = await openChart(t, other, { resolution: "5m", interval: 0 });
  await longer.untilEqual(barsOf(all, "5m"), "longer bars");
  for (const each of [chart, seconds, late, longer]) {
    assert.deepEqual(each.breaches, []);
    const partial = each.all.filter(({ flags }) => flags & PARTIAL);
    assert.ok(
      partial.every(({ start }) => start <= START + SECOND),
      "only the first is partial",
    );
  }
});

test("through Redis: a feed that is killed and starts again loses no bar, and doubles none; where trades are missing it is partial", async (t) => {
  const { url } = await openRedis(t);
  const first = await openFeed(t, url);
  const gateway = await openGateway(t, url);
  first.ticks(trades(1, 300).map(line));
  const chart = await openChart(t, gateway, { resolution: "1m", interval: 0 });
  await chart.untilEqual(barsOf(trades(1, 300), "1m"), "what was before");
  const open = () => chart.all.filter(({ flags }) => !(flags & CLOSED));
  await until(chart.changes, () => open().length === 1, "all but the last to be closed");
  first.signal("SIGKILL");
  await first.ended();
  const second = await openFeed(t, url);
  second.ticks(trades(311, 700).map(line));
  const known = [...trades(1, 300), ...trades(311, 700)];
  const last = barsOf(known, "1m").at(-1) as Bar;
  await until(chart.changes, () => chart.bars.get(last.start)?.trades === last.trades, "the last one");
  const whole = new Map(barsOf(trades(1, 700), "1m").map((bar) => [bar.start, bar]));
  assert.equal(chart.bars.size, whole.size, "no bar is lost");
  for (const bar of chart.all) {
    const right = whole.get(bar.start) as Bar;
    if (bar.flags & PARTIAL) assert.ok(bar.trades <= right.trades, JSON.stringify([bar, right]));
    else assert.deepEqual({ ...bar, flags: 0 }, right);
  }
  const partial = chart.all.filter(({ flags }) => flags & PARTIAL).map(({ start }) => (start - START) / MINUTE);
  // The first one is, unless the feed was connected for longer than what it had missed of it.
  assert.deepEqual(
    partial.filter((minute) => minute > 0),
    [3],
    "the one in which the feed was away",
  );
  assert.deepEqual(chart.breaches, []);
});

test("through Redis: after Redis has lost all, the bars are there again for all that start later", async (t) => {
  const { redis, url } = await openRedis(t);
  const feed = await openFeed(t, url);
  const gateway = await openGateway(t, url);
  feed.ticks(trades(1, 400).map(line));
  const chart = await openChart(t, gateway, { resolution: "1m", interval: 0 });
  await chart.untilEqual(barsOf(trades(1, 400), "1m"), "what was before");
  await redis.kill();
  feed.ticks(trades(401, 500).map(line));
  await redis.run();
  feed.ticks(trades(501, 600).map(line));
  await chart.untilEqual(barsOf(trades(1, 600), "1m"), "what came meanwhile");
  assert.deepEqual(chart.breaches, []);
  const other = await openGateway(t, url);
  const count = barsOf(trades(1, 600), "1m").length;
  await polled(
    async () => {
      const answer = await other.get(`/v1/bars?symbol=${SYMBOL}&resolution=1m`);
      return answer.status === 200 ? ((await answer.json()) as { bars: Bar[] }).bars : [];
    },
    (bars) => bars.length === count,
    "all bars in the store",
  );
  const late = await openChart(t, other, { resolution: "1m", interval: 0 });
  await late.untilEqual(barsOf(trades(1, 600), "1m"), "a gateway that starts later");
  assert.deepEqual(late.breaches, []);
});

test("through Redis: the store keeps as many bars as the setting says, also after a takeover", async (t) => {
  const { redis, url } = await openRedis(t);
  const limited = [...url, "--minute-bars", "60", "--second-bars", "60"];
  const feed = await openFeed(t, limited);
  const gateway = await openGateway(t, limited);
  const client = redis.client();
  t.after(() => client.disconnect());
  const names = async (market: string) => {
    const keys = await client.keys(`*:${market}:last`);
    const fields = await Promise.all(keys.map((key) => client.hkeys(key)));
    return fields.flat().filter((name) => name.startsWith(SYMBOL));
  };
  const spread = trades(1, 300).map((trade) => ({ ...trade, time: START + trade.id * 30 * SECOND }));
  feed.ticks(spread.map(line));
  const chart = await openChart(t, gateway, { resolution: "1m", interval: 0, last: 5_000 });
  const isLast = () => (chart.all.at(-1)?.trades ?? 0) === 1 && chart.all.at(-1)?.start === START + 150 * MINUTE;
  await until(chart.changes, isLast, "the last bar");
  for (const market of ["bar:1m", "bar:1s"])
    await polled(
      () => names(market),
      (fields) => fields.length === 60,
      `60 bars of ${market}`,
    );
  feed.signal("SIGKILL");
  await feed.ended();
  const next = await openFeed(t, limited);
  const more = Array.from({ length: 100 }, (_, index) => ({
    id: 1_000 + index,
    time: START + 160 * MINUTE + index * MINUTE,
    price: 1,
    size: 1,
  }));
  next.ticks(more.map(line));
  await until(chart.changes, () => chart.all.at(-1)?.start === START + 259 * MINUTE, "the last bar");
  for (const market of ["bar:1m", "bar:1s"])
    await polled(
      () => names(market),
      (fields) => fields.length === 60,
      `60 bars of ${market} after the takeover`,
    );
});

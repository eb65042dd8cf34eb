import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ClientReceiver, SessionBench } from "../../../test/support/session_bench.ts";
import { LIVE, STALE } from "../../base/tick.ts";
import type { BarPayload } from "../../market/bar/bar_payload.ts";
import { BarRecord } from "../../market/bar/bar_record.ts";
import { CLOSED_BAR, CORRECTED_BAR } from "../../market/bar/bar_series.ts";
import type { GatewayTable } from "../../market/gateway_table.ts";
import type { BarMarketName } from "../../market/market_name.ts";
import type { ChannelSubscribed, Control, Status, Subprotocol } from "../../protocol/messages.ts";
import { Ingest } from "../ingest.ts";

type WireBar = [handle: number, seq: number, start: number, ...values: number[]];

const SECOND = 1_000_000;
const START = 1_700_000_000 * SECOND;

/** What a client has of the bars of one symbol and resolution. */
interface Held {
  /** From which start on it has all: that of the oldest past one. */
  first: number;
  readonly bars: Map<number, readonly number[]>;
  /** The last number; undefined before the first, and after a reset. */
  seq: number | undefined;
  /** How many past ones are still to come, and the start of the last that came. */
  past: number;
  pastStart: number;
  /** After a reset all comes anew. */
  isAnew: boolean;
  /** The number of the last change until the past was over: what has changed during that may come once more. */
  pastUntil: number;
}

/** What a client makes of bars: it notes each breach of what the protocol promises. */
class BarClient implements ClientReceiver {
  readonly held = new Map<string, Held>();
  readonly names = new Map<number, string>();
  readonly got: WireBar[] = [];
  readonly messages: Control[] = [];
  readonly breaches: string[] = [];
  frames = 0;
  /** Whether past ones may be dropped before they are sent, since others have begun. */
  mayMiss = false;
  /** The newest number of the gateway. */
  seqOf: (name: string) => number = () => 0;

  control(message: Control): void {
    this.messages.push(message);
    const { channel, resolution } = message as { channel?: string; resolution?: string };
    if (message.op === "subscribed" && channel === "bar") {
      for (const [symbol, handle, count] of (message as unknown as ChannelSubscribed).symbols) {
        const name = `${symbol} ${resolution}`;
        this.names.set(handle, name);
        const before = this.held.get(name);
        const bars = before?.bars ?? new Map();
        const past = { past: count ?? Number.NaN, pastStart: 0, pastUntil: 0 };
        // A grant that nothing was sent for is forgotten.
        const first = before && before.bars.size > 0 ? before.first : Number.POSITIVE_INFINITY;
        this.held.set(name, { first: count === 0 ? 0 : first, bars, seq: before?.seq, ...past, isAnew: false });
      }
    }
    if (message.op === "unsubscribed")
      for (const symbol of message.symbols) this.held.delete(`${symbol} ${resolution}`);
    if (message.op === "status") this.#status(message, resolution ?? "");
  }

  #status({ symbols, state, reason, missed }: Status, resolution: string): void {
    if (missed !== undefined) this.breaches.push("missed is of trades");
    if (state !== "gap") return;
    for (const symbol of symbols) {
      const held = this.held.get(`${symbol} ${resolution}`);
      if (!held) this.breaches.push(`a gap of ${symbol}, which is not held`);
      else if (reason === "reset") {
        held.seq = undefined;
        held.isAnew = true;
        held.first = 0;
        held.past = 0;
        held.bars.clear();
      }
    }
  }

  frame(_sentAt: number, ticks: unknown[], bytes: number): void {
    this.frames++;
    if (bytes > 65_536) this.breaches.push(`${bytes} bytes`);
    for (const bar of ticks as WireBar[]) this.#bar(bar);
  }

  #bar(bar: WireBar): void {
    const [handle, seq, start, ...values] = bar;
    this.got.push(bar);
    const name = this.names.get(handle) ?? "";
    const held = this.held.get(name);
    const breach = (text: string) => this.breaches.push(`${name} ${start} ${seq}: ${text}`);
    if (!held) return void breach("a bar after the end");
    if (values.length !== 7) breach(`${values.length} values`);
    const isPast = held.past > 0;
    if (isPast) {
      if (start <= held.pastStart) breach("the past is not in order");
      held.pastStart = start;
      held.first = Math.min(held.first, start);
      held.past--;
      // The one with a number is the last in any case.
      if (seq > 0 && this.mayMiss) held.past = 0;
      if (held.past === 0) held.pastUntil = this.seqOf(name);
      if (held.past > 0 && seq !== 0) breach("a number in the past");
    }
    if (held.isAnew && seq > 0) {
      held.isAnew = false;
      held.pastUntil = this.seqOf(name);
    } else if (!held.isAnew && !(isPast && seq === 0)) {
      if (seq === 0) breach("0");
      if (held.seq !== undefined && (isPast ? seq < held.seq : seq <= held.seq)) breach(`after ${held.seq}`);
      const last = held.bars.get(start);
      const isAgain = !isPast && (values[6] & CLOSED_BAR) > 0 && `${last}` === `${values}`;
      if (isAgain && seq > held.pastUntil) breach("nothing new");
    }
    if (seq > 0) held.seq = seq;
    held.bars.set(start, values);
  }

  /** What it has, by start. */
  bars(name: string): Map<number, readonly number[]> {
    return new Map([...(this.held.get(name)?.bars ?? [])].sort(([a], [b]) => a - b));
  }

  starts(from = 0): number[] {
    return this.got.slice(from).map(([, , start]) => (start - START) / SECOND);
  }

  seqs(from = 0): number[] {
    return this.got.slice(from).map(([, seq]) => seq);
  }
}

/** Publishes bars of one resolution as the bus does. */
class BarSource {
  readonly table: GatewayTable<BarPayload>;
  readonly #ingest: Ingest;
  readonly #bench: SessionBench;
  readonly #rows = new Map<string, { seq: number; epoch: number; bars: Map<number, Partial<BarRecord>> }>();

  constructor(bench: SessionBench, name: BarMarketName) {
    this.#bench = bench;
    const market = bench.context.markets.of(name);
    this.table = market.table as GatewayTable<BarPayload>;
    this.#ingest = new Ingest(market.table, market.topics, bench.context.counts, bench.clock);
  }

  #row(symbol: string) {
    const row = this.#rows.get(symbol) ?? { seq: 0, epoch: 1, bars: new Map() };
    this.#rows.set(symbol, row);
    return row;
  }

  /** A trade in a bar. @returns what the bus says of it; @param send whether it does so at once */
  trade(symbol: string, bar: number, price = 10, send = true): BarRecord {
    const { bars } = this.#row(symbol);
    const start = START + bar * SECOND;
    const one = bars.get(start) ?? { start, open: price, high: price, low: price, volume: 0, trades: 0, flags: 0 };
    bars.set(start, {
      ...one,
      close: price,
      high: Math.max(one.high ?? 0, price),
      low: Math.min(one.low ?? price, price),
      volume: (one.volume ?? 0) + 1,
      trades: (one.trades ?? 0) + 1,
      flags: (one.flags ?? 0) & CLOSED_BAR ? CLOSED_BAR | CORRECTED_BAR : 0,
    });
    return this.#changed(symbol, start, send);
  }

  close(symbol: string, bar: number, send = true): BarRecord | undefined {
    const { bars } = this.#row(symbol);
    const start = START + bar * SECOND;
    const one = bars.get(start);
    if (!one || (one.flags ?? 0) & CLOSED_BAR) return undefined;
    bars.set(start, { ...one, flags: CLOSED_BAR });
    return this.#changed(symbol, start, send);
  }

  /** Bars with two trades each, all closed but the last. */
  fill(symbol: string, from: number, to: number): void {
    for (let bar = from; bar < to; bar++) {
      this.trade(symbol, bar, bar + 1);
      this.trade(symbol, bar, bar + 2);
      this.close(symbol, bar - 1);
    }
  }

  #changed(symbol: string, start: number, send: boolean): BarRecord {
    const row = this.#row(symbol);
    row.seq++;
    const bar = row.bars.get(start);
    const record = Object.assign(new BarRecord(), { symbol, state: LIVE, epoch: row.epoch, seq: row.seq }, bar);
    record.eventTime = record.since = record.receivedAt = record.sentAt = this.#bench.clock.micros();
    if (send) this.send([record]);
    return record;
  }

  send(records: readonly (BarRecord | undefined)[], part: Partial<BarRecord> = {}): void {
    for (const record of records) if (record) this.#ingest.record(Object.assign(record, part));
    this.#ingest.batchEnd();
  }

  /** The symbol's state is another one. */
  restate(symbol: string, state: number): void {
    const row = this.table.rowOf(symbol);
    if (row < 0 || !this.table.hasTicked(row)) return;
    const record = new BarRecord();
    this.table.payload.read(row, record, 0);
    Object.assign(record, { symbol, state, epoch: this.table.epoch[row], seq: this.table.seq[row], since: 1 });
    this.send([record]);
  }

  /** A leader that knows nothing begins to count anew. */
  restart(symbol: string): void {
    const row = this.#row(symbol);
    row.seq = 0;
    row.epoch++;
    row.bars.clear();
  }

  /** Whether the gateway follows the present leader: what is healed of another count may have a larger number. */
  isFollowed(symbol: string): boolean {
    const row = this.table.rowOf(symbol);
    return row < 0 || !this.table.hasTicked(row) || this.table.epoch[row] === this.#row(symbol).epoch;
  }

  /** The bars of the gateway's table, as a client has them. */
  bars(symbol: string): Map<number, number[]> {
    const row = this.table.rowOf(symbol);
    const bars = new Map<number, number[]>();
    if (row < 0) return bars;
    const { start, open, high, low, close, volume, trades, flags, from, end } = this.table.payload.seriesOf(row);
    for (let at = from; at < end; at++)
      bars.set(start[at], [open[at], high[at], low[at], close[at], volume[at], trades[at], flags[at]]);
    return bars;
  }
}

function open(subprotocol: Subprotocol = "tickgate.v1.msgpack", own = {}) {
  const client = new BarClient();
  const bench = new SessionBench(subprotocol, client, own);
  const source = new BarSource(bench, "bar:1s");
  client.seqOf = (name) => source.table.seq[source.table.rowOf(name.split(" ")[0])];
  return {
    bench,
    client,
    source,
    subscribe: (message = {}) =>
      bench.send({ op: "subscribe", channel: "bar", resolution: "1s", symbols: ["A"], ...message }),
    unsubscribe: (message = {}) =>
      bench.send({ op: "unsubscribe", channel: "bar", resolution: "1s", symbols: ["A"], ...message }),
    granted: () =>
      client.messages.filter(({ op }) => op === "subscribed").map((message) => message as unknown as ChannelSubscribed),
  };
}

const counts = ({ symbols }: ChannelSubscribed) => symbols.map(([symbol, , count]) => [symbol, count]);

for (const subprotocol of ["tickgate.v1.msgpack", "tickgate.v1.json"] as const) {
  for (const interval of [0, 250]) {
    test(`${subprotocol} at ${interval} ms: the past first, then each bar as it is, closed once`, () => {
      const { bench, client, source, subscribe, granted } = open(subprotocol);
      source.fill("A", 0, 30);
      const seq = source.table.seq[0];
      subscribe({ last: 10, interval, id: 7 });
      const [grant] = granted();
      assert.deepEqual([grant.channel, grant.id, "fields" in grant], ["bar", 7, false]);
      assert.equal((grant as unknown as { resolution: string }).resolution, "1s");
      assert.deepEqual(counts(grant), [["A", 10]]);
      bench.advance(50);
      assert.deepEqual(client.starts(), [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
      assert.deepEqual(client.seqs(), [0, 0, 0, 0, 0, 0, 0, 0, 0, seq]);
      const before = client.got.length;
      client.frames = 0;
      for (let bar = 30; bar < 50; bar++) {
        source.fill("A", bar, bar + 1);
        bench.advance(100);
      }
      bench.advance(500);
      for (let bar = 29; bar < 49; bar++) {
        const closings = client.got.slice(before).filter(([, , start, ...values]) => {
          return start === START + bar * SECOND && values[6] === CLOSED_BAR;
        });
        assert.equal(closings.length, 1, `bar ${bar}`);
      }
      if (interval > 0) assert.ok(client.frames <= 11, `${client.frames} frames: at most one in 250 ms`);
      else assert.equal(client.got.length - before, 60, "each change");
      assert.deepEqual([...client.bars("A 1s")], [...source.bars("A")].slice(20));
      assert.equal(client.seqs().at(-1), source.table.seq[0]);
      assert.deepEqual(client.breaches, []);
      source.trade("A", 40, 99);
      bench.advance(500);
      assert.deepEqual(client.got.at(-1)?.slice(1), [
        source.table.seq[0],
        START + 40 * SECOND,
        ...[41, 99, 41, 99, 3, 3, CLOSED_BAR | CORRECTED_BAR],
      ]);
      assert.deepEqual(client.breaches, []);
    });
  }
}

test("without last 300 come first; with 0 the newest; with more than there are, all", () => {
  const { bench, client, source, subscribe, granted } = open();
  source.fill("A", 0, 400);
  for (const message of [{}, { last: 0 }, { last: 5_000 }]) {
    subscribe(message);
    bench.advance(200);
  }
  assert.deepEqual(granted().flatMap(counts), [
    ["A", 300],
    ["A", 1],
    ["A", 400],
  ]);
  assert.deepEqual(client.breaches, []);
  assert.deepEqual([...client.bars("A 1s")], [...source.bars("A")]);
});

test("a past of several frames comes whole, and what changes meanwhile comes after it", () => {
  for (const narrow of [150, 1_000, 4_000]) {
    const { bench, client, source, subscribe } = open();
    source.fill("A", 0, 200);
    bench.outbound.narrow = narrow;
    subscribe({ last: 200, interval: 0 });
    bench.context.scheduler.run();
    const first = client.got.length;
    assert.ok(first > 0 && first < 200, `${first} in the first frame`);
    source.trade("A", 0, 1_000);
    source.fill("A", 200, 203);
    bench.advance(5_000);
    assert.deepEqual(client.bars("A 1s").get(START), [1, 1_000, 1, 1_000, 3, 3, CLOSED_BAR | CORRECTED_BAR]);
    assert.deepEqual([...client.bars("A 1s")], [...source.bars("A")]);
    assert.deepEqual(client.breaches, []);
  }
});

test("a bar that is closed when it was the last one of a frame of the past comes again", () => {
  const { bench, client, source, subscribe } = open();
  source.fill("A", 0, 20);
  bench.outbound.narrow = 150;
  subscribe({ last: 20, interval: 0 });
  for (let runs = 0; !client.bars("A 1s").has(START + 18 * SECOND); runs++) {
    assert.ok(runs < 50);
    bench.context.scheduler.run();
    bench.clock.advance(5);
    bench.answer();
  }
  source.trade("A", 18, 500);
  source.close("A", 19);
  bench.advance(5_000);
  assert.deepEqual([...client.bars("A 1s")], [...source.bars("A")]);
  assert.deepEqual(client.breaches, []);
});

test("a new grant does not lose what was not sent yet", () => {
  const { bench, client, source, subscribe } = open();
  source.fill("A", 0, 20);
  subscribe({ last: 20, interval: 60_000 });
  bench.advance(100);
  source.trade("A", 5, 500);
  source.close("A", 19);
  source.trade("A", 20);
  subscribe({ last: 0, interval: 100 });
  bench.advance(1_000);
  assert.deepEqual([...client.bars("A 1s")], [...source.bars("A")]);
  assert.deepEqual(client.breaches, []);
});

test("a symbol that appears after its grant gets each bar with its number", () => {
  for (const symbols of [["A"], ["*"], ["A*"]]) {
    const { bench, client, source, subscribe } = open();
    subscribe({ symbols, interval: 100 });
    bench.advance(50);
    source.fill("A", 0, 3);
    bench.advance(500);
    assert.deepEqual([...client.bars("A 1s")], [...source.bars("A")]);
    assert.deepEqual(client.breaches, []);
  }
});

test("two resolutions have handles of their own, and end apart", () => {
  const { bench, client, source, subscribe, unsubscribe } = open();
  const minutes = new BarSource(bench, "bar:1m");
  source.fill("A", 0, 5);
  minutes.fill("A", 0, 3);
  subscribe({ interval: 0 });
  subscribe({ interval: 0, resolution: undefined });
  bench.advance(100);
  assert.deepEqual([...client.bars("A 1s")], [...source.bars("A")]);
  assert.deepEqual([...client.bars("A 1m")], [...minutes.bars("A")]);
  assert.equal(bench.session.symbols, 2);
  unsubscribe();
  bench.advance(50);
  assert.equal(bench.session.symbols, 1);
  const before = client.got.length;
  source.fill("A", 5, 6);
  minutes.fill("A", 3, 4);
  bench.advance(100);
  assert.deepEqual([...client.bars("A 1m")], [...minutes.bars("A")]);
  assert.ok(client.got.slice(before).every(([handle]) => client.names.get(handle) === "A 1m"));
  unsubscribe({ resolution: "1m", symbols: ["*"] });
  assert.equal(bench.session.symbols, 0);
  assert.deepEqual(client.breaches, []);
});

test("a healed bar comes after a gap; its number does not go back", () => {
  for (const interval of [0, 100]) {
    const { bench, client, source, subscribe } = open();
    source.fill("A", 0, 5);
    subscribe({ interval });
    bench.advance(300);
    // As the hash has them: in any order, and bars that have changed in between with their last number.
    const missed = [
      source.close("A", 4, false),
      source.trade("A", 5, 50, false),
      source.trade("A", 2, 70, false),
      source.trade("A", 6, 60, false),
    ];
    source.send([missed[2], missed[3], missed[0], missed[1]], { healed: true, sentAt: Number.NaN });
    bench.advance(500);
    const gaps = client.messages.filter((message) => message.op === "status" && message.state === "gap") as Status[];
    assert.deepEqual(
      gaps.map(({ symbols, reason }) => [symbols, reason]),
      [[["A"], "missed"]],
    );
    assert.deepEqual(
      [...client.bars("A 1s")].sort(([a], [b]) => a - b),
      [...source.bars("A")],
    );
    assert.deepEqual(client.breaches, []);
  }
});

test("numbers that go back are a reset: all comes anew", () => {
  for (const interval of [0, 100]) {
    const { bench, client, source, subscribe } = open();
    source.fill("A", 0, 8);
    subscribe({ interval, last: 3 });
    bench.advance(300);
    source.restart("A");
    source.fill("A", 8, 10);
    bench.advance(500);
    const resets = client.messages.filter((message) => message.op === "status" && message.reason === "reset");
    assert.equal(resets.length, 1);
    assert.deepEqual(
      [...client.bars("A 1s")].sort(([a], [b]) => a - b),
      [...source.bars("A")],
    );
    assert.equal(client.seqs().at(-1), source.table.seq[0]);
    assert.deepEqual(client.breaches, []);
  }
});

test("several clients at interval 0 get the same bars, those of one subprotocol in the same frames", () => {
  const { bench, client, source, subscribe } = open();
  source.fill("A", 0, 8);
  const clients = [client];
  for (const subprotocol of ["tickgate.v1.msgpack", "tickgate.v1.json", "tickgate.v1.json"] as const) {
    const other = new BarClient();
    bench.join(subprotocol, other)({ op: "subscribe", channel: "bar", resolution: "1s", symbols: ["A"], interval: 0 });
    clients.push(other);
  }
  subscribe({ interval: 0, last: 8 });
  bench.advance(100);
  const before = bench.context.counts.ticksBroadcast;
  source.fill("A", 8, 12);
  source.trade("A", 3, 77);
  assert.equal(bench.context.counts.ticksBroadcast - before, 13 * clients.length, "they are broadcast");
  for (const each of clients) {
    assert.deepEqual([...each.bars("A 1s")], [...source.bars("A")], "at once");
    assert.deepEqual(each.got.slice(-13), client.got.slice(-13));
    assert.deepEqual(each.breaches, []);
  }
});

test("a client that reads too slowly gets the newest of each bar, and nothing twice", () => {
  const { bench, client, source, subscribe } = open();
  source.fill("A", 0, 3);
  subscribe({ interval: 100 });
  bench.advance(300);
  bench.outbound.narrow = 0;
  for (let bar = 3; bar < 50; bar++) {
    source.fill("A", bar, bar + 1);
    bench.advance(50);
  }
  bench.outbound.narrow = 500;
  bench.outbound.resume();
  const before = client.got.length;
  bench.advance(5_000);
  assert.equal(client.got.length - before, 48, "each bar once, and the one that was forming");
  assert.deepEqual([...client.bars("A 1s")], [...source.bars("A")]);
  assert.deepEqual(client.breaches, []);
});

test("wrong parameters are named", () => {
  const { bench, client } = open();
  for (const part of [
    { resolution: "2m" },
    { resolution: 60 },
    { resolution: "constructor" },
    { last: -1 },
    { last: 5_001 },
    { last: 1.5 },
    { last: "1" },
    { last: 5_000 },
    { last: 0, resolution: "1d" },
  ])
    bench.send({ op: "subscribe", channel: "bar", symbols: ["A"], ...part });
  bench.send({ op: "unsubscribe", channel: "bar", resolution: "7m", symbols: ["A"] });
  assert.deepEqual(
    client.messages.flatMap((message) => (message.op === "error" ? [message.code] : [])),
    [
      ...["invalid_resolution", "invalid_resolution", "invalid_resolution"],
      ...["invalid_last", "invalid_last", "invalid_last", "invalid_last"],
      "invalid_resolution",
    ],
  );
});

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("trades" as const),
      symbol: fc.constantFrom("A", "B"),
      /** How far back the trades' bars are, and whether time goes on between them. */
      back: fc.array(fc.constantFrom(0, 0, 0, 1, 2, 7), { minLength: 1, maxLength: 6 }),
      steps: fc.nat(2),
      /** How they come: each, one batch in disorder, or healed. */
      way: fc.constantFrom("each", "each", "each", "conflated", "healed"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("advance" as const), millis: fc.constantFrom(5, 30, 120, 600) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("narrow" as const), bytes: fc.constantFrom(0, 100, 250, 100_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("subscribe" as const),
      symbols: fc.constantFrom(["A"], ["B"], ["*"], ["A", "B"]),
      interval: fc.constantFrom(0, 100, 250),
      last: fc.constantFrom(0, 2, 40),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("unsubscribe" as const), symbols: fc.constantFrom(["A"], ["*"]) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("stale" as const), symbol: fc.constantFrom("A", "B") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), symbol: fc.constantFrom("A", "B") }) },
);

test("whatever happens, the client's bars are the table's at rest, and numbers do not go back", () => {
  fc.assert(
    fc.property(fc.constantFrom(16, 1_000), fc.array(step, { maxLength: 40, size: "max" }), (secondBars, steps) => {
      const { bench, client, source, subscribe, unsubscribe } = open("tickgate.v1.msgpack", { secondBars });
      client.mayMiss = secondBars === 16;
      const newest = new Map<string, number>();
      for (const each of steps) {
        if (each.kind === "trades") {
          const { symbol } = each;
          const way = source.isFollowed(symbol) ? each.way : "each";
          let bar = newest.get(symbol) ?? 0;
          const records: (BarRecord | undefined)[] = [];
          for (const back of each.back) {
            records.push(source.trade(symbol, Math.max(0, bar - back), 10 + back, way === "each"));
            for (let steps = 0; back === 0 && steps < each.steps; steps++)
              records.push(source.close(symbol, bar++, way === "each"));
          }
          newest.set(symbol, bar);
          if (way === "each") continue;
          // Of each bar only the last change; the bus has them by number, the hash in any order.
          const last = new Map(records.flatMap((record) => (record ? [[record.start, record]] : [])));
          const ordered = [...last.values()].sort((a, b) => (way === "healed" ? b.start - a.start : a.seq - b.seq));
          source.send(ordered, way === "healed" ? { healed: true } : {});
        } else if (each.kind === "advance") bench.advance(each.millis);
        else if (each.kind === "narrow") bench.outbound.narrow = each.bytes;
        else if (each.kind === "subscribe")
          subscribe({ symbols: each.symbols, interval: each.interval, last: each.last });
        else if (each.kind === "unsubscribe") unsubscribe({ symbols: each.symbols });
        else if (each.kind === "restart") source.restart(each.symbol);
        else source.restate(each.symbol, STALE);
      }
      bench.outbound.narrow = Number.POSITIVE_INFINITY;
      bench.outbound.resume();
      bench.advance(2_000);
      assert.deepEqual(client.breaches, []);
      for (const [name, { bars, past, first }] of client.held) {
        assert.equal(past, 0, `${name}: of the past`);
        const all = source.bars(name.split(" ")[0]);
        for (const [start, values] of all)
          if (start >= first || bars.has(start)) assert.deepEqual(bars.get(start), values, `${name} ${start - START}`);
        if (all.size > 0) assert.ok(first <= Math.max(...all.keys()), `${name}: the newest`);
      }
      bench.session.close("goingAway", "the end");
    }),
    { numRuns: 300 },
  );
});

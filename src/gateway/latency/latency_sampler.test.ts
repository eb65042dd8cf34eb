/** Where the time of delivered ticks is said to have gone, held against a clock that the test moves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SessionBench } from "../../../test/support/session_bench.ts";
import { BusRecord } from "../../market/bus_record.ts";
import { TickEncoder } from "../../market/encoder.ts";
import { GatewayTable } from "../../market/gateway_table.ts";
import { ENTRY_BYTES } from "../../market/heap_layout.ts";
import { HeardFeed } from "../../market/heard_feed.ts";
import { QUOTE_MSGPACK } from "../../market/quote/quote_format.ts";
import { LatencyCounts, STAGES } from "../counts.ts";
import { Frame } from "../fanout/frame.ts";
import { Numbers } from "../fanout/numbers.ts";
import { LatencySampler, SAMPLER_NUMBERS } from "./latency_sampler.ts";

const deaf = { control() {}, frame() {} };

type Stage = (typeof STAGES)[number];

/** The mean of each stage, ms, rounded to a microsecond. */
function means({ stages }: LatencyCounts): Record<Stage, number> {
  const mean = (index: number) => Math.round(stages[index].sum / stages[index].count) / 1_000;
  return Object.fromEntries(STAGES.map((stage, index) => [stage, mean(index)])) as Record<Stage, number>;
}

function assertAddUp({ stages, age, confirmed }: LatencyCounts): void {
  for (const stage of stages) {
    assert.equal(stage.count, age.count, "all stages stand for the same ticks");
    assert.ok(stage.sum >= 0);
  }
  assert.equal(age.count, confirmed);
  const sum = stages.reduce((total, stage) => total + stage.sum, 0);
  assert.ok(Math.abs(sum - age.sum) <= 1e-6 * age.sum, `${sum} instead of ${age.sum}`);
}

/** How long it takes at most until what was sent is followed by a ping, ms. */
const PING_TIME = 2_300;

/** A gateway with one client at one symbol, whose ticks' way to the gateway took 20, 10 and 5 ms. */
class Way {
  // Turns can be late; what is broadcast is not.
  readonly bench = new SessionBench("tickgate.v1.msgpack", deaf, { broadcastSymbols: 0 });
  readonly #feed = new HeardFeed("F");
  #seq = 0;

  constructor(interval: number) {
    this.bench.session.open();
    this.bench.answer();
    this.tick();
    this.bench.send({ op: "subscribe", symbols: ["V:A"], interval });
    // The snapshot, the spread of the first pass, and looks that find nothing.
    this.bench.advance(2 * interval + 500);
    // One that is sent at once, and begins an interval of which the most is still to come.
    this.tick();
    this.confirm();
    assert.equal(this.latency.confirmed, 1);
    for (const histogram of [...this.latency.stages, this.latency.age]) {
      histogram.counts.fill(0);
      histogram.sum = 0;
    }
    this.latency.confirmed = 0;
  }

  get latency(): LatencyCounts {
    return this.bench.context.counts.latency;
  }

  tick(part: Partial<BusRecord> = {}): void {
    const { ingest, clock } = this.bench;
    const sentAt = clock.micros() - 5_000;
    const [receivedAt, eventTime] = [sentAt - 10_000, sentAt - 30_000];
    const own = { symbol: "V:A", epoch: 1, seq: ++this.#seq, eventTime, receivedAt, sentAt, feed: this.#feed };
    ingest.record(Object.assign(new BusRecord(), own, part));
    ingest.batchEnd();
  }

  /** No room for anything. */
  block(): void {
    this.bench.outbound.narrow = 0;
  }

  unblock(): void {
    this.bench.outbound.narrow = 65_536;
    this.bench.session.handleDrain();
    this.bench.advance(5);
  }

  /** Waits until a frame is sent. @returns after how many ms */
  untilSent(): number {
    const { counts } = this.bench.context;
    const before = counts.framesOut;
    let waited = 0;
    for (; waited < 60_000 && counts.framesOut === before; waited += 5) this.bench.advance(5);
    return waited;
  }

  /** The client says that it has all that was sent. */
  confirm(): void {
    this.bench.advance(PING_TIME);
  }
}

test("what a client asked for is the interval's; all seven together are the age", () => {
  const way = new Way(10_000);
  way.bench.advance(2_000);
  way.tick();
  const waited = way.untilSent();
  way.confirm();
  const { interval, server, ...rest } = means(way.latency);
  assert.deepEqual(rest, { source: 20, feed: 10, bus: 5, client: 0, network: 0 });
  assert.ok(waited > 5_500 && waited < 6_000, `${waited}`);
  assert.equal(Math.round((interval + server) * 1_000), waited * 1_000);
  assert.ok(server <= 10, `the wheel's steps and the test's own: ${server}`);
  assertAddUp(way.latency);
});

test("a gateway that is late is the server's", () => {
  const way = new Way(10_000);
  way.bench.advance(2_000);
  way.tick();
  // Nobody gets a turn for a while.
  way.bench.clock.advance(8_000);
  way.bench.advance(5);
  way.confirm();
  const { interval, server, client } = means(way.latency);
  assert.equal(client, 0);
  assert.ok(interval > 5_500 && interval < 6_000, `${interval}`);
  assert.equal(Math.round(interval + server), 8_005);
  assertAddUp(way.latency);
});

test("a window that is full is the client's, from when the turn was due", () => {
  const way = new Way(10_000);
  way.block();
  way.bench.advance(2_000);
  way.tick();
  way.bench.advance(8_000);
  way.unblock();
  way.confirm();
  const { interval, server, client } = means(way.latency);
  assert.ok(interval > 5_500 && interval < 6_000, `${interval}`);
  assert.ok(server <= 10, `${server}`);
  assert.equal(Math.round(interval + server + client), 8_005);
  assertAddUp(way.latency);
});

test("a tick that comes while its turn waits for room was never held by the interval", () => {
  const way = new Way(10_000);
  way.block();
  way.bench.advance(3_000);
  way.tick();
  way.bench.advance(8_000);
  way.tick();
  way.bench.advance(100);
  way.unblock();
  way.confirm();
  const { interval, server, client } = means(way.latency);
  assert.deepEqual([interval, server, client], [0, 0, 105]);
  assertAddUp(way.latency);
});

test("with interval 0 nothing is the interval's", () => {
  const way = new Way(0);
  way.tick();
  way.bench.clock.advance(40);
  way.bench.advance(5);
  way.confirm();
  const first = means(way.latency);
  assert.deepEqual([first.interval, first.server, first.client], [0, 45, 0]);
  way.block();
  way.tick();
  way.bench.advance(60);
  way.unblock();
  way.confirm();
  assert.equal(way.latency.confirmed, 2);
  // The turn came 5 ms after the second tick, and found no room for 60: means of two.
  const both = means(way.latency);
  assert.deepEqual([both.interval, both.server, both.client], [0, 25, 30]);
  assertAddUp(way.latency);
});

test("what a ping takes to get there is the network's", () => {
  const way = new Way(0);
  way.bench.isAnswering = false;
  way.tick();
  while (way.bench.socket.pings.length === 0) way.bench.advance(5);
  way.bench.advance(80);
  way.bench.answer();
  const { lastTrip, lastWay } = way.bench.outbound.window;
  assert.equal(lastTrip, 80);
  assert.equal(means(way.latency).network, Math.round(lastWay * 1_000) / 1_000);
  assertAddUp(way.latency);
});

test("snapshots, first ticks and what was read from the store are not measured; what was lost and healed is", () => {
  const way = new Way(0);
  way.tick({ sentAt: Number.NaN });
  way.bench.advance(20);
  way.confirm();
  assert.equal(way.latency.confirmed, 0, "read from the store, and nothing had been missed");
  const receivedAt = way.bench.clock.micros() - 400_000;
  way.tick({ sentAt: Number.NaN, healed: true, receivedAt, eventTime: receivedAt - 7_000 });
  way.bench.advance(5);
  way.confirm();
  const { source, feed, bus } = means(way.latency);
  assert.deepEqual([source, feed, bus], [7, 0, 400]);
  way.tick({ symbol: "V:B", seq: 10 });
  way.bench.send({ op: "subscribe", symbols: ["V:B"], interval: 0 });
  way.bench.advance(20);
  way.confirm();
  assert.equal(way.latency.confirmed, 1, "a snapshot");
});

test("a source ahead of the feed's clock makes no stage negative, and the age is still their sum", () => {
  const way = new Way(0);
  way.tick({ eventTime: way.bench.clock.micros() + 3_000_000 });
  way.bench.advance(5);
  way.confirm();
  const { source, feed, bus } = means(way.latency);
  assert.deepEqual([source, feed, bus], [0, 10, 5]);
  assertAddUp(way.latency);
});

/** The most rows of a frame here, some of them twice. */
const MOST_SHOWN = 20;

/** A watch over a table of so many rows, the ticks of each of which took its number in ms from the source. */
function watch(rows: number) {
  const table = new GatewayTable(rows);
  const latency = new LatencyCounts({ metrics: true });
  const encoder = new TickEncoder(table, QUOTE_MSGPACK, Uint8Array.of(0), true);
  const frame = new Frame(table.heap);
  for (let seq = 1; seq <= 2; seq++)
    for (let row = 0; row < rows; row++) {
      const record = Object.assign(new BusRecord(), { symbol: `S${row}`, epoch: 1, seq, eventTime: 1_000_000 });
      record.receivedAt = record.sentAt = record.eventTime + row * 1_000;
      table.apply(record, record.sentAt);
    }
  const entries = table.heap.alloc(MOST_SHOWN * ENTRY_BYTES);
  const fill = (shown: readonly number[], sentAt = 2_000_000) => {
    frame.begin(QUOTE_MSGPACK, 65_536, sentAt);
    const { heap } = table;
    // Of none of them anything was told.
    shown.forEach((row, index) => {
      heap.i32.set([row, 0], (entries >>> 2) + index * 2);
    });
    encoder.copyChanged({ entries }, 0, shown.length, frame);
    return frame;
  };
  const numbers = new Numbers(SAMPLER_NUMBERS);
  const at = numbers.take();
  const delivery = new LatencySampler(latency, numbers, at);
  const send = (shown: readonly number[], from: number, now: number, due: number, held: number) => {
    if (LatencySampler.isSampleDue(numbers, at, shown.length - from))
      delivery.sampleFrame(table, fill(shown), from, now, due, held);
  };
  return { latency, send, watch: delivery };
}

test("each of the ticks since the last ping is chosen as often as any other, however many are in a frame", () => {
  const ROUNDS = 20_000;
  const { latency, send, watch: delivery } = watch(10);
  const frames = [[0], [1, 2, 3, 4], [5, 6], [7, 8, 9]];
  for (let round = 0; round < ROUNDS; round++) {
    for (const rows of frames) send(rows, 0, 1_000, 1_000, 0);
    delivery.notePing(round);
    delivery.notePong(round, 1);
  }
  assert.equal(latency.confirmed, ROUNDS * 10);
  const mean = latency.stages[0].sum / latency.confirmed / 1_000;
  // The deviation of a mean of so many is 2.9 / sqrt(20,000), 0.02.
  assert.ok(Math.abs(mean - 4.5) < 0.12, `${mean} instead of 4.5`);
});

test("whatever is sent, pinged and answered, every tick counts once or is still out, and stages add up", () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("frame" as const),
      rows: fc.array(fc.nat(9), { minLength: 1, maxLength: MOST_SHOWN }),
      snapshots: fc.nat(3),
      late: fc.double({ min: 0, max: 5_000, noNaN: true }),
      held: fc.double({ min: 0, max: 5_000, noNaN: true }),
    }),
    fc.record({ kind: fc.constant("ping" as const) }),
    fc.record({
      kind: fc.constant("pong" as const),
      skip: fc.nat(3),
      trip: fc.double({ min: 0, max: 9_000, noNaN: true }),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), fc.constantFrom(0, 2 ** 32 - 3), (steps, first) => {
      const { latency, send, watch: delivery } = watch(10);
      let sent = 0;
      let next = first;
      let oldest = first;
      for (const one of steps) {
        if (one.kind === "frame") {
          const from = Math.min(one.snapshots, one.rows.length);
          if (from === one.rows.length) continue;
          send(one.rows, from, 10_000, 10_000 - one.late, one.held);
          sent += one.rows.length - from;
        } else if (one.kind === "ping") {
          delivery.notePing(next);
          next = (next + 1) >>> 0;
        } else if (oldest !== next) {
          const out = (next - oldest) >>> 0;
          const answered = (oldest + Math.min(one.skip, out - 1)) >>> 0;
          delivery.notePong(answered, one.trip);
          oldest = (answered + 1) >>> 0;
        }
      }
      assert.ok(latency.confirmed <= sent);
      // Two pings and the answer to the last: what was out has come, and what waited has gone with the second.
      for (let round = 0; round < 2; round++) {
        delivery.notePing(next);
        delivery.notePong(next, 1);
        next = (next + 1) >>> 0;
      }
      assert.equal(latency.confirmed, sent);
      assertAddUp(latency);
    }),
    { numRuns: 500 },
  );
});

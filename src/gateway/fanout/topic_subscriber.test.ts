/**
 * What becomes of ticks that are broadcast to a client: none goes uncounted, and one that does not read gets no more
 * than it may.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pack } from "msgpackr";
import { SessionBench } from "../../../test/support/session_bench.ts";
import { STALE } from "../../base/tick.ts";
import type { BusRecord } from "../../market/bus_record.ts";
import { HeardFeed } from "../../market/heard_feed.ts";
import type { Control } from "../../protocol/messages.ts";

/** How often a session is looked at, ms. */
const LOOK = 250;
/** The most that is broadcast between two looks, bytes; as listener.ts has it. */
const MOST_UNSEEN = 262_144;

/** A gateway with one client that listens to two symbols. */
class Audience {
  /** Bytes that have come to the client, but for pings. */
  bytes = 0;
  readonly bench: SessionBench;
  readonly #feed = new HeardFeed("F");
  readonly #seqs = new Map<string, number>();

  constructor() {
    const frame = (_sentAt: number, _ticks: unknown, bytes: number) => {
      this.bytes += bytes;
    };
    const control = (message: Control) => {
      this.bytes += pack(message).length;
    };
    this.bench = new SessionBench("tickgate.v1.msgpack", { control, frame });
    this.bench.session.open();
    for (const symbol of ["A", "B"]) this.tick(symbol);
    this.bench.send({ op: "subscribe", symbols: ["A", "B"], interval: 0 });
    this.bench.advance(1_000);
    assert.ok(this.listens);
  }

  get listens(): boolean {
    return this.bench.socket.topics.size === 2;
  }

  get broadcast(): number {
    return this.bench.context.counts.ticksBroadcast;
  }

  /** @param transit how long it took to the gateway, ms */
  tick(symbol: string, transit = 0): void {
    const seq = (this.#seqs.get(symbol) ?? 0) + 1;
    this.#seqs.set(symbol, seq);
    const sentAt = this.bench.clock.micros() - transit * 1_000;
    const times: Partial<BusRecord> = { sentAt, receivedAt: sentAt, feed: this.#feed };
    this.bench.record(symbol, { epoch: 1, seq, ...times });
  }
}

test("what was broadcast is on its way until a pong says that it has arrived, whenever that is looked at", () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("ticks" as const),
      symbol: fc.constantFrom("A", "B"),
      count: fc.integer({ min: 1, max: 60 }),
    }),
    fc.record({ kind: fc.constant("others" as const), bytes: fc.nat(20_000) }),
    fc.record({ kind: fc.constant("pass" as const), millis: fc.integer({ min: 5, max: 700 }) }),
    fc.record({ kind: fc.constant("answer" as const) }),
  );
  let confirmed = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
      const audience = new Audience();
      const { bench } = audience;
      // From here on pings are answered when a step says so.
      bench.advance(5_000);
      bench.isAnswering = false;
      const { window } = bench.outbound;
      const onItsWay = window.inFlight - audience.bytes;
      let arrived = 0;
      const look = () => {
        bench.session.maintain(bench.clock.millis());
        assert.equal(window.inFlight, onItsWay + audience.bytes - arrived);
      };
      for (const one of steps) {
        if (one.kind === "ticks") for (let tick = 0; tick < one.count; tick++) audience.tick(one.symbol);
        else if (one.kind === "others") bench.context.topics.published += one.bytes;
        else if (one.kind === "pass") bench.advance(one.millis);
        else if (bench.socket.pings.length > 0) {
          const before = window.inFlight;
          bench.answer();
          assert.ok(window.inFlight <= before);
          arrived += before - window.inFlight;
          confirmed++;
        }
        look();
      }
    }),
    { numRuns: 200 },
  );
  assert.ok(confirmed > 50, `${confirmed} answers`);
});

test("a client whose share of the market grows at once gets no more than that unseen, and then turns", () => {
  const audience = new Audience();
  const { bench } = audience;
  // It has had a hundredth of what was broadcast.
  for (let round = 0; round < 40; round++) {
    bench.context.topics.published += 10_000;
    audience.tick("A");
    bench.advance(LOOK);
  }
  assert.ok(audience.listens);
  bench.isAnswering = false;
  const { size } = bench.outbound.window;
  const before = audience.bytes;
  // Now all is for it, and it reads nothing; no time passes in which it would be looked at.
  for (let tick = 0; tick < 10_000; tick++) audience.tick("A");
  assert.ok(!audience.listens);
  const unread = audience.bytes - before;
  assert.ok(unread > size / 2 && unread <= size + MOST_UNSEEN, `${unread} bytes`);
});

test("a busier market brings the next look sooner: a client that keeps its share gets no more than its window", () => {
  const audience = new Audience();
  const { bench } = audience;
  const { topics: immediate } = bench.context;
  const go = (times: number) => {
    for (let each = 0; each < times; each++) {
      immediate.published += 5_000;
      audience.tick("A");
    }
  };
  for (let round = 0; round < 40; round++) {
    go(4);
    bench.advance(LOOK);
  }
  bench.isAnswering = false;
  const before = audience.bytes;
  go(10_000);
  assert.ok(!audience.listens);
  assert.ok(audience.bytes - before <= bench.outbound.window.size, `${audience.bytes - before} bytes`);
});

test("who has no room when the broadcast opens again does not hear it", () => {
  const audience = new Audience();
  const { bench } = audience;
  const { clock, context } = bench;
  bench.record("B", { epoch: 1, seq: 1, state: STALE, reason: "lost" });
  audience.tick("A");
  assert.ok(!context.topics.gate.isOpen && audience.listens);
  // It is told in a turn. Then the kernel takes no more for it, and no time passes in which it would be looked at.
  bench.advance(25);
  bench.socket.buffered = 1_000;
  clock.advance(300);
  context.scheduler.ranAt = clock.millis();
  context.topics.tryOpen(clock.millis());
  assert.ok(context.topics.gate.isOpen && !audience.listens);
});

test("of the ticks that were broadcast one stands for all, each symbol's as often as it ticked", () => {
  const audience = new Audience();
  const { bench } = audience;
  const { latency } = bench.context.counts;
  // The first ticks are not measured, and those of turns may wait.
  bench.advance(5_000);
  const [count, sum, from] = [latency.age.count, latency.stages[2].sum, audience.broadcast];
  const ROUNDS = 2_000;
  for (let round = 0; round < ROUNDS; round++) {
    for (let tick = 0; tick < 8; tick++) audience.tick(tick % 4 === 0 ? "B" : "A", tick % 4 === 0 ? 40 : 0);
    bench.advance(2_500);
  }
  assert.equal(latency.age.count - count, audience.broadcast - from, "each is counted once");
  assert.equal(audience.broadcast - from, ROUNDS * 8);
  const mean = (latency.stages[2].sum - sum) / (ROUNDS * 8) / 1_000;
  // A quarter of them took 40 ms; the deviation of the mean of so many is 40 * sqrt(3/16 / 2,000), 0.4.
  assert.ok(Math.abs(mean - 10) < 2.4, `${mean} instead of 10`);
});

test("a broadcast tick costs a subscriber that is catching up the same, however many symbols it has", () => {
  /** How often the heap's integers are read for a tick of the last symbol. */
  const reads = (count: number) => {
    const bench = new SessionBench("tickgate.v1.msgpack", { control() {}, frame() {} });
    const { scheduler, topics, table } = bench.context;
    const { heap } = table;
    const symbols = Array.from({ length: count }, (_, index) => `S${index}`);
    const record = (seq: number, part: Partial<BusRecord> = {}) => {
      for (const symbol of symbols) bench.record(symbol, { epoch: 1, seq, ...part });
    };
    bench.session.open();
    record(1);
    bench.send({ op: "subscribe", symbols, interval: 0 });
    bench.advance(1_000);
    assert.equal(bench.socket.topics.size, count);
    // The broadcast closes; what ticks now is to be sent by a flush, and the broadcast opens again before that.
    bench.record("S0", { epoch: 1, seq: 1, state: STALE, reason: "lost" });
    record(2);
    bench.advance(25);
    record(3);
    bench.clock.advance(300);
    scheduler.ranAt = bench.clock.millis();
    topics.tryOpen(bench.clock.millis());
    assert.ok(topics.gate.isOpen && bench.socket.topics.size === count);
    const id = 0;
    assert.ok(topics.receivesBroadcast(id) && !topics.isBroadcastOnly(id), "the subscriber is catching up");
    let read = 0;
    const real = { i32: heap.i32, u32: heap.u32 };
    const counted = <T extends object>(array: T): T =>
      new Proxy(array, {
        get: (target, key) => {
          read++;
          return Reflect.get(target, key, target);
        },
      });
    Object.assign(heap, { i32: counted(real.i32), u32: counted(real.u32) });
    const conflated = bench.outbound.conflated;
    bench.record(symbols[count - 1], { epoch: 1, seq: 4 });
    Object.assign(heap, real);
    assert.equal(bench.outbound.conflated - conflated, 1, "the tick replaces one that was still to be sent");
    return read;
  };
  assert.equal(reads(150), reads(10));
});

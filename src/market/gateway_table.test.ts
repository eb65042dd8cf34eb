import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CLOSED, FIELD_COUNT, LIVE, STALE } from "../base/tick.ts";
import { BusRecord } from "./bus_record.ts";
import { FULL, GAP, GatewayTable, IGNORED, OUTDATED, RESET, RESTATED, TICKED, UNKNOWN } from "./gateway_table.ts";
import { HeapFull } from "./heap.ts";
import { HeardFeed } from "./heard_feed.ts";
import { markOf } from "./seq_mark.ts";

function record(symbol: string, part: Partial<BusRecord> = {}): BusRecord {
  const made = Object.assign(new BusRecord(), { epoch: 1, seq: 1, eventTime: 1_000, values: filled(1), symbol }, part);
  return made;
}

function filled(value: number): Float64Array {
  return new Float64Array(FIELD_COUNT).fill(value);
}

function firstValue(table: GatewayTable, symbol: string): number {
  return table.payload.values[table.rowOf(symbol) * FIELD_COUNT];
}

test("a first tick makes the symbol known", () => {
  const table = new GatewayTable(10);
  assert.equal(table.apply(record("A", { seq: 7, values: filled(3) }), 5), TICKED);
  const row = table.rowOf("A");
  assert.deepEqual([...table.known.subarray(0, table.knownCount)], [row]);
  assert.equal(table.seq[row], 7);
  assert.equal(table.appliedAt[row], 5);
  assert.equal(table.version[row], table.clock);
  assert.equal(table.resetVersion[row] + table.gapVersion[row], 0);
});

test("a healed record that brings news is a gap, a seq that goes back in a new epoch a reset", () => {
  const table = new GatewayTable(10);
  table.apply(record("A", { seq: 5, healed: true }));
  assert.equal(table.gapVersion[0], 0, "the first tick heals nothing");
  table.apply(record("A", { seq: 5, healed: true }));
  assert.equal(table.gapVersion[0], 0, "nothing was missed");
  assert.equal(table.apply(record("A", { seq: 8, healed: true })), TICKED | GAP);
  assert.equal(table.gapVersion[0], table.clock);
  assert.equal(table.apply(record("A", { seq: 2, epoch: 2, values: filled(9) })), TICKED | RESET);
  assert.equal(table.resetVersion[0], table.statusClock);
  assert.equal(firstValue(table, "A"), 9);
});

test("a new epoch that stands at the same seq by chance is a reset where its tick is another", () => {
  const table = new GatewayTable(10);
  table.apply(record("A", { seq: 5, values: filled(1) }));
  assert.equal(table.apply(record("A", { seq: 5, epoch: 2, values: filled(1) })), IGNORED);
  assert.equal(table.resetVersion[0], 0);
  assert.equal(table.apply(record("A", { seq: 5, epoch: 3, values: filled(2) })), TICKED | RESET);
  assert.equal(firstValue(table, "A"), 2);
  assert.equal(table.resetVersion[0], table.clock);
  assert.equal(table.apply(record("A", { seq: 5, epoch: 4, values: filled(2), eventTime: 2_000 })), TICKED | RESET);
  assert.equal(table.eventTime[0], 2_000);
  const unknown = filled(Number.NaN);
  table.apply(record("B", { values: unknown }));
  assert.equal(table.apply(record("B", { epoch: 2, values: unknown })), IGNORED, "not known equals not known");
});

test("a state without a tick is told as such", () => {
  const table = new GatewayTable(10);
  table.apply(record("A"));
  const { clock } = table;
  assert.equal(table.apply(record("A", { state: STALE, reason: "lost", since: 9 })), RESTATED);
  assert.ok(table.stateVersion[0] > clock && table.version[0] === clock);
  assert.equal(table.since[0], 9);
  assert.equal(table.apply(record("A", { state: STALE, reason: "lost" })), IGNORED);
  assert.equal(table.apply(record("A", { seq: 2 })), TICKED | RESTATED);
  assert.equal(table.state[0], LIVE);
});

const update = fc.record({
  symbol: fc.constantFrom("A", "B", "C"),
  epoch: fc.integer({ min: 1, max: 3 }),
  seq: fc.integer({ min: 1, max: 6 }),
  healed: fc.boolean(),
  state: fc.constantFrom(LIVE, STALE, CLOSED),
});

test("under any interleaving the largest epoch and seq holds, and versions tell every change", () => {
  fc.assert(
    fc.property(fc.array(update, { maxLength: 60 }), (updates) => {
      const table = new GatewayTable(10);
      const best = new Map<string, { epoch: number; seq: number }>();
      for (const { symbol, epoch, seq, healed, state } of updates) {
        const row = table.rowOf(symbol);
        const before = row < 0 ? undefined : { version: table.version[row], seq: table.seq[row] };
        const { clock } = table;
        // What a publisher counted it does not change: the tick follows from its epoch and seq.
        const changed = table.apply(
          record(symbol, {
            epoch,
            seq,
            healed,
            state,
            values: filled(epoch * 100 + seq),
            eventTime: epoch * 100 + seq,
          }),
        );
        const known = best.get(symbol);
        const wins = !known || epoch > known.epoch || (epoch === known.epoch && seq >= known.seq);
        if (wins) best.set(symbol, { epoch, seq });
        assert.equal(changed === OUTDATED, !wins);
        if (changed === IGNORED || changed === OUTDATED) assert.equal(table.clock, clock, "an ignored record");
        const now = table.rowOf(symbol);
        assert.equal((changed & TICKED) > 0, table.version[now] > clock);
        assert.equal((changed & RESTATED) > 0, table.stateVersion[now] > clock);
        assert.equal((changed & GAP) > 0, table.gapVersion[now] > clock);
        assert.equal((changed & RESET) > 0, table.resetVersion[now] > clock);
        if (before && table.seq[now] < before.seq) assert.equal(table.resetVersion[now], table.version[now]);
      }
      for (const [symbol, { epoch, seq }] of best) {
        assert.equal(table.seq[table.rowOf(symbol)], seq);
        assert.equal(firstValue(table, symbol), epoch * 100 + seq);
      }
      assert.equal(table.knownCount, best.size);
    }),
    { numRuns: 500 },
  );
});

test("holds and releases never leak a row, and stop at the limit of awaited ones", () => {
  const mostAwaited = 4;
  const step = fc.record({
    kind: fc.constantFrom("hold", "release", "tick"),
    symbol: fc.constantFrom("A", "B", "C", "D", "E", "F", "G"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const table = new GatewayTable(6);
      const holds = new Map<string, number>();
      const known = new Set<string>();
      const awaited = () => [...holds].filter(([symbol, count]) => count > 0 && !known.has(symbol)).length;
      for (const { kind, symbol } of steps) {
        const count = holds.get(symbol) ?? 0;
        if (kind === "hold") {
          const used = known.size + awaited();
          const fresh = !known.has(symbol) && count === 0;
          const row = table.hold(symbol, mostAwaited, 0);
          const refused = fresh && (awaited() >= mostAwaited || used >= 6);
          assert.equal(row < 0, refused);
          if (row >= 0) holds.set(symbol, count + 1);
        } else if (kind === "release" && count > 0) {
          table.release(table.rowOf(symbol));
          holds.set(symbol, count - 1);
        } else if (kind === "tick") {
          const used = known.size + awaited();
          const fresh = !known.has(symbol) && count === 0;
          const news = table.apply(record(symbol, { seq: 1 }));
          assert.equal(news === FULL, fresh && used >= 6);
          if (news !== FULL) known.add(symbol);
        }
        assert.equal(table.awaitedRows, awaited());
        for (const [name, held] of holds)
          if (held > 0 || known.has(name)) assert.equal(table.symbols[table.rowOf(name)], name);
          else assert.equal(table.rowOf(name), -1);
      }
      assert.ok(table.rows <= 6);
      assert.equal(table.knownCount, known.size);
    }),
    { numRuns: 500 },
  );
});

test("a freed row starts afresh for the next symbol", () => {
  const table = new GatewayTable(1);
  const row = table.hold("A", 1, 7);
  table.restate(row, STALE, 5, "nobody there");
  table.release(row);
  assert.equal(table.hold("B", 1, 9), row);
  assert.deepEqual([table.state[row], table.reasons[row], table.since[row]], [STALE, UNKNOWN, 9]);
  table.release(row);
  assert.equal(table.add("C"), row);
  assert.deepEqual([table.state[row], table.reasons[row], table.since[row]], [LIVE, "", 0]);
});

test("a symbol that is only awaited is stale and unknown, and live with its first tick", () => {
  const table = new GatewayTable(10);
  const row = table.hold("A", 1, 7);
  assert.deepEqual([table.state[row], table.reasons[row], table.since[row]], [STALE, UNKNOWN, 7]);
  const { statusClock } = table;
  assert.equal(table.apply(record("A", { eventTime: 40 }), 50), TICKED | RESTATED);
  assert.deepEqual([table.state[row], table.reasons[row], table.since[row]], [LIVE, "", 40]);
  assert.ok(table.stateVersion[row] > statusClock, "subscribers are sent it");
});

test("a state that was always so begins for a client when the client learns of it", () => {
  const table = new GatewayTable(10);
  table.apply(record("A"), 5);
  table.apply(record("A", { state: STALE, reason: "lost", since: 0 }), 6);
  assert.equal(table.since[0], 6);
});

test("a row whose symbol has had a tick is never given to another, whatever its seq", () => {
  const table = new GatewayTable(2);
  const row = table.hold("A", 1, 0);
  table.apply(record("A", { seq: 7 }));
  // No publisher may say 0; should one get through, the row stays the symbol's.
  table.apply(record("A", { epoch: 2, seq: 0, values: filled(3) }));
  table.release(row);
  assert.equal(table.rowOf("A"), row);
  assert.notEqual(table.hold("B", 1, 0), row);
  assert.equal(table.resetVersion[row], table.clock);
  assert.deepEqual([...table.known.subarray(0, table.knownCount)], [row]);
});

test("is full where there is no memory for more rows, and keeps what it has", () => {
  const table = new GatewayTable(5_000);
  for (let index = 0; index < 1_024; index++) table.apply(record(`S${index}`, { seq: index + 1 }));
  const alloc = table.heap.alloc.bind(table.heap);
  let left = 1;
  table.heap.alloc = (bytes) => {
    if (left-- === 0) throw new HeapFull("no memory");
    return alloc(bytes);
  };
  assert.equal(table.apply(record("ONE-MORE")), FULL);
  table.heap.alloc = alloc;
  assert.equal(table.apply(record("ONE-MORE", { seq: 9 })), TICKED);
  for (let index = 0; index < 1_024; index++) {
    assert.equal(table.heap.u32[(table.markAt >>> 2) + index], markOf(index + 1));
    assert.equal(table.version[index] > 0, true);
  }
});

test("grows to its limit and keeps everything, and is full then", () => {
  const table = new GatewayTable(5_000);
  for (let index = 0; index < 5_000; index++)
    assert.equal(table.apply(record(`S${index}`, { seq: index + 1, values: filled(index) })), TICKED);
  assert.equal(table.apply(record("ONE-MORE")), FULL);
  assert.equal(table.add("ONE-MORE"), -1);
  for (let index = 0; index < 5_000; index++) {
    assert.equal(table.seq[table.rowOf(`S${index}`)], index + 1);
    assert.equal(firstValue(table, `S${index}`), index);
    assert.equal(table.known[index], table.rowOf(`S${index}`));
  }
});

test("where a tick's time went is kept by stage, by clocks that agree and by clocks that do not", () => {
  const table = new GatewayTable(10);
  const times = () => [table.sourceTime[0], table.feedTime[0], table.busTime[0]];
  const at = { eventTime: 1_000, receivedAt: 1_200, sentAt: 1_250 };
  table.apply(record("A", { seq: 1, ...at }), 1_300);
  assert.deepEqual(times(), [200, 50, Number.NaN], "the first may have rested for hours");
  table.apply(record("A", { seq: 2, ...at }), 1_300);
  assert.deepEqual(times(), [200, 50, 50]);
  const feed = new HeardFeed("F");
  const ours = { offset: 0, uncertainty: 0 };
  feed.compare({ offset: 10_000, uncertainty: 0 }, ours);
  table.apply(record("A", { seq: 3, eventTime: 11_000, receivedAt: 11_200, sentAt: 11_250, feed }), 1_300);
  assert.deepEqual(times(), [200, 50, 50], "a publisher that is ahead");
  feed.compare({ offset: -1_000, uncertainty: 0 }, ours);
  table.apply(record("A", { seq: 4, eventTime: 0, receivedAt: 200, sentAt: 250, feed }), 1_300);
  assert.deepEqual(times(), [200, 50, 50], "a publisher that is behind");
  table.apply(record("A", { seq: 5, eventTime: 9_000, receivedAt: 1_200, sentAt: 1_100 }), 1_000);
  assert.deepEqual(times(), [0, 0, 0], "none is negative");
});

test("what was read from the store has taken its time only where it had been missed", () => {
  const table = new GatewayTable(10);
  const stored = { eventTime: 1_000, receivedAt: 1_200, sentAt: Number.NaN };
  table.apply(record("A", { seq: 1, ...stored, sentAt: 1_200 }), 1_300);
  table.apply(record("A", { seq: 2, ...stored }), 9_200);
  assert.ok(Number.isNaN(table.busTime[0]));
  table.apply(record("A", { seq: 3, ...stored, healed: true }), 9_200);
  assert.deepEqual([table.sourceTime[0], table.feedTime[0], table.busTime[0]], [200, 0, 8_000]);
  table.apply(record("A", { seq: 4, ...stored, receivedAt: Number.NaN, healed: true }), 9_200);
  assert.ok(Number.isNaN(table.busTime[0]), "nobody knows when it was received");
});

test("it takes a number a second time when a later epoch gives it to other values, and says reset", () => {
  const table = new GatewayTable(10);
  table.apply(record("A", { seq: 5 }));
  assert.equal(table.apply(record("A", { seq: 5, epoch: 2 })), IGNORED);
  assert.equal(table.resetVersion[0], 0);
  const again = record("A", { seq: 5, epoch: 3 });
  again.values[0] = 12;
  assert.equal(table.apply(again), TICKED | RESET);
  assert.equal(table.payload.values[0], 12);
  assert.equal(table.resetVersion[0], table.version[0]);
  assert.equal(table.state[0], LIVE);
});

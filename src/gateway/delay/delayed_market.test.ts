/** Whatever a market does, a late row shows nothing earlier than it may, in order, and in the end all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../../base/clock.ts";
import { FIELD_COUNT, LIVE, STALE } from "../../base/tick.ts";
import { BusRecord } from "../../market/bus_record.ts";
import { DELAYED, GatewayTable } from "../../market/gateway_table.ts";
import { DelayedMarket } from "./delayed_market.ts";

const SETTINGS = { delaySampleInterval: 1_000, maxDelayBytes: 10_000_000, maxDelayedRows: 100 };
const DELAYS = [2_000, 7_000];
const START = 1_700_000_000_000;

function open(own: Partial<typeof SETTINGS> = {}) {
  const clock = new ManualClock(START);
  const table = new GatewayTable(1_000);
  const delivered: number[] = [];
  const delays = new DelayedMarket({
    table,
    clock,
    settings: { ...SETTINGS, ...own },
    deliver: (row) => delivered.push(row),
  });
  const record = (symbol: string, part: Partial<BusRecord>) => {
    const values = new Float64Array(FIELD_COUNT).fill(part.seq ?? 0);
    const defaults = { symbol, epoch: 1, state: LIVE, since: 0, reason: "", values, sentAt: clock.micros() };
    const now = clock.micros();
    const applied = table.apply(
      Object.assign(new BusRecord(), { receivedAt: now, eventTime: now }, defaults, part),
      now,
    );
    delays.note(table.rowOf(symbol), applied);
  };
  /** Time passes, with steps. */
  const pass = (millis: number) => {
    for (let left = millis; left > 0; left -= 100) {
      clock.advance(Math.min(100, left));
      delays.step();
    }
  };
  return { clock, table, delays, delivered, record, pass };
}

test("a late row has the handle of the live one, is stale until it shows something, and then shows the past", () => {
  const { table, delays, delivered, record, pass, clock } = open();
  record("V:A", { seq: 1 });
  const live = table.rowOf("V:A");
  const row = delays.hold("V:A", 2_000, 10, clock.micros());
  assert.notEqual(row, live);
  assert.deepEqual(
    [table.symbols[row], table.handle[row], delays.delayOf(row), delays.liveRowOf(row)],
    ["V:A", live, 2_000, live],
  );
  assert.deepEqual([table.hasTicked(row), table.state[row], table.reasons[row]], [false, STALE, DELAYED]);
  assert.deepEqual([table.rowOf("V:A"), table.knownCount, delays.rowsOf(live)], [live, 1, [row]]);
  pass(1_900);
  record("V:A", { seq: 2 });
  assert.equal(table.hasTicked(row), false);
  pass(200);
  assert.deepEqual([table.seq[row], table.state[row], table.reasons[row], delivered], [1, LIVE, "", [row]]);
  assert.ok(Number.isNaN(table.busTime[row]), "its age is measured by nobody");
  pass(2_200);
  assert.equal(table.seq[row], 2);
  assert.equal(table.knownCount, 1);
});

test("states, gaps and resets are shown as late as values", () => {
  const { table, delays, record, pass, clock } = open();
  record("V:A", { seq: 5 });
  const row = delays.hold("V:A", 2_000, 10, clock.micros());
  pass(2_100);
  const clockBefore = table.statusClock;
  record("V:A", { seq: 8, healed: true, state: STALE, reason: "silence", since: clock.micros() });
  pass(1_500);
  assert.deepEqual([table.state[row], table.gapVersion[row]], [LIVE, 0]);
  pass(2_000);
  assert.deepEqual([table.state[row], table.reasons[row], table.seq[row]], [STALE, "silence", 8]);
  assert.ok(table.gapVersion[row] > clockBefore);
  record("V:A", { epoch: 2, seq: 1 });
  pass(4_000);
  assert.ok(table.resetVersion[row] > table.gapVersion[row]);
  assert.equal(table.seq[row], 1);
});

test("what the store had when the gateway started is shown as soon as it is old enough", () => {
  const { table, delays, record, clock } = open();
  const stored = { sentAt: Number.NaN };
  const ago = (millis: number) => ({
    eventTime: clock.micros() - millis * 1_000,
    receivedAt: clock.micros() - millis * 1_000,
  });
  record("V:OLD", { seq: 3, ...stored, ...ago(10_000) });
  record("V:NEW", { seq: 3, ...stored, ...ago(1_000) });
  assert.equal(table.hasTicked(delays.hold("V:OLD", 2_000, 10, clock.micros())), true);
  assert.equal(table.hasTicked(delays.hold("V:NEW", 2_000, 10, clock.micros())), false);
});

test("symbols of the policy are recorded from their first tick on, and as long as the policy names them", () => {
  const { table, delays, record, pass, clock } = open();
  delays.record((symbol) => (symbol.startsWith("V:") ? 7_000 : 0));
  record("V:A", { seq: 1 });
  record("W:A", { seq: 1 });
  pass(8_000);
  assert.equal(delays.rows, 1);
  const row = delays.hold("V:A", 7_000, 10, clock.micros());
  assert.equal(table.seq[row], 1, "its snapshot is there at once");
  delays.release(row);
  pass(10_000);
  assert.equal(delays.rows, 1);
  delays.record(() => 0);
  pass(100);
  assert.equal(delays.rows, 0);
  assert.equal(delays.bytes, 0);
});

test("memory and rows are limited", () => {
  const { table, delays, record, pass, clock } = open({ maxDelayedRows: 2, maxDelayBytes: 2_000 });
  for (const symbol of ["V:A", "V:B", "V:C"]) record(symbol, { seq: 1 });
  const rows = ["V:A", "V:B", "V:C"].map((symbol) => delays.hold(symbol, 2_000, 10, clock.micros()));
  assert.deepEqual([rows[0] >= 0, rows[1] >= 0, rows[2], delays.refused], [true, true, -1, 1]);
  assert.equal(delays.hold("V:A", 60_000, 10, clock.micros()), -1);
  assert.ok(delays.bytes <= 2_000);
  delays.release(rows[0]);
  pass(2_200);
  assert.ok(delays.hold("V:C", 2_000, 10, clock.micros()) >= 0);
  assert.equal(table.symbols[rows[0]], "V:C");
});

const step = fc.oneof(
  fc.record({ kind: fc.constant("tick" as const), symbol: fc.nat(1), late: fc.integer({ min: -4_000, max: 9_000 }) }),
  fc.record({ kind: fc.constant("state" as const), symbol: fc.nat(1), state: fc.constantFrom(LIVE, STALE) }),
  fc.record({ kind: fc.constant("epoch" as const), symbol: fc.nat(1) }),
  fc.record({ kind: fc.constant("pass" as const), millis: fc.integer({ min: 1, max: 3_000 }) }),
  fc.record({ kind: fc.constant("stall" as const), millis: fc.integer({ min: 1, max: 20_000 }) }),
  fc.record({ kind: fc.constant("hold" as const), symbol: fc.nat(1), delay: fc.nat(1) }),
  fc.record({ kind: fc.constant("release" as const), hold: fc.nat(20) }),
);

test("nothing is shown before its time, whatever happens; order is kept; a market at rest is shown whole", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const bench = open();
      const { table, delays, clock, record } = bench;
      const symbols = ["V:A", "V:B"];
      /** Of each symbol: what was shown live, by a number of its own that is its bid. */
      const lived = symbols.map((): { readonly from: number; readonly eventTime: number }[] => []);
      const seqs = [0, 0];
      const epochs = [1, 1];
      const states = [LIVE, LIVE];
      const held: number[] = [];
      const shown = new Map<string, number>();
      const check = () => {
        const now = clock.micros();
        for (const [index, symbol] of symbols.entries()) {
          const live = table.rowOf(symbol);
          for (const row of live < 0 ? [] : delays.rowsOf(live)) {
            if (!table.hasTicked(row)) continue;
            const value = table.payload.values[row * FIELD_COUNT];
            const { from, eventTime } = lived[index][value];
            const delay = delays.delayOf(row) * 1_000;
            assert.ok(Math.max(from, eventTime) + delay <= now, `${symbol} ${value} is shown too early`);
            const key = `${symbol} ${row} ${delay}`;
            assert.ok(value >= (shown.get(key) ?? 0), `${symbol} goes back`);
            shown.set(key, value);
          }
        }
        assert.ok(delays.bytes <= SETTINGS.maxDelayBytes);
      };
      const pass = (millis: number) => {
        for (let left = millis; left > 0; left -= 100) {
          clock.advance(Math.min(100, left));
          delays.step();
          check();
        }
      };
      const publish = (index: number, eventTime: number) => {
        const value = lived[index].length;
        lived[index].push({ from: clock.micros(), eventTime });
        const values = new Float64Array(FIELD_COUNT).fill(value);
        record(symbols[index], { seq: ++seqs[index], epoch: epochs[index], eventTime, values, state: states[index] });
      };
      for (const each of steps) {
        if (each.kind === "tick") publish(each.symbol, clock.micros() - each.late * 1_000);
        else if (each.kind === "state") {
          states[each.symbol] = each.state;
          if (lived[each.symbol].length > 0) publish(each.symbol, clock.micros());
        } else if (each.kind === "epoch") {
          epochs[each.symbol]++;
          seqs[each.symbol] = 0;
          publish(each.symbol, clock.micros());
        } else if (each.kind === "pass") pass(each.millis);
        else if (each.kind === "stall") {
          clock.advance(each.millis);
          delays.step();
          check();
        } else if (each.kind === "hold")
          held.push(delays.hold(symbols[each.symbol], DELAYS[each.delay], 10, clock.micros()));
        else if (each.hold < held.length) {
          const [row] = held.splice(each.hold, 1);
          const live = table.handle[row];
          const isLast = !held.includes(row);
          delays.release(row);
          if (isLast && !table.hasTicked(live)) shown.clear();
        }
        // A row that was freed may be another symbol's.
        for (const key of shown.keys()) if (delays.delayOf(Number(key.split(" ")[1])) === 0) shown.delete(key);
        check();
      }
      pass(30_000);
      for (const row of held) {
        const live = table.handle[row];
        if (!table.hasTicked(live)) continue;
        assert.deepEqual(
          [table.seq[row], table.payload.values[row * FIELD_COUNT], table.state[row]],
          [table.seq[live], table.payload.values[live * FIELD_COUNT], table.state[live]],
        );
        delays.release(row);
      }
    }),
    { numRuns: 300 },
  );
});

/** The maintenance by an injected clock: how often sessions are maintained, and how many in one run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { CountingBus, testSettings } from "../../test/support/session_bench.ts";
import { ManualClock } from "../base/clock.ts";
import { BusRecord } from "../market/bus_record.ts";
import { createContext } from "./context.ts";
import { type MaintainedSession, Maintenance } from "./maintenance.ts";

function open(sessions: number) {
  const clock = new ManualClock();
  const context = createContext(testSettings(), new CountingBus(), clock, pino({ level: "silent" }), () => {});
  const maintained: number[] = Array.from({ length: sessions }, () => 0);
  const changes = { symbols: 0, states: 0, health: 0 };
  const all = maintained.map(
    (_, index): MaintainedSession => ({
      matchNewSymbols: () => changes.symbols++,
      scheduleFlushes: () => changes.states++,
      maintain: () => {
        maintained[index]++;
        return false;
      },
      ping: () => assert.fail("no ping is due"),
    }),
  );
  const maintenance = new Maintenance(context, new Set(all), () => changes.health++);
  const run = () => {
    clock.advance(Maintenance.interval);
    maintenance.run(clock.millis());
  };
  return { context, maintained, changes, run };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

for (const sessions of [1, 3, 999, 1_000, 4_000])
  test(`each of ${sessions} sessions is maintained every 250 ms`, () => {
    const { maintained, changes, run } = open(sessions);
    for (let runs = 0; runs < 100; runs++) {
      const before = sum(maintained);
      run();
      assert.ok(sum(maintained) - before <= 1_300, "in one run");
    }
    // Of many, 1,000 must be due before a run maintains any: three runs' worth of 4,000. Then two runs may be missing.
    const missing = sessions > 1_000 ? 2 * (sessions / 10) : 0;
    assert.ok(sum(maintained) >= sessions * 10 - missing && sum(maintained) <= sessions * 10, `${sum(maintained)}`);
    assert.ok(maintained.every((times) => times === 10 || (missing > 0 && times === 9)));
    assert.equal(changes.health, 10);
  });

test("new symbols and changed states are passed on to every session with the next run, once", () => {
  const { context, changes, run } = open(2);
  const { table, clock } = context;
  run();
  table.apply(Object.assign(new BusRecord(), { symbol: "A", epoch: 1, seq: 1, eventTime: clock.micros() }));
  run();
  run();
  assert.deepEqual([changes.symbols, changes.states], [2, 0]);
  table.restate(0, 1, clock.micros(), "silent");
  run();
  run();
  assert.deepEqual([changes.symbols, changes.states], [2, 2]);
});

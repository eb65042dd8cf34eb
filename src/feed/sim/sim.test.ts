import assert from "node:assert/strict";
import { mock, test } from "node:test";
import fc from "fast-check";
import { keptContext } from "../../../test/support/feed_bench.ts";
import { ManualClock } from "../../base/clock.ts";
import { FIELDS, isSymbol, type TickPatch } from "../../base/tick.ts";
import { UsageError } from "../../settings/option.ts";
import { openFeed, parseFeed } from "../spec.ts";
import { SimMarket } from "./sim_market.ts";

/** Runs a simulator on mock timers for so many milliseconds. */
async function run(spec: string, millis: number, step = 5) {
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    const clock = new ManualClock();
    const context = keptContext(clock);
    const feed = openFeed(parseFeed(spec), context);
    feed.start();
    for (let elapsed = 0; elapsed < millis; elapsed += step) {
      clock.advance(step);
      mock.timers.tick(step);
    }
    await feed.close();
    return context.sink;
  } finally {
    mock.timers.reset();
  }
}

const untimed = (ticks: { symbol: string; patch: TickPatch }[]) => ticks.map(({ symbol, patch }) => [symbol, patch]);

test("at the start every symbol tells its whole state once", async () => {
  const { ticks } = await run("sim:?symbols=12000&rate=0", 50);
  assert.equal(ticks.length, 12_000);
  assert.equal(ticks[0].symbol, "SIM:S00000");
  assert.equal(ticks[11_999].symbol, "SIM:S11999");
  for (const { symbol, patch } of ticks) {
    assert.ok(isSymbol(symbol));
    for (const field of FIELDS) assert.equal(typeof patch[field], "number", field);
  }
});

test("ticks come at the rate, and a seed decides them whatever the pace", async () => {
  const one = await run("sim:?symbols=10&rate=4000&seed=7&prefix=TEST", 505);
  assert.equal(one.ticks.length, 10 + 2_000);
  assert.equal(one.ticks[0].symbol, "TEST:S0000");
  const other = await run("sim:?symbols=10&rate=1000&seed=7&prefix=TEST", 2_010, 10);
  assert.deepEqual(untimed(other.ticks), untimed(one.ticks));
  const third = await run("sim:?symbols=10&rate=4000&seed=8&prefix=TEST", 505);
  assert.notDeepEqual(untimed(third.ticks), untimed(one.ticks));
});

test("without skew all symbols are alike", () => {
  const market = new SimMarket(100, 1, "SIM", 0);
  const counts = new Float64Array(100);
  for (let i = 0; i < 100_000; i++) {
    market.next();
    counts[market.symbol]++;
  }
  for (const count of counts) assert.ok(count > 800 && count < 1_200, `${count} of 1,000`);
});

test("ticks are made once a period", async () => {
  for (const [period, turns] of [
    [1, 100],
    [20, 4],
  ]) {
    const { ticks } = await run(`sim:?symbols=1&rate=1000&period=${period}`, 101, 1);
    const times = new Set(ticks.slice(1).map(({ eventTime }) => eventTime));
    assert.equal(times.size, turns);
  }
});

test("fractions of a tick add up", async () => {
  assert.equal((await run("sim:?symbols=1&rate=3", 2_005)).ticks.length, 1 + 6);
});

test("a process that was held up does not catch up without bound", async () => {
  const { ticks } = await run("sim:?symbols=1&rate=1000", 20_000, 10_000);
  assert.equal(ticks.length, 1 + 100);
});

test("no tick follows the end", async () => {
  const context = keptContext();
  const feed = openFeed(parseFeed("sim:"), context);
  feed.start();
  await feed.close();
  assert.equal(context.sink.ticks.length, 0);
});

test("a target is refused", () => {
  assert.throws(() => openFeed(parseFeed("sim:ACME"), keptContext()), UsageError);
});

test("the market is believable: bid below ask, low to high around last, few decimals, at any seed", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999_999_999 }), (seed) => {
      const market = new SimMarket(5, seed, "SIM");
      const state = market.symbols.map((_, i) => ({ ...market.firstState(i) }) as Record<string, number>);
      for (let i = 0; i < 2_000; i++) {
        const patch = market.next();
        const now: Record<string, number> = Object.assign(state[market.symbol], patch as Record<string, number>);
        assert.ok(now.bid > 0 && now.bid < now.ask, "bid < ask");
        assert.ok(now.bidSize > 0 && now.askSize > 0 && now.lastSize > 0, "sizes");
        assert.ok(now.low <= now.last && now.last <= now.high, "low ≤ last ≤ high");
        assert.ok(now.low <= now.open && now.open <= now.high, "low ≤ open ≤ high");
        for (const [field, value] of Object.entries(now)) {
          assert.ok(Number.isFinite(value), field);
          assert.ok(String(value).replace(/^0\.0*|[.-]/g, "").length <= 15, `${field} ${value} has few digits`);
        }
      }
    }),
    { numRuns: 30 },
  );
});

test("a few symbols make most of the ticks, and prices move", () => {
  const market = new SimMarket(1_000, 1, "SIM");
  const counts = new Float64Array(1_000);
  const bids = new Map<number, Set<number>>();
  for (let i = 0; i < 100_000; i++) {
    const { bid } = market.next();
    counts[market.symbol]++;
    bids.set(market.symbol, (bids.get(market.symbol) ?? new Set()).add(bid as number));
  }
  const sorted = counts.toSorted().reverse();
  const busiest = sorted.subarray(0, 100).reduce((a, b) => a + b);
  assert.ok(busiest > 50_000, `the busiest tenth made ${busiest} of 100,000`);
  assert.ok(sorted[500] > 10, "the middle one ticks too");
  assert.ok((bids.get(counts.indexOf(sorted[0]))?.size ?? 0) > 10, "the busiest one moves");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { readOptions, type SwarmOptions } from "./options.ts";
import { reportOf, reportText } from "./report.ts";
import type { Run, Usage } from "./run.ts";
import { type SwarmResult, sumResults, Tally } from "./tally.ts";

const OPTIONS = readOptions(["--connections", "10", "--slow", "2", "--stalled", "1"]) as SwarmOptions;

/** The counts of one process. */
function counted(change: (tally: Tally) => void, own: Partial<SwarmResult> = {}): SwarmResult {
  const tally = new Tally();
  tally.classes.healthy.connections = 7;
  tally.begin();
  tally.classes.healthy.ticks = tally.classes.healthy.fresh = 1_000;
  tally.classes.healthy.frames = 100;
  for (let age = 0; age < 1_000; age++) tally.classes.healthy.ages.observe(age * 100);
  change(tally);
  const result = tally.result({ seconds: 10, cpuSeconds: 2, loopLate: 1, memory: 1e8, open: 10 });
  return { ...result, ...own };
}

const NO_STREAMS = {
  streams: { count: 0, examples: [] },
  books: { count: 0, examples: [], compared: 0 },
  bars: { count: 0, examples: [], compared: 0 },
};

const usage = (cpu: number, memory: number): Usage => ({
  processes: [{ pid: 7, name: "node", user: cpu, system: cpu / 2, memory }],
  sockets: undefined,
});

function runOf(result: SwarmResult, more: Partial<Run> = {}): Run {
  const none = { count: 0, examples: [] };
  return {
    plan: {
      ...{ host: "h", port: 1, secure: false, protocol: { module: "", settings: {} }, connections: 10 },
      ...{ perConnection: 50, rate: 3_000, slow: 2, slowBytes: 10_000, stalled: 1, stallSeconds: 0 },
      ...{ freshBound: 1_000, clockOffset: 0, churn: 0, processes: 1 },
    },
    ...{ market: 1_000, result, clock: undefined, seconds: 10 },
    usage: { before: usage(1, 1e8), begin: usage(2, 1.1e8), end: usage(4, 1.2e8) },
    convergence: { behind: none, ahead: none, values: { ...none, compared: 5 }, ...NO_STREAMS, took: 100 },
    ...more,
  };
}

const report = (result: SwarmResult, more: Partial<Run> = {}) => reportOf(runOf(result, more), OPTIONS);

test("a run without broken promises is reported with its cost", () => {
  const result = report(counted(() => {}));
  assert.deepEqual([result.broken, result.doubts], [[], []]);
  const [server] = result.servers;
  assert.deepEqual([server.user, server.system, server.cores, server.memoryAConnection], [2, 1, 0.3, 2e6]);
  assert.deepEqual(result.costs, { microsAFrame: 30_000, cpuSecondsAMillionFresh: 3_000 });
  assert.deepEqual([result.swarm.cores, result.swarm.microsAFrame], [0.2, 20_000]);
  assert.match(reportText(result), /every promise kept\n$/);
  assert.match(reportText(result), /server 7 +node: 30\.0 % of a core \(2\.00 s user, 1\.00 s system\)/);
});

test("each broken promise is reported separately", () => {
  const some = { count: 3, examples: ["here"] };
  const cases: [(tally: Tally) => void, Partial<Run>, RegExp][] = [
    [(tally) => tally.faults.add("a fault", 2, ["there"]), {}, /^a fault: 2 times \(there\)$/],
    [(tally) => tally.refused.add("HTTP 503", 4), {}, /^4 connections were refused \(HTTP 503: 4\)$/],
    [(tally) => tally.closed.add("healthy, code 1011"), {}, /^1 healthy connections were closed/],
    [({ classes }) => classes.healthy.ages.observe(9e8), {}, /^$/],
    [(tally) => tally.classes.slow.ages.observe(6e6), {}, /^age p99 of slow clients 6/],
    [() => {}, { convergence: { ...runOf(counted(() => {})).convergence, behind: some } }, /^3 symbols never received/],
    [() => {}, { convergence: { ...runOf(counted(() => {})).convergence, ahead: some } }, /^3 symbols have a seq that/],
    [
      () => {},
      { convergence: { ...runOf(counted(() => {})).convergence, values: { ...some, compared: 9 } } },
      /^3 ticks have other values/,
    ],
    [
      () => {},
      { convergence: { ...runOf(counted(() => {})).convergence, streams: some } },
      /^3 trades, books or bars are behind \(here\)$/,
    ],
    [
      () => {},
      { convergence: { ...runOf(counted(() => {})).convergence, books: { ...some, compared: 9 } } },
      /^3 books have other levels than the market/,
    ],
    [
      () => {},
      { convergence: { ...runOf(counted(() => {})).convergence, bars: { ...some, compared: 9 } } },
      /^3 bars are others than the market's/,
    ],
  ];
  for (const [change, more, expected] of cases) {
    const { broken } = report(counted(change), more);
    // One old tick of a thousand does not change the p99.
    if (expected.source === "^$") assert.deepEqual(broken, []);
    else assert.ok(broken.length === 1 && expected.test(broken[0]), broken.join("; "));
  }
  const old = report(
    counted(({ classes }) => void Array.from({ length: 20 }, () => classes.healthy.ages.observe(3e5))),
  );
  assert.match(old.broken[0], /^age p99 of 3\d\d\.\d ms, more than 200 ms$/);
  const silent = report(counted(({ classes }) => classes.healthy.clear()));
  assert.match(silent.broken[0], /^no tick arrived/);
});

test("trades, books and bars are reported, and that there were none where they were asked for", () => {
  const some = counted(({ classes: { healthy } }) => {
    healthy.trades = 20;
    healthy.missed = 40;
    healthy.books = 30;
    healthy.bars = 50;
  });
  assert.match(reportText(report(some)), /channels +2 trades\/s, 4 missed\/s, 3 books\/s, 5 bars\/s/);
  assert.ok(!reportText(report(counted(() => {}))).includes("channels"));
  const { broken } = reportOf(runOf(counted(() => {})), { ...OPTIONS, trades: 1, books: 1, bars: 1 });
  assert.deepEqual(
    broken,
    ["trade", "book", "bar"].map((what) => `no ${what} arrived at a healthy client`),
  );
});

test("closing a stalled connection breaks no promise", () => {
  assert.deepEqual(report(counted((tally) => tally.closed.add("stalled, code 4408"))).broken, []);
});

test("the report says when swarm or clocks make the numbers doubtful", () => {
  const doubts = (own: Partial<SwarmResult>, more: Partial<Run> = {}) =>
    report(
      counted(() => {}, own),
      more,
    ).doubts;
  assert.match(doubts({ cpuSeconds: 9.5 })[0], /^the swarm used 95\.0 % of a core per process.* --processes$/);
  assert.match(doubts({ loopLate: 30 })[0], /late by 30\.0 ms at p99/);
  const slow = counted(({ classes }) => void Array.from({ length: 20 }, () => classes.healthy.ages.observe(9e5)));
  assert.match(report({ ...slow, loopLate: 60 }).doubts[0], /late by 60\.0 ms/);
  assert.match(doubts({}, { clock: { offset: 5, error: 50_000 } })[0], /clock is only known to 50\.0 ms/);
  const early = counted(({ classes }) => {
    classes.slow.early = 3;
  });
  assert.match(report(early).doubts[0], /^3 ticks arrived before their event time/);
  assert.match(reportText(report(early)), /\nDOUBT: 3 ticks/);
});

test("the counts of several processes are added up", () => {
  const one = counted((tally) => {
    tally.faults.add("a fault", 2, ["one", "two"]);
    tally.notes.add("bye 1012");
  });
  const other = counted((tally) => {
    tally.faults.add("a fault", 1, ["three"]);
    tally.faults.add("another", 1, []);
  });
  const all = sumResults([one, { ...other, seconds: 11, loopLate: 9 }]);
  assert.deepEqual(
    [all.seconds, all.cpuSeconds, all.loopLate, all.open, all.classes.healthy.ticks, all.classes.healthy.connections],
    [11, 4, 9, 20, 2_000, 14],
  );
  assert.deepEqual(all.faults, [
    { name: "a fault", count: 3, examples: ["one", "two", "three"] },
    { name: "another", count: 1, examples: [] },
  ]);
  assert.deepEqual(all.notes, [["bye 1012", 1]]);
  assert.equal(reportOf(runOf(all), OPTIONS).readers[0].age.count, 2_000);
});

test("the numbers of names and examples are bounded", () => {
  const tally = new Tally();
  for (let index = 0; index < 1_000; index++) tally.faults.add(`fault ${index}`, 1, ["a", "b", "c", "d"]);
  const faults = tally.faults.list();
  assert.ok(faults.length <= 65);
  assert.equal(
    faults.reduce((total, { count }) => total + count, 0),
    1_000,
  );
  assert.ok(faults.every(({ examples }) => examples.length <= 3));
});

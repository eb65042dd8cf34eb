import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunResult } from "../run.ts";
import { offered, scenariosOf } from "../scenarios.ts";
import { picture, results, withResults } from "./document.ts";
import { age, percent, short } from "./numbers.ts";
import { type Comparison, readComparison, spreadOf } from "./results.ts";
import { tables } from "./table.ts";

const LOAD = { name: "heavy", title: "Much", connections: 1_000, perConnection: 50, symbols: 1_000, rate: 20_000 };

function turnResult(changed: Partial<RunResult>): RunResult {
  return {
    ...{ fresh: 100_000, late: 0, offered: 1_000_000, serverCores: 0.5, cpuPerMillion: 5, redisCores: 0.1 },
    ...{
      otherCores: 0.2,
      swarmCores: 0.3,
      otherProgramCores: 0,
      grantedShare: 1,
      p50: 1,
      p99: 10,
      p999: 20,
      memoryPerConnection: 20_000,
    },
    ...{ memory: 120_000_000, memoryGrowth: 0, bytesPerUpdate: 90, refused: 0, closed: 0, faults: [], loopLate: 1 },
    ...changed,
  };
}

function comparison(): Comparison {
  const peer = (name: string, title: string, isVariant = false) => ({
    ...{ name, title, isVariant, use: "as it is", version: "1.2.3" },
  });
  const turn = (name: string, round: number, changed: Partial<RunResult>) => ({
    ...{ peer: name, scenario: "heavy", round, result: turnResult(changed) },
  });
  return {
    ...{ date: "2026-01-02", machine: "two cores", rounds: 3, seconds: 3, warmSeconds: 1, freshBound: 1_000 },
    ...{ slowBytes: 10_000, scenarios: scenariosOf(LOAD, 0) },
    peers: [
      peer("tickgate-0", "Tickgate"),
      peer("x", "X & <Y>"),
      peer("v", "Variant", true),
      { ...peer("n", "N"), missing: "get it" },
    ],
    runs: [
      turn("tickgate-0", 1, { cpuPerMillion: 1 }),
      turn("tickgate-0", 2, { cpuPerMillion: 3 }),
      turn("tickgate-0", 3, { cpuPerMillion: 2 }),
      turn("x", 1, { fresh: 0, late: 50_000, cpuPerMillion: Number.POSITIVE_INFINITY, p99: 4_500, closed: 7 }),
      { peer: "x", scenario: "heavy", round: 2, failure: "it has ended\nat once" },
      turn("v", 1, { otherProgramCores: 0.5, grantedShare: 0.8, faults: ["malformed: 3 (x)"], swarmCores: 0.9 }),
    ],
  };
}

test("the median and the spread, of one, two and three values and of none", () => {
  assert.deepEqual(spreadOf([3]), { median: 3, least: 3, most: 3 });
  assert.deepEqual(spreadOf([3, 1]), { median: 2, least: 1, most: 3 });
  assert.deepEqual(spreadOf([30, 1, 2]), { median: 2, least: 1, most: 30 });
  assert.ok(Number.isNaN(spreadOf([]).median));
});

test("updates to deliver, and the scenarios with slow clients", () => {
  assert.equal(offered(LOAD), 1_000_000);
  assert.deepEqual(
    scenariosOf(LOAD, 0.05).map(({ name, slow }) => [name, slow]),
    [
      ["heavy", 0],
      ["heavy-slow", 50],
    ],
  );
  assert.equal(scenariosOf(LOAD, 0).length, 1);
});

test("numbers are short", () => {
  assert.deepEqual([0.123456, 1.26, 12.345, 123.4, 1_234_567].map(short), ["0.12", "1.3", "12.3", "123", "1,230,000"]);
  assert.deepEqual([short(Number.NaN), percent(Number.NaN), percent(0.1234)], ["–", "–", "12.3 %"]);
  assert.deepEqual([age(12), age(4_512)], ["12", "4.5 s"]);
});

test("each table has a row for each peer with results and a column for each load; remarks name both", () => {
  const text = tables(comparison());
  const row = (question: string, peer: string) => {
    const [, table] = text.split(`### ${question}\n`);
    return table.split("\n").find((line) => line.startsWith(`| ${peer} |`));
  };
  assert.match(text, /^### Updates delivered fresh\n\n.*\n\n\| {2}\| heavy \|\n\|---\|---\|\n/);
  assert.equal(row("Updates delivered fresh", "Tickgate"), "| Tickgate | 10 |");
  assert.equal(row("Updates delivered fresh", "X & <Y>"), "| X & <Y> | 0 (50,000) |");
  assert.equal(row("CPU per million fresh updates", "Tickgate"), "| Tickgate | 2 (1–3) |");
  assert.equal(row("CPU per million fresh updates", "X & <Y>"), "| X & <Y> | – (10) |");
  assert.equal(row("Age on arrival", "X & <Y>"), "| X & <Y> | 1/4.5 s/20 |");
  assert.equal(row("Memory", "Tickgate"), "| Tickgate | 20; 120 |");
  assert.match(text, /^- X & <Y> \(heavy\): the run failed: it has ended$/m);
  assert.match(text, /^- X & <Y> \(heavy\): 7 connections were refused or closed$/m);
  assert.match(text, /Variant \(heavy\): clients, publisher and Redis used all of their core/);
  assert.match(text, /Variant \(heavy\): other programs used 50 % of a core/);
  assert.match(text, /Variant \(heavy\): the host granted 80 % of the CPU time/);
  assert.match(text, /Variant \(heavy\): invalid messages: malformed/);
  assert.doesNotMatch(text, /Tickgate \(heavy\)|\| N \|/);
});

test("a load with slow clients has its own column", () => {
  const scenarios = scenariosOf(LOAD, 0.05);
  const runs = comparison().runs.map((run) => ({ ...run, scenario: "heavy-slow" }));
  const text = tables({ ...comparison(), scenarios, runs: [...runs, comparison().runs[4]] });
  assert.match(text, /^\| {2}\| heavy \| heavy, 5 % slow \|$/m);
  assert.match(text, /^\| Tickgate \| {2}\| 10 \|$/m);
});

test("new results replace only the text between the markers", () => {
  const page = "before\n<!-- results: npm run bench:peers -- --document -->\nreplaced\n<!-- /results -->\nafter\n";
  const once = withResults(page, comparison());
  assert.match(once, /^before\n<!-- results/);
  assert.match(once, /<!-- \/results -->\nafter\n$/);
  assert.doesNotMatch(once, /replaced/);
  assert.ok(once.includes(results(comparison())));
  assert.equal(withResults(once, comparison()), once);
  assert.throws(() => withResults("no markers", comparison()), /no markers/);
});

test("results that were written as JSON make the same page and picture", () => {
  const read = readComparison(JSON.stringify(comparison()));
  assert.equal(results(read), results(comparison()));
  assert.equal(picture(read), picture(comparison()));
});

test("the results name versions, and the peers that were not measured with the reason", () => {
  const text = results(comparison());
  assert.match(text, /^2026-01-02; two cores\. 3 rounds of 3 s/);
  assert.match(text, /\*\*Tickgate\*\* 1\.2\.3: as it is/);
  assert.match(text, /N was not measured: get it/);
});

test("the picture has a bar for each value that there is, names that are escaped, and no variants", () => {
  const svg = picture(comparison());
  assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="-12 0 1024 \d+" role="img">/);
  assert.match(svg, /prefers-color-scheme: dark/);
  assert.ok(svg.includes("X &amp; &lt;Y&gt;"));
  assert.doesNotMatch(svg, /Variant|NaN|Infinity/);
  assert.equal(svg.match(/<rect class="own"/g)?.length, 3);
  assert.equal(svg.match(/<rect class="bar"/g)?.length, 2);
  assert.match(svg, /none fresh/);
  const widths = [...svg.matchAll(/width="([\d.]+)" height="16"/g)].map(([, width]) => Number(width));
  assert.ok(widths.every((width) => width >= 0 && width < 300));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunResult } from "../run.ts";
import { offered, scenariosOf } from "../scenarios.ts";
import { picture, results, withResults } from "./document.ts";
import { age, bytes, percent, short } from "./numbers.ts";
import { type Comparison, readComparison, rowsOf, spreadOf } from "./results.ts";
import { table } from "./table.ts";

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

test("what there is to deliver, and the scenarios with slow readers", () => {
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
  assert.deepEqual([age(12), age(4_512), bytes(20_000), bytes(1_230_000)], ["12", "4.5 s", "20 KB", "1.2 MB"]);
});

test("a table has a row for each peer that had a turn, and tells what is to be known of single ones", () => {
  const text = table(rowsOf(comparison(), "heavy"));
  const [head, , ...lines] = text.split("\n");
  assert.match(head, /fresh updates\/s \|.*CPU s a million fresh/);
  assert.match(
    lines[0],
    /^\| Tickgate \| 100,000 \| 0 \| 10 % \| 50 % \| 2 \(1–3\) \| 5 \| 1 \/ 10 \/ 20 \| 20 KB \| 120 MB \| 10 %; 20 % \| 0 \|$/,
  );
  assert.match(lines[1], /^\| X & <Y> \| 0 \| 50,000 \| 0 % \| 50 % \| – \| 10 \| 1 \/ 4.5 s \/ 20 .*\| 7 \|$/);
  assert.match(text, /X & <Y>: no turn; it has ended$/m);
  assert.match(text, /Variant: readers, publisher and Redis had used up their core/);
  assert.match(text, /Variant: other programs took 50 % of a core/);
  assert.match(text, /Variant: the machine's host gave 80 % of the time that was asked for/);
  assert.match(text, /Variant: messages that were wrong: malformed/);
  assert.doesNotMatch(text, /Tickgate: /);
});

test("the page keeps what a person wrote, and takes new results again and again", () => {
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

test("the results name versions, and who did not take part and why", () => {
  const text = results(comparison());
  assert.match(text, /^2026-01-02; two cores\. 3 rounds of 3 s/);
  assert.match(text, /\*\*Tickgate\*\* 1\.2\.3: as it is/);
  assert.match(text, /N did not take part: get it/);
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

import assert from "node:assert/strict";
import { test } from "node:test";
import { type RunInfo, reportOf, reportPage, reportText } from "./report.ts";
import { defaultsOf } from "./scenarios.ts";

const ASKED: RunInfo = {
  scenario: "spike",
  url: "ws://127.0.0.1/<stream>",
  settings: defaultsOf("spike"),
  time: "2026-01-01T00:00:00.000Z",
};
const trend = (scale: number) => ({
  values: Object.fromEntries(
    ["min", "med", "p(90)", "p(95)", "p(99)", "p(99.9)", "max"].map((stat, index) => [stat, scale * (index + 1)]),
  ),
});
const withCount = (scale: number, ok: boolean) => {
  const { values } = trend(scale);
  return { values: { ...values, count: 10 }, thresholds: { "p(99)<200": { ok } } };
};

function summary(isKept: boolean, delay: number): unknown {
  const counts = { ticks: 300, read_ticks: 60, following_ticks: 25, conflated_ticks: 75, connected: 9, frames: 30 };
  return {
    metrics: {
      ...Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, { values: { count } }])),
      tick_age: withCount(10.25, isKept),
      "tick_age{role:stays,phase:storm}": withCount(20, true),
      connect_time: withCount(1, true),
      own_delay: withCount(delay / 6, true),
      gateway_memory: withCount(1_000_000, true),
      "broken_promises{promise:seq}": { values: { count: isKept ? 0 : 3 }, thresholds: { "count==0": { ok: isKept } } },
    },
  };
}

test("the summary of k6 becomes data: times, counts, thresholds, promises", () => {
  const report = reportOf(summary(true, 6), ASKED);
  assert.equal(report.isKept, true);
  assert.deepEqual(report.doubts, []);
  assert.deepEqual(report.times.map(({ name, p50, p999 }) => [name, p50, p999]).slice(0, 2), [
    ["age of ticks", 20.5, 61.5],
    ["age, staying clients, during the storm", 40, 120],
  ]);
  assert.deepEqual(report.counts, {
    connected: 9,
    refused: 0,
    unfinished: 0,
    frames: 30,
    ticks: 300,
    read: 60,
    conflated: 0.75,
    ...{ trades: 0, missed: 0, books: 0, bars: 0 },
  });
  assert.equal(report.gateway[0].max, 7);
  assert.ok(report.promises.every(({ broken }) => broken === 0) && report.promises.length >= 10);
});

test("a run without violations, in text and on the page", () => {
  const report = reportOf(summary(true, 6), ASKED);
  const text = reportText(report);
  assert.match(text, /promises +all kept, on 60 ticks that were read\n/);
  assert.match(text, /thresholds +all 6 kept\n/);
  assert.match(text, /age of ticks: p50 20\.5, p95 41, p99 51\.3, p99\.9 61\.5, max 71\.8 ms/);
  assert.match(reportPage(report), /<p class="kept">every threshold kept<\/p>/);
});

test("broken promises, crossed thresholds and doubts, in text and on the page", () => {
  const report = reportOf(summary(false, 600), ASKED);
  assert.equal(report.isKept, false);
  const text = reportText(report);
  assert.match(text, /BROKEN 3 times: seq never/);
  assert.match(text, /CROSSED: tick_age p\(99\)<200/);
  assert.match(text, /doubt +k6 was up to 500 ms behind/);
  const page = reportPage(report);
  assert.match(page, /<p class="broken">thresholds crossed<\/p>/);
  assert.match(page, /<span class="broken">3 times<\/span>/);
  assert.match(page, /k6 was up to 500 ms behind/);
});

test("the page has no external resources, and texts are escaped", () => {
  const page = reportPage(reportOf(summary(true, 6), ASKED));
  assert.doesNotMatch(page, /<script|<link|src=|@import|url\(/);
  assert.match(page, /ws:\/\/127\.0\.0\.1\/&lt;stream&gt;/);
});

test("an empty summary has no counts", () => {
  const report = reportOf({ metrics: {} }, ASKED);
  assert.deepEqual([report.times, report.counts.ticks, report.counts.conflated], [[], 0, 0]);
  assert.match(reportText(report), /0 of the ticks read/);
});

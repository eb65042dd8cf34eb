/**
 * The report of a load test from k6's summary: as data, as text and as a page. It runs in k6, so it uses none of Node's
 * modules.
 */
import { PROMISES, type Promised } from "./promises.ts";
import { ageLimit, PARAMETERS, type ParameterName, type Settings } from "./scenarios.ts";

/** The used part of k6's summary (https://grafana.com/docs/k6/latest/results-output/end-of-test/custom-summary/). */
interface Summary {
  readonly metrics: Readonly<Record<string, Metric | undefined>>;
}
interface Metric {
  readonly values: Readonly<Record<string, number | undefined>>;
  readonly thresholds?: Readonly<Record<string, { readonly ok: boolean }>>;
}

/** The parameters of the run. */
export interface RunInfo {
  readonly scenario: string;
  readonly url: string;
  readonly settings: Settings;
  /** The end of the run, ISO 8601. */
  readonly time: string;
}

/** The distribution of a metric. */
export interface Spread {
  readonly name: string;
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface Report extends RunInfo {
  readonly isKept: boolean;
  readonly thresholds: readonly { readonly metric: string; readonly limit: string; readonly isKept: boolean }[];
  /** ms */
  readonly times: readonly Spread[];
  /** Memory in MB and CPU in cores, if the metrics page is given. */
  readonly gateway: readonly Spread[];
  readonly counts: {
    readonly connected: number;
    readonly refused: number;
    /** Connections that ended without all snapshots, where the gateway may not be the cause. */
    readonly unfinished: number;
    readonly frames: number;
    readonly ticks: number;
    /** Ticks that were read and checked. */
    readonly read: number;
    /** The share of ticks left out between two that were read, 0 to 1. */
    readonly conflated: number;
    /** Trades, books and bars that were read, and all trades that the gateway said it would not send. */
    readonly trades: number;
    readonly missed: number;
    readonly books: number;
    readonly bars: number;
  };
  /** Reasons why the numbers may be wrong. */
  readonly doubts: readonly string[];
  readonly promises: readonly { readonly promise: Promised; readonly meaning: string; readonly broken: number }[];
}

const TIMES: readonly [metric: string, name: string][] = [
  ["tick_age", "age of ticks"],
  ["tick_age{role:stays,phase:calm}", "age, staying clients, before and after the storm"],
  ["tick_age{role:stays,phase:storm}", "age, staying clients, during the storm"],
  ["tick_age{role:storm}", "age, reconnecting clients"],
  ["connect_time", "time to connect"],
  ["snapshot_time", "time to the last snapshot"],
  ["own_delay", "k6's own delay, the longest of each second"],
];
/** Above this own delay of k6, ms at p99, the numbers are doubtful. */
const LATE = 50;
const GATEWAY: readonly [metric: string, name: string, unit: number][] = [
  ["gateway_memory", "memory, MB", 1_000_000],
  ["gateway_cores", "CPU, cores", 1],
];

/** @param data the argument of handleSummary */
export function reportOf(data: unknown, asked: RunInfo): Report {
  const { metrics } = data as Summary;
  const count = (name: string) => metrics[name]?.values.count ?? 0;
  const thresholds = Object.entries(metrics).flatMap(([metric, value]) =>
    Object.entries(value?.thresholds ?? {}).map(([limit, { ok }]) => ({ metric, limit, isKept: ok })),
  );
  // Crossed thresholds come first.
  thresholds.sort((a, b) => Number(a.isKept) - Number(b.isKept) || (a.metric < b.metric ? -1 : 1));
  const spreads = (which: readonly [metric: string, name: string, unit?: number][]) =>
    which.flatMap(([metric, name, unit = 1]) => spreadOf(name, metrics[metric], unit) ?? []);
  const delay = metrics.own_delay?.values["p(99)"] ?? 0;
  const [following, conflated] = [count("following_ticks"), count("conflated_ticks")];
  return {
    ...asked,
    isKept: thresholds.every(({ isKept }) => isKept),
    thresholds,
    times: spreads(TIMES),
    gateway: spreads(GATEWAY),
    counts: {
      ...{ connected: count("connected"), refused: count("refused"), frames: count("frames"), ticks: count("ticks") },
      ...{ trades: count("trades"), missed: count("missed_trades"), books: count("books"), bars: count("bars") },
      ...{
        unfinished: count("unfinished"),
        read: count("read_ticks"),
        conflated: conflated / Math.max(1, conflated + following),
      },
    },
    doubts:
      delay > LATE
        ? [`k6 was up to ${number(delay)} ms behind with received messages, at p99: it or the machine is overloaded`]
        : [],
    promises: (Object.entries(PROMISES) as [Promised, string][]).map(([promise, meaning]) => ({
      ...{ promise, meaning, broken: count(`broken_promises{promise:${promise}}`) },
    })),
  };
}

/** @param unit divisor of the values */
function spreadOf(name: string, metric: Metric | undefined, unit: number): Spread | undefined {
  const values = metric?.values;
  if (!values?.count) return undefined;
  const of = (stat: string) => (values[stat] ?? Number.NaN) / unit;
  return {
    ...{ name, count: values.count, min: of("min"), p50: of("med"), p90: of("p(90)"), p95: of("p(95)") },
    ...{ p99: of("p(99)"), p999: of("p(99.9)"), max: of("max") },
  };
}

/** The report for a terminal. */
export function reportText(report: Report): string {
  const { counts, promises } = report;
  const broken = promises.filter((promise) => promise.broken > 0);
  const crossed = report.thresholds.filter(({ isKept }) => !isKept);
  const rows: [string, string][] = [
    [report.scenario, `${settingTexts(report).join(", ")}; ${report.url}`],
    ...report.times.map((spread): [string, string] => ["", line(spread, " ms")]),
    ...report.gateway.map((spread): [string, string] => ["gateway", line(spread, "")]),
    ["counted", countsOf(report).join(", ")],
    ["promises", broken.length === 0 ? `all kept, on ${counts.read} ticks that were read` : ""],
    ...broken.map(({ meaning, broken: times }): [string, string] => ["", `BROKEN ${times} times: ${meaning}`]),
    ...report.doubts.map((doubt): [string, string] => ["doubt", doubt]),
    ["thresholds", crossed.length === 0 ? `all ${report.thresholds.length} kept` : ""],
    ...crossed.map(({ metric, limit }): [string, string] => ["", `CROSSED: ${metric} ${limit}`]),
  ];
  return rows
    .map(([name, text]) => `${name.padEnd(16)}${text}`.trimEnd())
    .join("\n")
    .concat("\n");
}

function line({ name, p50, p95, p99, p999, max }: Spread, unit: string): string {
  return `${name}: p50 ${number(p50)}, p95 ${number(p95)}, p99 ${number(p99)}, p99.9 ${number(p999)}, max ${number(max)}${unit}`;
}

/** A self-contained page: no script, no external resources. */
export function reportPage(report: Report): string {
  const { scenario, isKept, time } = report;
  const verdict = isKept ? "every threshold kept" : "thresholds crossed";
  const limit = `limit at p99: ${ageLimit(report.settings)} ms`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Load test: ${html(scenario)}, ${verdict}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Load test: ${html(scenario)}</h1>
<p class="${isKept ? "kept" : "broken"}">${verdict}</p>
${report.doubts.map((doubt) => `<p>${html(doubt)}</p>\n`).join("")}<p>${html(report.url)}<br>${html(time)}<br>${html(settingTexts(report).join(", "))}</p>
<h2>Times, ms</h2>
<p>Ages are from the source's event time to the arrival, of a sample; ${limit}.</p>
${spreadTable(report.times)}
${report.gateway.length > 0 ? `<h2>The gateway's process</h2>\n${spreadTable(report.gateway)}` : ""}
<h2>Counted</h2>
<ul>${countsOf(report)
    .map((text) => `<li>${html(text)}</li>`)
    .join("")}</ul>
<h2>Promises</h2>
${table(
  ["promise", "broken"],
  report.promises.map(({ meaning, broken }) => [html(meaning), mark(broken === 0, `${broken} times`)]),
)}
<h2>Thresholds</h2>
${table(
  ["measured", "limit", ""],
  report.thresholds.map(({ metric, limit, isKept }) => [html(metric), html(limit), mark(isKept, "crossed")]),
)}
<h2>Parameters</h2>
${table(
  ["parameter", "value", "meaning"],
  (Object.keys(PARAMETERS) as ParameterName[]).map((name) => [
    html(name),
    `${report.settings[name]} ${PARAMETERS[name].unit}`,
    html(PARAMETERS[name].help),
  ]),
)}
</body>
</html>
`;
}

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
td { font-variant-numeric: tabular-nums; }
.kept { color: light-dark(#1a7f37, #4ac26b); font-weight: 600; }
.broken { color: light-dark(#c62828, #ff7b72); font-weight: 600; }
`;

function spreadTable(spreads: readonly Spread[]): string {
  return table(
    ["", "p50", "p90", "p95", "p99", "p99.9", "max", "counted"],
    spreads.map(({ name, p50, p90, p95, p99, p999, max, count }) => [
      html(name),
      ...[p50, p90, p95, p99, p999, max, count].map(number),
    ]),
  );
}

/** @param rows HTML */
function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, texts: readonly string[]) => texts.map((text) => `<${tag}>${text}</${tag}>`).join("");
  const body = rows.map((row) => `<tr>${cells("td", row)}</tr>`).join("\n");
  return `<table>\n<thead><tr>${cells("th", heads)}</tr></thead>\n<tbody>\n${body}\n</tbody>\n</table>`;
}

function mark(isKept: boolean, otherwise: string): string {
  return isKept ? `<span class="kept">kept</span>` : `<span class="broken">${otherwise}</span>`;
}

function settingTexts({ settings }: Report): string[] {
  return [
    `${settings.connections} connections × ${settings.symbols} symbols`,
    `interval ${settings.interval} ms`,
    `${settings.duration} s`,
    `${settings.sample} % of the frames read`,
  ];
}

function countsOf({ counts, settings }: Report): string[] {
  return [
    `${counts.connected} connections made, ${counts.refused} refused${counts.unfinished > 0 ? `, ${counts.unfinished} ended without all snapshots` : ""}`,
    `${counts.frames} frames, ${counts.ticks} ticks (${number(counts.ticks / settings.duration)} per second)`,
    `${counts.read} of the ticks read and checked`,
    `${(counts.conflated * 100).toFixed(1)} % conflated`,
    ...(settings.trades + settings.books + settings.bars > 0
      ? [
          `${counts.trades} trades, ${counts.books} books and ${counts.bars} bars checked, ${counts.missed} trades missed`,
        ]
      : []),
  ];
}

function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Number.isInteger(value) || value >= 1_000) return String(Math.round(value));
  return value.toFixed(value < 10 ? 2 : 1);
}

function html(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}

/** The result tables in Markdown: one table per question, a row for each peer and a column for each load. */
import { loadLabel } from "../scenarios.ts";
import { age, percent, short } from "./numbers.ts";
import { type Comparison, type Row, rowsOf } from "./results.ts";

/** From this share of its cores on, the clients' side limits the result. */
const SATURATED = 0.95;
/** From so many cores on, the CPU use of other programs is reported. */
const OTHER_PROGRAMS = 0.15;
/** Below this share of the requested CPU time, the result says that the host was busy. */
const GRANTED = 0.9;

/** What one table answers. */
interface Question {
  readonly title: string;
  /** What a cell holds. */
  readonly cells: string;
  cell(row: Row): string;
}

const AGES = ["p50", "p99", "p999"] as const;

const QUESTIONS: readonly Question[] = [
  {
    title: "Updates delivered fresh",
    cells: "Percent of the updates to deliver. In parentheses: updates/s that arrived, but too old.",
    cell(row) {
      const late = row.median("late");
      return short((row.median("fresh") / row.median("offered")) * 100) + (late > 0 ? ` (${short(late)})` : "");
    },
  },
  {
    title: "CPU per million fresh updates",
    cells: "Seconds of the server. In parentheses: the spread, or per million updates of any age where none was fresh.",
    cell: (row) =>
      Number.isFinite(row.median("cpuPerMillion"))
        ? withSpread(row, "cpuPerMillion", short)
        : `– (${short(cpuPerMillionOfAnyAge(row))})`,
  },
  {
    title: "Age on arrival",
    cells: "p50/p99/p99.9 in ms, or in s where marked.",
    cell: (row) => AGES.map((metric) => age(row.median(metric))).join("/"),
  },
  {
    title: "Memory",
    cells: "KB per connection; MB of the whole server at the end.",
    cell: (row) => `${short(row.median("memoryPerConnection") / 1_000)}; ${short(row.median("memory") / 1_000_000)}`,
  },
];

/** The table of each question, and below them the remarks on single results. */
export function tables(comparison: Comparison): string {
  const columns = comparison.scenarios.map((scenario) => ({
    label: loadLabel(scenario),
    rows: rowsOf(comparison, scenario.name),
  }));
  const hasResults = (name: string) =>
    columns.some(({ rows }) => rows.some(({ peer, results }) => peer.name === name && results.length > 0));
  const peers = comparison.peers.filter(({ name }) => hasResults(name));
  const parts = QUESTIONS.map(({ title, cells, cell }) => {
    const lines = peers.map(({ name, title: peerTitle }) => [
      peerTitle,
      ...columns.map(({ rows }) => {
        const row = rows.find(({ peer }) => peer.name === name);
        return row && row.results.length > 0 ? cell(row) : "";
      }),
    ]);
    return `### ${title}\n\n${cells}\n\n${markdownTable(["", ...columns.map(({ label }) => label)], lines)}`;
  });
  const concerned = new Map<string, string[]>();
  for (const { label, rows } of columns)
    for (const row of rows)
      for (const remark of remarks(row))
        concerned.set(remark, [...(concerned.get(remark) ?? []), `${row.peer.title} (${label})`]);
  const notes = [...concerned].map(([remark, names]) => `- ${names.join(", ")}: ${remark}`);
  return [...parts, ...(notes.length > 0 ? [`### Remarks\n\n${notes.join("\n")}`] : [])].join("\n\n");
}

export function markdownTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), `|${"---|".repeat(heads.length)}`, ...rows.map(line)].join("\n");
}

/** CPU seconds per million updates, fresh or not: the cost of sending where hardly anything is fresh. */
function cpuPerMillionOfAnyAge(row: Row): number {
  return (row.median("serverCores") * 1_000_000) / (row.median("fresh") + row.median("late"));
}

function withSpread(row: Row, metric: "cpuPerMillion", format: (value: number) => string): string {
  const { median, least, most } = row.spread(metric);
  // A run with nothing fresh has no cost per fresh update, so there is no spread.
  const hasSpread = row.results.length > 1 && Number.isFinite(most) && format(least) !== format(most);
  return hasSpread ? `${format(median)} (${format(least)}–${format(most)})` : format(median);
}

function remarks(row: Row): string[] {
  const clientSide = row.median("swarmCores") + row.median("redisCores") + row.median("otherCores");
  const lost = row.median("closed") + row.median("refused");
  const faults = new Set(row.results.flatMap(({ faults }) => faults.map((fault) => fault.split(":")[0])));
  const checks: [boolean, string][] = [
    ...row.failures.map((failure): [boolean, string] => [true, `the run failed: ${failure.split("\n")[0]}`]),
    [clientSide > SATURATED, "clients, publisher and Redis used all of their core: higher ages"],
    [
      row.median("otherProgramCores") > OTHER_PROGRAMS,
      `other programs used ${percent(row.median("otherProgramCores"))} of a core`,
    ],
    [row.median("grantedShare") < GRANTED, `the host granted ${percent(row.median("grantedShare"))} of the CPU time`],
    [lost > 0, `${short(lost)} connections were refused or closed`],
    [faults.size > 0, `invalid messages: ${[...faults].join(", ")}`],
  ];
  return checks.filter(([applies]) => applies).map(([, text]) => text);
}

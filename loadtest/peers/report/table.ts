/** Tables in Markdown, of one scenario each. */
import { age, bytes, percent, short } from "./numbers.ts";
import type { Row } from "./results.ts";

/** From this share of its cores on, the side of the readers is what is measured. */
const SATURATED = 0.95;
/** From so many cores on that others used, a turn tells of them as well. */
const COMPANY = 0.15;
/** Where the host gave less than this share of the time that was asked for, a turn tells of that. */
const GIVEN = 0.9;

interface Column {
  readonly head: string;
  cell(row: Row): string;
}

const COLUMNS: readonly Column[] = [
  { head: "", cell: ({ peer }) => peer.title },
  { head: "fresh updates/s", cell: (row) => withSpread(row, "fresh", short) },
  { head: "too old/s", cell: (row) => short(row.median("late")) },
  { head: "of what there was", cell: (row) => percent(row.median("fresh") / row.median("offered")) },
  { head: "server, of a core", cell: (row) => percent(row.median("serverCores")) },
  { head: "**CPU s a million fresh**", cell: (row) => withSpread(row, "cpuPerMillion", short) },
  { head: "of any age", cell: (row) => short(anyAge(row)) },
  { head: "age p50 / p99 / p99.9, ms", cell: (row) => AGES.map((metric) => age(row.median(metric))).join(" / ") },
  { head: "memory a connection", cell: (row) => bytes(row.median("memoryPerConnection")) },
  { head: "server at the end", cell: (row) => bytes(row.median("memory")) },
  {
    head: "Redis; publishing",
    cell: (row) => `${percent(row.median("redisCores"))}; ${percent(row.median("otherCores"))}`,
  },
  { head: "cut off", cell: (row) => short(row.median("closed") + row.median("refused")) },
];
const AGES = ["p50", "p99", "p999"] as const;

/** The table of a scenario's rows, and below it what there is to say of single rows. */
export function table(rows: readonly Row[]): string {
  const shown = rows.filter(({ results }) => results.length > 0);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const lines = [
    line(COLUMNS.map(({ head }) => head)),
    line(COLUMNS.map(() => "---")),
    ...shown.map((row) => line(COLUMNS.map(({ cell }) => cell(row)))),
  ];
  const notes = rows.flatMap(remarks);
  return [...lines, ...(notes.length > 0 ? ["", ...notes.map((note) => `- ${note}`)] : [])].join("\n");
}

/** CPU seconds for a million updates, too old ones among them: what sending costs where hardly anything is fresh. */
function anyAge(row: Row): number {
  return (row.median("serverCores") * 1_000_000) / (row.median("fresh") + row.median("late"));
}

function withSpread(row: Row, metric: "fresh" | "cpuPerMillion", format: (value: number) => string): string {
  const { median, least, most } = row.spread(metric);
  // Of some turns with nothing fresh there is no spread to tell.
  const isOne = row.results.length < 2 || !Number.isFinite(most) || format(least) === format(most);
  return isOne ? format(median) : `${format(median)} (${format(least)}–${format(most)})`;
}

function remarks(row: Row): string[] {
  const { title } = row.peer;
  const load = row.median("swarmCores") + row.median("redisCores") + row.median("otherCores");
  const faults = new Set(row.results.flatMap(({ faults }) => faults.map((fault) => fault.split(":")[0])));
  return [
    ...row.failures.map((failure) => `${title}: no turn; ${failure.split("\n")[0]}`),
    ...(load > SATURATED
      ? [`${title}: readers, publisher and Redis had used up their core; the ages are partly theirs`]
      : []),
    ...(row.median("otherProgramCores") > COMPANY
      ? [`${title}: other programs took ${percent(row.median("otherProgramCores"))} of a core meanwhile`]
      : []),
    ...(row.median("grantedShare") < GIVEN
      ? [`${title}: the machine's host gave ${percent(row.median("grantedShare"))} of the time that was asked for`]
      : []),
    ...(faults.size > 0 ? [`${title}: messages that were wrong: ${[...faults].join(", ")}`] : []),
  ];
}

/** A trace as text: one line a tick with its stages, and a summary. */
import { TRACE_STAGES, type Traced, type TracedTick, type TraceStage } from "./join.ts";

const SEQ_WIDTH = 10;
const CELL_WIDTH = 10;
const BAR_WIDTH = 32;
/** The most ticks in the summary. */
const MOST_TICKS = 100_000;

/** The letter of each stage in a bar: the first letter, unless another stage has it. */
const LETTERS: Readonly<Record<TraceStage, string>> = {
  inbound: "=",
  source: "s",
  feed: "f",
  bus: "b",
  interval: "i",
  server: "S",
  client: "c",
  network: "n",
};

/** Microseconds, in at most nine characters. */
export function micros(value: number): string {
  if (Math.abs(value) < 10_000) return `${Math.round(value)} µs`;
  if (Math.abs(value) < 1_000_000) return `${(value / 1_000).toFixed(1)} ms`;
  return `${(value / 1_000_000).toFixed(2)} s`;
}

export class TraceView {
  readonly #ticks: TracedTick[] = [];
  #conflated = 0;
  #untold = 0;
  #stages: readonly TraceStage[] = [];

  /** The number of ticks shown. */
  get count(): number {
    return this.#ticks.length;
  }

  /** The lines for one tick, or for conflated ticks; before the first tick, the titles. */
  lines(traced: Traced): string[] {
    if (traced.kind === "untold") {
      this.#untold += traced.count;
      return [
        `${"".padStart(SEQ_WIDTH)}  ${traced.count} more, of which the node said nothing: it was not read fast enough`,
      ];
    }
    if (traced.kind === "conflated") {
      this.#conflated += traced.to - traced.from + 1;
      const which = traced.from === traced.to ? `${traced.from}` : `${traced.from} to ${traced.to}`;
      return [
        `${"".padStart(SEQ_WIDTH)}  ${which} conflated: ${traced.by} replaced ${traced.from === traced.to ? "it" : "them"} ${WHY[traced.why]}`,
      ];
    }
    const titles = this.#ticks.length === 0 ? [this.#titles(traced)] : [];
    if (this.#ticks.length < MOST_TICKS) this.#ticks.push(traced);
    return [...titles, this.#line(String(traced.seq), (stage) => traced.stages[stage] ?? 0, traced.total, bar(traced))];
  }

  /** The summary: median and maximum of each stage, and its share of the whole. */
  summary(): string[] {
    const ticks = this.#ticks;
    if (ticks.length === 0) return ["no tick was traced"];
    const of = (stage: TraceStage) => ticks.map(({ stages }) => stages[stage] ?? 0).sort((a, b) => a - b);
    const totals = ticks.map(({ total }) => total).sort((a, b) => a - b);
    const whole = sum(totals);
    const parts = this.#stages.map((stage) => percent(sum(of(stage)) / whole).padStart(CELL_WIDTH));
    const left = this.#conflated > 0 ? `, ${this.#conflated} conflated` : "";
    const untold = this.#untold > 0 ? `, ${this.#untold} of which the node said nothing` : "";
    return [
      "",
      `${ticks.length} ticks${left}${untold}`,
      this.#line("p50", (stage) => middle(of(stage)), middle(totals), ""),
      this.#line("max", (stage) => of(stage).at(-1) ?? 0, totals.at(-1) ?? 0, ""),
      `${"share".padStart(SEQ_WIDTH)}${parts.join("")}`,
    ];
  }

  #titles({ stages }: TracedTick): string {
    this.#stages = TRACE_STAGES.filter((stage) => stages[stage] !== undefined);
    const titles = this.#stages.map((stage) => (stage === "server" ? "Server" : stage).padStart(CELL_WIDTH));
    return `${"seq".padStart(SEQ_WIDTH)}${titles.join("")}${"total".padStart(CELL_WIDTH)}`;
  }

  #line(name: string, read: (stage: TraceStage) => number, total: number, bar: string): string {
    const cells = this.#stages.map((stage) => micros(read(stage)).padStart(CELL_WIDTH));
    return `${name.padStart(SEQ_WIDTH)}${cells.join("")}${micros(total).padStart(CELL_WIDTH)}  ${bar}`.trimEnd();
  }
}

const WHY: Readonly<Record<"feed" | "interval" | "server" | "client", string>> = {
  feed: "before it came to the node: the feed or the bus was busy",
  interval: "within the interval that was asked for",
  server: "while the node was late",
  client: "while the client's window was full",
};

/** A bar of letters: each represents a part of the time. */
function bar({ stages, total }: TracedTick): string {
  if (total <= 0) return "";
  let text = "";
  let passed = 0;
  for (const stage of TRACE_STAGES) {
    passed += stages[stage] ?? 0;
    const end = Math.min(BAR_WIDTH, Math.round((passed / total) * BAR_WIDTH));
    text += LETTERS[stage].repeat(Math.max(0, end - text.length));
  }
  return text;
}

function middle(sorted: readonly number[]): number {
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function percent(part: number): string {
  return Number.isFinite(part) ? `${Math.round(part * 100)}%` : "-";
}

/** The report of a run: broken promises, reasons for doubt, and all results as text and JSON. */
import { type AgeCounts, Ages } from "../ages.ts";
import type { SwarmOptions } from "./options.ts";
import { READERS } from "./plan.ts";
import type { Run, Usage } from "./run.ts";
import type { NamedCounts } from "./tally.ts";

/** How far the p99 age may exceed the interval, ms. */
const MARGIN = 100;
/** The default of `--delay-sample-interval`, by which late values may be later, ms. */
const DELAY_SAMPLE = 1_000;
/** Above this share of a core per process, the swarm itself limits the result. */
const SATURATED = 0.9;
/** Timers later than this share of the healthy p99 age make it doubtful; the limit is between these bounds, ms. */
const LATE_SHARE = 0.2;
const MIN_LATE = 5;
const MAX_LATE = 50;

/** Ages or durations, ms. */
export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** The JSON report. */
export type SwarmReport = ReturnType<typeof reportOf>;

export function summaryOf(counts: AgeCounts): Summary {
  const ages = new Ages();
  ages.add(counts);
  const [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map((share) => ages.quantile(share) / 1_000);
  return { count: ages.count, p50, p90, p99, p999, max: ages.max / 1_000 };
}

export function reportOf(run: Run, options: SwarmOptions) {
  const { result, plan, convergence, clock, market, seconds } = run;
  const readers = READERS.filter((reader) => result.classes[reader].connections > 0).map((reader) => {
    const { ages, ...counts } = result.classes[reader];
    return { reader, ...counts, age: summaryOf(ages) };
  });
  const frames = readers.reduce((total, { frames }) => total + frames, 0);
  const ticks = readers.reduce((total, { ticks }) => total + ticks, 0);
  const fresh = readers.reduce((total, { fresh }) => total + fresh, 0);
  const all = (name: "trades" | "missed" | "books" | "bars") =>
    readers.reduce((total, reader) => total + reader[name], 0);
  const { seconds: counted } = result;
  const servers = serversOf(run.usage, seconds, plan.connections);
  const serverCpu = servers.reduce((total, { user, system }) => total + user + system, 0);
  return {
    ...{ plan, market, seconds: result.seconds, open: result.open, readers },
    perSecond: { frames: frames / result.seconds, ticks: ticks / result.seconds, fresh: fresh / result.seconds },
    streams: {
      ...{ trades: all("trades") / counted, missed: all("missed") / counted },
      ...{ books: all("books") / counted, bars: all("bars") / counted },
    },
    connect: summaryOf(result.connectTime),
    snapshot: summaryOf(result.snapshotTime),
    servers,
    costs:
      servers.length > 0
        ? { microsAFrame: (serverCpu * 1e6) / frames, cpuSecondsAMillionFresh: (serverCpu * 1e6) / fresh }
        : undefined,
    sockets: { before: run.usage.before.sockets, begin: run.usage.begin.sockets, end: run.usage.end.sockets },
    swarm: {
      cores: result.cpuSeconds / result.seconds,
      microsAFrame: frames > 0 ? (result.cpuSeconds * 1e6) / frames : 0,
      loopLate: result.loopLate,
      memory: result.memory,
    },
    clock,
    convergence,
    ...{ faults: result.faults, notes: result.notes, closed: result.closed, refused: result.refused },
    broken: brokenPromises(run, options),
    doubts: doubts(run),
  };
}

function serversOf({ before, begin, end }: Run["usage"], seconds: number, connections: number) {
  return end.processes.flatMap((process) => {
    const at = ({ processes }: Usage) => processes.find(({ pid }) => pid === process.pid);
    const [first, started] = [at(before), at(begin)];
    // For a process that started later, the CPU before the count is unknown.
    if (!first || !started) return [];
    const [user, system] = [process.user - started.user, process.system - started.system];
    return {
      ...{ pid: process.pid, name: process.name, user, system, cores: (user + system) / seconds },
      memory: { before: first.memory, begin: started.memory, end: process.memory },
      memoryAConnection: (process.memory - first.memory) / connections,
    };
  });
}

/** The broken promises as sentences; empty when all were kept. */
function brokenPromises({ result, plan, convergence }: Run, options: SwarmOptions): string[] {
  const { healthy, slow } = result.classes;
  const [age, slowAge] = [summaryOf(healthy.ages), summaryOf(slow.ages)];
  const late = options.delay > 0 ? options.delay + DELAY_SAMPLE : 0;
  const most = options["max-age"] || options.interval + MARGIN + late;
  const mostSlow = options["max-slow-age"] + late;
  const { behind, ahead, values, streams, books, bars } = convergence;
  const lost = result.closed.filter(([name]) => name.startsWith("healthy"));
  const count = (names: NamedCounts) => names.reduce((total, [, some]) => total + some, 0);
  const checks: [boolean, string][] = [
    [healthy.ticks > 0 || plan.slow + plan.stalled === plan.connections, "no tick arrived at a healthy client"],
    [options.trades === 0 || healthy.trades > 0 || healthy.connections === 0, "no trade arrived at a healthy client"],
    [options.books === 0 || healthy.books > 0 || healthy.connections === 0, "no book arrived at a healthy client"],
    [options.bars === 0 || healthy.bars > 0 || healthy.connections === 0, "no bar arrived at a healthy client"],
    [count(result.refused) === 0, `${count(result.refused)} connections were refused (${listText(result.refused)})`],
    [lost.length === 0, `${count(lost)} healthy connections were closed (${listText(lost)})`],
    [age.p99 <= most, `age p99 of ${age.p99.toFixed(1)} ms, more than ${most} ms`],
    [slowAge.p99 <= mostSlow, `age p99 of slow clients ${slowAge.p99.toFixed(1)} ms, more than ${mostSlow} ms`],
    ...result.faults.map(({ name, count: times, examples }): [boolean, string] => [
      false,
      `${name}: ${times} times (${examples.join("; ")})`,
    ]),
    [behind.count === 0, `${behind.count} symbols never received their last tick (${behind.examples.join("; ")})`],
    [
      ahead.count === 0,
      `${ahead.count} symbols have a seq that the market does not have (${ahead.examples.join("; ")})`,
    ],
    [values.count === 0, `${values.count} ticks have other values than the market (${values.examples.join("; ")})`],
    [streams.count === 0, `${streams.count} trades, books or bars are behind (${streams.examples.join("; ")})`],
    [books.count === 0, `${books.count} books have other levels than the market (${books.examples.join("; ")})`],
    [bars.count === 0, `${bars.count} bars are others than the market's (${bars.examples.join("; ")})`],
  ];
  return checks.filter(([kept]) => !kept).map(([, broken]) => broken);
}

/** Reasons why the numbers may be wrong, as sentences. */
function doubts({ result, plan, clock }: Run): string[] {
  const { healthy } = result.classes;
  const cores = result.cpuSeconds / result.seconds / plan.processes;
  const { p99 } = summaryOf(healthy.ages);
  const early = READERS.reduce((total, reader) => total + result.classes[reader].early, 0);
  const checks: [boolean, string][] = [
    [
      cores > SATURATED,
      `the swarm used ${percent(cores)} of a core per process, so it limits ages and rates; use more --processes`,
    ],
    [
      result.loopLate > Math.min(MAX_LATE, Math.max(MIN_LATE, p99 * LATE_SHARE)),
      `the swarm's timers were late by ${result.loopLate.toFixed(1)} ms at p99: ages may be too high by this much`,
    ],
    [
      clock !== undefined && clock.error > p99 * 1_000 * LATE_SHARE,
      `the server's clock is only known to ${((clock?.error ?? 0) / 1_000).toFixed(1)} ms: ages may be wrong by this much`,
    ],
    [early > 0, `${early} ticks arrived before their event time: the clocks of source and server differ`],
  ];
  return checks.filter(([doubtful]) => doubtful).map(([, doubt]) => doubt);
}

/** The text report, one line per subject. */
export function reportText(report: SwarmReport): string {
  const { plan, swarm, convergence } = report;
  const rows: [string, string][] = [
    [
      "plan",
      `${plan.connections} connections × ${plan.perConnection} of ${report.market} symbols, ${plan.rate} connections per second`,
    ],
    [
      "open",
      `${report.open} at the end; connect ${spreadText(report.connect)}; snapshot ${spreadText(report.snapshot)}`,
    ],
    [
      "arrived",
      `${report.perSecond.frames.toFixed(0)} frames/s, ${report.perSecond.ticks.toFixed(0)} ticks/s, ${report.perSecond.fresh.toFixed(0)} fresh/s`,
    ],
    ...(Object.values(report.streams).every((rate) => rate === 0)
      ? []
      : ([
          [
            "channels",
            `${report.streams.trades.toFixed(0)} trades/s, ${report.streams.missed.toFixed(0)} missed/s, ` +
              `${report.streams.books.toFixed(0)} books/s, ${report.streams.bars.toFixed(0)} bars/s`,
          ],
        ] as [string, string][])),
    ...report.readers.map(({ reader, connections, ticks, conflated, late, repeated, age }): [string, string] => [
      reader,
      `${connections}: ${ticks} ticks, ${percent(conflated / Math.max(1, conflated + ticks))} conflated` +
        `${late > 0 ? `, ${late} late` : ""}${repeated > 0 ? `, ${repeated} repeated` : ""}; age ${spreadText(age)}`,
    ]),
    ...report.servers.map(({ pid, name, user, system, cores, memory, memoryAConnection }): [string, string] => [
      `server ${pid}`,
      `${name}: ${percent(cores)} of a core (${user.toFixed(2)} s user, ${system.toFixed(2)} s system); ` +
        `${megabytes(memory.before)} before, ${megabytes(memory.begin)} to ${megabytes(memory.end)}, ` +
        `${(memoryAConnection / 1_024).toFixed(1)} KiB per connection`,
    ]),
    ...(report.costs === undefined
      ? []
      : ([
          [
            "costs",
            `${report.costs.microsAFrame.toFixed(2)} µs per frame; ${report.costs.cpuSecondsAMillionFresh.toFixed(3)} s per million fresh ticks`,
          ],
        ] as [string, string][])),
    ...(report.sockets.end === undefined
      ? []
      : ([
          [
            "sockets",
            `${megabytes(report.sockets.before?.memory ?? 0)} of kernel memory before, ${megabytes(report.sockets.end.memory)} at the end (whole machine)`,
          ],
        ] as [string, string][])),
    [
      "swarm",
      `${percent(swarm.cores)} of a core, ${swarm.microsAFrame.toFixed(2)} µs per frame; timers late by ${swarm.loopLate.toFixed(1)} ms at p99; ${megabytes(swarm.memory)}`,
    ],
    ...(report.clock === undefined
      ? []
      : ([
          [
            "clock",
            `the server's is ${(report.clock.offset / 1_000).toFixed(2)} ms ahead, with an error of ${(report.clock.error / 1_000).toFixed(2)} ms; ages are corrected`,
          ],
        ] as [string, string][])),
    [
      "settled",
      `${convergence.took.toFixed(0)} ms until all clients had the last ticks; values of ${convergence.values.compared} ticks, ${convergence.books.compared} books ` +
        `and the bars of ${convergence.bars.compared} subscriptions compared`,
    ],
    ...namedRow("notes", report.notes),
    ...namedRow("closed", report.closed),
    ...namedRow("refused", report.refused),
  ];
  const lines = rows.map(([name, text]) => `${name.padEnd(14)}${text}\n`);
  const doubtful = report.doubts.map((doubt) => `DOUBT: ${doubt}\n`);
  const verdict =
    report.broken.length === 0 ? ["every promise kept\n"] : report.broken.map((what) => `BROKEN: ${what}\n`);
  return [...lines, ...doubtful, ...verdict].join("");
}

function namedRow(name: string, names: NamedCounts): [string, string][] {
  return names.length === 0 ? [] : [[name, listText(names)]];
}

function listText(names: NamedCounts): string {
  return names.map(([name, count]) => `${name}: ${count}`).join("; ");
}

function spreadText({ p50, p99, p999, max }: Summary): string {
  return `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, p99.9 ${p999.toFixed(1)}, max ${max.toFixed(1)} ms`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

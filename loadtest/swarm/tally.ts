/** Counts of one process by class of connections, and the same as plain data, which can be added up. */
import { type AgeCounts, Ages } from "../ages.ts";
import { READERS, type Reader } from "./plan.ts";

/** The most names of faults, notes and closes; further ones are counted as one. */
const MAX_NAMES = 64;
const OTHERS = "others";
/** Kept details per fault. */
const MAX_EXAMPLES = 3;

/** What connections of one class received while counting. */
export interface ClassResult {
  readonly connections: number;
  readonly frames: number;
  readonly bytes: number;
  readonly ticks: number;
  /** Ticks newer than the client's last one, and fresh. */
  readonly fresh: number;
  /** Newer, but older than the fresh bound on arrival. */
  readonly late: number;
  /** Not newer than the client's last one. */
  readonly repeated: number;
  /** Ticks left out between received ones. */
  readonly conflated: number;
  /** Ticks with an event time after their arrival: the clocks differ. */
  readonly early: number;
  /** Trades, and those that the server said it would not send; books; bars. */
  readonly trades: number;
  readonly missed: number;
  readonly books: number;
  readonly bars: number;
  /** Of all of these. */
  readonly ages: AgeCounts;
}

export type NamedCounts = readonly (readonly [name: string, count: number])[];

export interface SwarmResult {
  readonly seconds: number;
  /** Of the swarm's processes. */
  readonly cpuSeconds: number;
  /** How late its timers were at p99, ms: ages may be too high by this much. */
  readonly loopLate: number;
  /** Resident memory of the swarm's process, bytes. */
  readonly memory: number;
  /** Currently open connections. */
  readonly open: number;
  readonly classes: Readonly<Record<Reader, ClassResult>>;
  /** From the first byte sent to the upgrade; and to the last symbol's snapshot. Since the start, microseconds. */
  readonly connectTime: AgeCounts;
  readonly snapshotTime: AgeCounts;
  /** Since the start. */
  readonly faults: readonly Fault[];
  readonly notes: NamedCounts;
  /** Connections closed by the server, by close code; and those that never opened, by reason. */
  readonly closed: NamedCounts;
  readonly refused: NamedCounts;
}

export interface Fault {
  readonly name: string;
  readonly count: number;
  readonly examples: readonly string[];
}

export class ClassTally {
  readonly ages = new Ages();
  connections = 0;
  frames = 0;
  bytes = 0;
  ticks = 0;
  fresh = 0;
  late = 0;
  repeated = 0;
  conflated = 0;
  early = 0;
  trades = 0;
  missed = 0;
  books = 0;
  bars = 0;

  clear(): void {
    this.ages.clear();
    this.frames = this.bytes = this.ticks = 0;
    this.fresh = this.late = this.repeated = this.conflated = this.early = 0;
    this.trades = this.missed = this.books = this.bars = 0;
  }

  result(): ClassResult {
    const { connections, frames, bytes, ticks, fresh, late, repeated, conflated, early } = this;
    const { trades, missed, books, bars } = this;
    return {
      ...{ connections, frames, bytes, ticks, fresh, late, repeated, conflated, early, trades, missed, books, bars },
      ages: this.ages.toCounts(),
    };
  }
}

/** Counts by name, with a limit on the number of names. */
export class NameCounts {
  readonly #counts = new Map<string, number>();

  add(name: string, count = 1): void {
    const key = this.#counts.size < MAX_NAMES || this.#counts.has(name) ? name : OTHERS;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
  }

  get total(): number {
    let total = 0;
    for (const count of this.#counts.values()) total += count;
    return total;
  }

  entries(): NamedCounts {
    return [...this.#counts];
  }
}

/** Faults by name, with the first details of each. */
export class Faults {
  readonly #counts = new NameCounts();
  readonly #examples = new Map<string, string[]>();

  add(name: string, count: number, examples: readonly string[]): void {
    this.#counts.add(name, count);
    const kept = this.#examples.get(name) ?? [];
    if (this.#examples.size < MAX_NAMES) this.#examples.set(name, kept);
    for (const example of examples) if (kept.length < MAX_EXAMPLES) kept.push(example);
  }

  list(): Fault[] {
    return this.#counts.entries().map(([name, count]) => ({ name, count, examples: this.#examples.get(name) ?? [] }));
  }
}

export class Tally {
  readonly classes: Readonly<Record<Reader, ClassTally>> = {
    healthy: new ClassTally(),
    slow: new ClassTally(),
    stalled: new ClassTally(),
  };
  readonly connectTime = new Ages();
  readonly snapshotTime = new Ages();
  readonly faults = new Faults();
  readonly notes = new NameCounts();
  readonly closed = new NameCounts();
  readonly refused = new NameCounts();
  /** Whether ticks and frames are counted. Faults, notes and closes always are. */
  isCounting = false;

  begin(): void {
    for (const reader of READERS) this.classes[reader].clear();
    this.isCounting = true;
  }

  result(own: Pick<SwarmResult, "seconds" | "cpuSeconds" | "loopLate" | "memory" | "open">): SwarmResult {
    const { healthy, slow, stalled } = this.classes;
    return {
      ...own,
      classes: { healthy: healthy.result(), slow: slow.result(), stalled: stalled.result() },
      connectTime: this.connectTime.toCounts(),
      snapshotTime: this.snapshotTime.toCounts(),
      faults: this.faults.list(),
      notes: this.notes.entries(),
      closed: this.closed.entries(),
      refused: this.refused.entries(),
    };
  }
}

/** Adds up the results of several processes. */
export function sumResults(results: readonly SwarmResult[]): SwarmResult {
  const sum = (of: (result: SwarmResult) => number) => results.reduce((total, result) => total + of(result), 0);
  const most = (of: (result: SwarmResult) => number) => Math.max(...results.map(of));
  const ages = (of: (result: SwarmResult) => AgeCounts) => {
    const all = new Ages();
    for (const result of results) all.add(of(result));
    return all.toCounts();
  };
  const names = (of: (result: SwarmResult) => NamedCounts) => {
    const all = new NameCounts();
    for (const result of results) for (const [name, count] of of(result)) all.add(name, count);
    return all.entries();
  };
  const faults = new Faults();
  for (const { faults: some } of results)
    for (const { name, count, examples } of some) faults.add(name, count, examples);
  const readers = (reader: Reader): ClassResult => {
    const of = (name: Exclude<keyof ClassResult, "ages">) => sum(({ classes }) => classes[reader][name]);
    return {
      ...{ connections: of("connections"), frames: of("frames"), bytes: of("bytes"), ticks: of("ticks") },
      ...{ fresh: of("fresh"), late: of("late"), repeated: of("repeated"), conflated: of("conflated") },
      ...{ trades: of("trades"), missed: of("missed"), books: of("books"), bars: of("bars") },
      ...{ early: of("early"), ages: ages(({ classes }) => classes[reader].ages) },
    };
  };
  return {
    seconds: most((result) => result.seconds),
    cpuSeconds: sum((result) => result.cpuSeconds),
    loopLate: most((result) => result.loopLate),
    memory: sum((result) => result.memory),
    open: sum((result) => result.open),
    classes: { healthy: readers("healthy"), slow: readers("slow"), stalled: readers("stalled") },
    connectTime: ages((result) => result.connectTime),
    snapshotTime: ages((result) => result.snapshotTime),
    faults: faults.list(),
    notes: names((result) => result.notes),
    closed: names((result) => result.closed),
    refused: names((result) => result.refused),
  };
}

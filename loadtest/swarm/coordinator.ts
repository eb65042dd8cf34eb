/** Controls the processes of a swarm, which share the connections, and adds up their results. */
import { UsageError } from "../../src/settings/option.ts";
import { Child } from "../child.ts";
import { type Plan, splitPlan } from "./plan.ts";
import type { StreamChannel } from "./protocol.ts";
import { type Comparison, MAX_OPENING, OPEN_TIME, type ValueComparison } from "./swarm.ts";
import { type SwarmResult, sumResults } from "./tally.ts";
import type { WorkerOrder, WorkerReport } from "./worker.ts";

/** Open files of a process besides its connections. */
const OTHER_FILES = 100;
const MAX_EXAMPLES = 3;

/**
 * Checks that the limit on open files allows this many connections.
 * @param files the limit per process, if known
 * @throws UsageError that says how to raise it
 */
export function checkFiles(connections: number, processes: number, files: number | undefined): void {
  const most = Math.ceil(connections / processes);
  if (files === undefined || most + OTHER_FILES <= files) return;
  throw new UsageError(
    `${most} connections in a process need ${most + OTHER_FILES} open files, and the limit is ${files}: ` +
      `raise it (ulimit -n), or split them with --processes ${Math.ceil(connections / (files - OTHER_FILES))}`,
  );
}

export class SwarmCoordinator {
  readonly #plan: Plan;
  readonly #workers: readonly Child<WorkerOrder, WorkerReport>[];

  /**
   * Starts the processes.
   * @param files the limit on open files per process, if known
   * @throws UsageError when the connections need more
   */
  constructor(plan: Plan, files: number | undefined) {
    checkFiles(plan.connections, plan.processes, files);
    this.#plan = plan;
    this.#workers = splitPlan(plan).map(() => new Child("swarm/worker.ts"));
  }

  /** The processes' ids. */
  get pids(): number[] {
    return this.#workers.map((worker) => worker.pid);
  }

  /** Opens the connections at the rate of the plan. */
  async open(): Promise<void> {
    const parts = splitPlan(this.#plan);
    // The longest possible time: the server answers no connection.
    const { connections, rate } = this.#plan;
    const timeout = Math.ceil((connections / rate) * 1_000 + (connections / MAX_OPENING + 4) * OPEN_TIME);
    const open = (worker: Child<WorkerOrder, WorkerReport>, index: number) =>
      worker.order({ order: "open", share: parts[index] }, "opened", timeout);
    await Promise.all(this.#workers.map(open));
  }

  /** Starts counting. */
  async startCounting(): Promise<void> {
    await this.#orderAll({ order: "count" }, "counting");
  }

  /** The counts so far. */
  async result(): Promise<SwarmResult> {
    const reports = await this.#orderAll({ order: "report" }, "result");
    return sumResults(reports.map(({ result }) => result));
  }

  /** Ends counting: from now on all connections read as fast as they can. */
  async settle(): Promise<void> {
    await this.#orderAll({ order: "settle" }, "settled");
  }

  /** See Swarm.behind. */
  behind(least: Float64Array): Promise<Comparison> {
    return this.#compare({ order: "behind", seqs: least });
  }

  /** See Swarm.ahead. */
  ahead(most: Float64Array): Promise<Comparison> {
    return this.#compare({ order: "ahead", seqs: most });
  }

  /** See Swarm.values. */
  values(seqs: Float64Array, values: Float64Array): Promise<ValueComparison> {
    return this.#compareValues({ order: "values", seqs, values });
  }

  /** See Swarm.streamsBehind. */
  streamsBehind(channel: StreamChannel, least: Float64Array): Promise<Comparison> {
    return this.#compare({ order: "streams", channel, seqs: least });
  }

  /** See Swarm.contents. */
  contents(
    channel: StreamChannel,
    seqs: Float64Array,
    contents: ReadonlyMap<number, readonly number[]>,
  ): Promise<ValueComparison> {
    return this.#compareValues({ order: "contents", channel, seqs, contents });
  }

  async #compareValues(order: WorkerOrder): Promise<ValueComparison> {
    const reports = await this.#orderAll(order, "values");
    const comparisons = reports.map(({ comparison }) => comparison);
    return { ...combine(comparisons), compared: comparisons.reduce((total, { compared }) => total + compared, 0) };
  }

  async close(): Promise<void> {
    await this.#orderAll({ order: "close" }, "closed");
  }

  /** Ends the processes. */
  kill(): void {
    for (const worker of this.#workers) worker.stop();
  }

  async #compare(order: WorkerOrder): Promise<Comparison> {
    const reports = await this.#orderAll(order, "compared");
    return combine(reports.map(({ comparison }) => comparison));
  }

  /** Sends an order to all processes. */
  #orderAll<Expected extends WorkerReport["report"]>(order: WorkerOrder, expected: Expected) {
    return Promise.all(this.#workers.map((worker) => worker.order(order, expected)));
  }
}

export function combine(comparisons: readonly Comparison[]): Comparison {
  return {
    count: comparisons.reduce((total, { count }) => total + count, 0),
    examples: comparisons.flatMap(({ examples }) => examples).slice(0, MAX_EXAMPLES),
  };
}

/** The swarm as whoever started it sees it: some processes that share the connections, ordered and added up as one. */
import { UsageError } from "../../src/option.ts";
import { Child } from "../child.ts";
import { type Plan, shares } from "./plan.ts";
import type { Comparison } from "./swarm.ts";
import { addUp, type SwarmResult } from "./tally.ts";
import type { WorkerOrder, WorkerReport } from "./worker.ts";

/** Besides its connections a process has some files open. */
const OTHER_FILES = 100;
/** How much longer than its rate says the opening may take, ms: connections that do not answer are waited for. */
const OPEN_PATIENCE = 60_000;
const MAX_EXAMPLES = 3;

export class Crew {
  readonly #plan: Plan;
  readonly #workers: readonly Child<WorkerOrder, WorkerReport>[];

  /**
   * Starts the processes.
   * @param files how many files a process may have open, where that is known
   * @throws UsageError when the connections need more than that
   */
  constructor(plan: Plan, files: number | undefined) {
    const parts = shares(plan);
    const most = Math.max(...parts.map(({ connections }) => connections));
    if (files !== undefined && most + OTHER_FILES > files) {
      const processes = Math.ceil(plan.connections / (files - OTHER_FILES));
      throw new UsageError(
        `${most} connections in a process need ${most + OTHER_FILES} open files, and the limit is ${files}: ` +
          `raise it (ulimit -Hn), or part them with --processes ${processes}`,
      );
    }
    this.#plan = plan;
    this.#workers = parts.map(() => new Child("swarm/worker.ts"));
  }

  /** The processes' ids. */
  get pids(): number[] {
    return this.#workers.map((worker) => worker.pid);
  }

  /** Opens the connections, at the rate of the plan. */
  async open(): Promise<void> {
    const parts = shares(this.#plan);
    const patience = (this.#plan.connections / this.#plan.rate) * 2_000 + OPEN_PATIENCE;
    const open = (worker: Child<WorkerOrder, WorkerReport>, index: number) =>
      worker.order({ order: "open", share: parts[index] }, "opened", patience);
    await Promise.all(this.#workers.map(open));
  }

  /** From now on what comes is counted. */
  async count(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.order({ order: "count" }, "counting")));
  }

  /** What has been counted, up to now. */
  async tell(): Promise<SwarmResult> {
    const reports = await Promise.all(this.#workers.map((worker) => worker.order({ order: "tell" }, "result")));
    return addUp(reports.map(({ result }) => result));
  }

  /** The end of counting: from now on everyone reads as fast as they can. */
  async settle(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.order({ order: "settle" }, "settled")));
  }

  /** See Swarm.behind. */
  behind(least: Float64Array): Promise<Comparison> {
    return this.#compare({ order: "behind", seqs: least });
  }

  /** See Swarm.ahead. */
  ahead(most: Float64Array): Promise<Comparison> {
    return this.#compare({ order: "ahead", seqs: most });
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.order({ order: "close" }, "closed")));
  }

  /** Ends the processes. */
  stop(): void {
    for (const worker of this.#workers) worker.stop();
  }

  async #compare(order: WorkerOrder): Promise<Comparison> {
    const reports = await Promise.all(this.#workers.map((worker) => worker.order(order, "compared")));
    return {
      count: reports.reduce((total, { comparison }) => total + comparison.count, 0),
      examples: reports.flatMap(({ comparison }) => comparison.examples).slice(0, MAX_EXAMPLES),
    };
  }
}

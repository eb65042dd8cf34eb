/** The messages between the processes of `tickgate gateway --workers N`, over Node's IPC channel. */
import cluster from "node:cluster";
import type { AdminSource } from "../../admin/server.ts";
import type { NodeReport } from "../../admin/status/report.ts";
import type { TraceLine, TraceOutput, TraceRequest } from "../../gateway/latency/tracer.ts";

/** The environment name with the number of a worker: 1 to N. A restarted worker keeps its number. */
export const WORKER_ENV = "TICKGATE_WORKER";

/** The questions to a worker, with the types of their answers. */
export interface Answers {
  /** Why it is not ready; null when it is. */
  readonly unready: string | null;
  /** Its metrics page. */
  readonly metrics: string;
  readonly report: NodeReport;
}

/** A message from the supervisor to a worker. */
export type Ask =
  | { readonly ask: keyof Answers; readonly number: number }
  | { readonly ask: "trace"; readonly number: number; readonly request: TraceRequest }
  | { readonly ask: "untrace"; readonly number: number }
  | { readonly ask: "stop" };

/** A message from a worker to the supervisor; an answer has the number of its question, and no value when it failed. */
export type Tell =
  | { readonly tell: "listening" }
  | { readonly tell: "answer"; readonly number: number; readonly answer?: Answers[keyof Answers] }
  | TraceTell;

/** An event of a trace: a line, or the reason of a refusal. */
export type TraceTell =
  | { readonly tell: "trace"; readonly number: number; readonly line: TraceLine }
  | { readonly tell: "no trace"; readonly number: number; readonly reason: string };

/** The number of this worker; undefined in a process that is none. */
export function workerNumber(env: NodeJS.ProcessEnv = process.env): number | undefined {
  return cluster.isWorker ? Number(env[WORKER_ENV]) : undefined;
}

/** A worker's end of the channel, instead of an admin port of its own. */
export class WorkerLink {
  readonly #source: AdminSource;
  readonly #stopped: Promise<void>;
  /** The functions that end each trace, by its number. */
  readonly #traces = new Map<number, () => void>();

  constructor(source: AdminSource) {
    this.#source = source;
    // Ctrl-C reaches the whole process group; only the supervisor decides when workers end.
    process.on("SIGINT", () => {});
    this.#stopped = new Promise((resolve) => {
      process.on("SIGTERM", () => resolve());
      process.on("disconnect", () => resolve());
      process.on("message", (message: Ask) => {
        if (message.ask === "stop") return resolve();
        const { number } = message;
        if (message.ask === "untrace") return this.#untrace(number);
        if (message.ask === "trace") return void this.#trace(number, message.request);
        this.#answer(message.ask).then(
          (answer) => this.#tell({ tell: "answer", number, answer }),
          () => this.#tell({ tell: "answer", number }),
        );
      });
    });
  }

  /** Tells the supervisor that this worker accepts clients. */
  listening(): void {
    this.#tell({ tell: "listening" });
  }

  /** Resolves when the supervisor tells the worker to end, or died. */
  untilStop(): Promise<void> {
    return this.#stopped;
  }

  /** Lets the process end. */
  close(): void {
    if (process.connected) process.disconnect();
  }

  async #trace(number: number, request: TraceRequest): Promise<void> {
    let ready = true;
    const output: TraceOutput = {
      get ready() {
        return ready;
      },
      line: (line) => {
        ready = this.#tell({ tell: "trace", number, line });
        if (!ready) setImmediate(() => (ready = true));
      },
      end: () => {},
    };
    const end = (await this.#source.trace?.(request, output)) ?? "no ticks go through this process";
    if (typeof end === "string") this.#tell({ tell: "no trace", number, reason: end });
    else this.#traces.set(number, end);
  }

  #untrace(number: number): void {
    this.#traces.get(number)?.();
    this.#traces.delete(number);
  }

  async #answer(question: keyof Answers): Promise<Answers[keyof Answers]> {
    switch (question) {
      case "unready":
        return this.#source.unready() ?? null;
      case "metrics":
        return (await this.#source.metrics()).body;
      case "report":
        return this.#source.report();
    }
  }

  /** @returns whether the channel accepts more now */
  #tell(message: Tell): boolean {
    return process.connected && process.send?.(message) === true;
  }
}

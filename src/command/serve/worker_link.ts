/** What the processes of `tickgate gateway --workers N` say to each other, over the channel that Node gives them. */
import cluster from "node:cluster";
import type { AdminSource } from "../../admin/server.ts";
import type { NodeReport } from "../../admin/status/report.ts";
import type { TraceLine, TraceOutput, TraceRequest } from "../../gateway/latency/tracer.ts";

/** Which worker a process is, in its environment: 1 to N. It stays when the worker is started again. */
export const WORKER_ENV = "TICKGATE_WORKER";

/** What a worker can be asked, and what it answers. */
export interface Answers {
  /** Why it is not ready; null when it is. */
  readonly unready: string | null;
  /** Its metrics page. */
  readonly metrics: string;
  readonly report: NodeReport;
}

/** From the supervisor to a worker. */
export type Ask =
  | { readonly ask: keyof Answers; readonly number: number }
  | { readonly ask: "trace"; readonly number: number; readonly request: TraceRequest }
  | { readonly ask: "untrace"; readonly number: number }
  | { readonly ask: "stop" };

/** From a worker to the supervisor; an answer carries the number of what was asked, and nothing where that failed. */
export type Tell =
  | { readonly tell: "listening" }
  | { readonly tell: "answer"; readonly number: number; readonly answer?: Answers[keyof Answers] }
  | TraceTell;

/** Of a trace: a line of it, or why there is none. */
export type TraceTell =
  | { readonly tell: "trace"; readonly number: number; readonly line: TraceLine }
  | { readonly tell: "no trace"; readonly number: number; readonly reason: string };

/** The number of this worker, or undefined in a process that is none. */
export function workerNumber(env: NodeJS.ProcessEnv = process.env): number | undefined {
  return cluster.isWorker ? Number(env[WORKER_ENV]) : undefined;
}

/** A worker's end: in the place of an admin port of its own. */
export class WorkerLink {
  readonly #source: AdminSource;
  readonly #stopped: Promise<void>;
  /** What ends each trace, by its number. */
  readonly #traces = new Map<number, () => void>();

  constructor(source: AdminSource) {
    this.#source = source;
    // Ctrl-C reaches the whole group; it is the supervisor's to say when the workers end.
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

  /** Tells the supervisor that clients can come. */
  listening(): void {
    this.#tell({ tell: "listening" });
  }

  /** Resolves when the worker is to end: it is told to, or the supervisor has died. */
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

  /** @returns whether the channel takes more now */
  #tell(message: Tell): boolean {
    return process.connected && process.send?.(message) === true;
  }
}

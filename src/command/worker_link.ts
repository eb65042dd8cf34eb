/** What the processes of `tickgate gateway --workers N` say to each other, over the channel that Node gives them. */
import cluster from "node:cluster";
import type { AdminSource } from "../admin.ts";

/** Which worker a process is, in its environment: 1 to N. It stays when the worker is started again. */
export const WORKER_ENV = "TICKGATE_WORKER";

/** From the supervisor to a worker. */
export type Ask = { readonly ask: "state"; readonly number: number } | { readonly ask: "stop" };

/** From a worker to the supervisor. */
export type Tell =
  | { readonly tell: "listening" }
  | { readonly tell: "state"; readonly number: number; readonly unready?: string; readonly metrics: string };

/** The number of this worker, or undefined in a process that is none. */
export function workerNumber(env: NodeJS.ProcessEnv = process.env): number | undefined {
  return cluster.isWorker ? Number(env[WORKER_ENV]) : undefined;
}

/** A worker's end: in the place of an admin port of its own. */
export class WorkerLink {
  readonly #stopped: Promise<void>;

  constructor(source: AdminSource) {
    // Ctrl-C reaches the whole group; it is the supervisor's to say when the workers end.
    process.on("SIGINT", () => {});
    this.#stopped = new Promise((resolve) => {
      process.on("SIGTERM", () => resolve());
      process.on("disconnect", () => resolve());
      process.on("message", (message: Ask) => {
        if (message.ask === "stop") return resolve();
        source.metrics().then(
          ({ body }) => this.#tell({ tell: "state", number: message.number, unready: source.unready(), metrics: body }),
          (error: unknown) =>
            this.#tell({ tell: "state", number: message.number, unready: String(error), metrics: "" }),
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

  #tell(message: Tell): void {
    if (process.connected) process.send?.(message);
  }
}

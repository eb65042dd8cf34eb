/**
 * A healthy client beside an attack: it pings in its own thread, so that the load of the test's thread does not count,
 * and reports the slowest answer.
 */
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { WireClient } from "./wire_client.ts";

/** The time between two pings, ms: within the allowed rate of a connection. */
const PAUSE = 15;

/** The measurement since the last call. */
export interface Seen {
  /** The time of the slowest answer, ms; of an outstanding one, until now. */
  readonly worst: number;
  readonly answers: number;
  readonly closed: { code: number; reason: string } | undefined;
}

export class Witness {
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  static async open(url: string, symbols: readonly string[]): Promise<Witness> {
    const worker = new Worker(new URL(import.meta.url), { workerData: { url, symbols } });
    await once(worker, "message");
    return new Witness(worker);
  }

  /** The measurement since the last call. */
  async seen(): Promise<Seen> {
    this.#worker.postMessage("seen");
    const [seen] = (await once(this.#worker, "message")) as [Seen];
    return seen;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

async function watch(url: string, symbols: readonly string[]): Promise<void> {
  const client = await WireClient.open(url);
  await client.subscribe(symbols, { interval: 100 });
  let [worst, answers, askedAt] = [0, 0, performance.now()];
  parentPort!.on("message", () => {
    parentPort!.postMessage({ worst: Math.max(worst, performance.now() - askedAt), answers, closed: client.closed });
    worst = answers = 0;
  });
  parentPort!.postMessage("ready");
  for (;;) {
    askedAt = performance.now();
    for (const heard of [client.controls, client.ticks, client.order]) heard.length = 0;
    await client.ask({ op: "ping" }, "pong");
    worst = Math.max(worst, performance.now() - askedAt);
    answers++;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

if (!isMainThread) {
  const { url, symbols } = workerData as { url: string; symbols: string[] };
  await watch(url, symbols);
}

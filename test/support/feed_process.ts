/**
 * A feed as a process, for tests that kill and pause it: run with the settings of the bus as an argument, it ticks all
 * the time, and answers its parent's requests. The second argument is its first price, which identifies the process.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { BusSettings } from "../../src/bus/open.ts";
import { TestFeed } from "./bus_bench.ts";

/** The state of a feed's symbols, as reported to its parent. */
export interface Told {
  readonly role: string;
  /** By symbol: seq and bid. */
  readonly symbols: Record<string, [number, number]>;
}

export class FeedProcess {
  readonly #process: ChildProcess;

  constructor(settings: BusSettings, firstPrice: number) {
    this.#process = fork(import.meta.filename, [JSON.stringify(settings), String(firstPrice)]);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Whether it has ended. */
  get isDead(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Stops or starts its ticks, and requests the state of all symbols. */
  async ask(command: "tick" | "rest"): Promise<Told> {
    this.#process.send(command);
    const [told] = await once(this.#process, "message", { signal: AbortSignal.timeout(5_000) });
    return told as Told;
  }

  async kill(): Promise<void> {
    if (this.isDead) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }
}

const SYMBOLS = 100;

function main(settings: BusSettings, firstPrice: number): void {
  const feed = new TestFeed(settings);
  let price = firstPrice;
  let ticking: NodeJS.Timeout | undefined;
  const tick = () => {
    for (let index = 0; index < SYMBOLS; index++)
      feed.publisher.tick(`SIM:${index}`, { bid: ++price }, Date.now() * 1_000);
  };
  process.on("message", (command) => {
    clearInterval(ticking);
    ticking = undefined;
    if (command === "tick") ticking = setInterval(tick, 20);
    const symbols: Told["symbols"] = {};
    for (let row = 0; row < feed.table.rows; row++)
      symbols[feed.table.symbols[row]] = [feed.table.seq[row], feed.table.payload.values[row * 10]];
    process.send?.({ role: feed.writer.role, symbols });
  });
  // The parent has ended: otherwise the feed would never end.
  process.on("disconnect", () => process.exit());
}

if (process.argv[1] === import.meta.filename) main(JSON.parse(process.argv[2]), Number(process.argv[3]));

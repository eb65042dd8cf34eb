/** A script of this folder in a process of its own, to which orders are given and which answers each with a report. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { UsageError } from "../src/settings/option.ts";

/** How long an order may take if nothing else is said, ms. */
const PATIENCE = 120_000;

export class Child<Order, Report extends { report: string }> {
  readonly #child: ChildProcess;
  readonly #script: string;

  /** @param script its name in this folder */
  constructor(script: string) {
    this.#script = script;
    const path = fileURLToPath(new URL(script, import.meta.url));
    this.#child = fork(path, { serialization: "advanced", stdio: ["ignore", "inherit", "inherit", "ipc"] });
  }

  /** Its process id. */
  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new UsageError(`${this.#script} could not be started`);
    return pid;
  }

  /**
   * Gives an order.
   * @param patience how long it may take, ms
   * @returns its report, which must be `expected`
   * @throws UsageError when it ends or stays silent
   */
  order<Expected extends Report["report"]>(
    order: Order,
    expected: Expected,
    patience = PATIENCE,
  ): Promise<Extract<Report, { report: Expected }>> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        clearTimeout(timer);
        child.off("exit", onExit);
        child.off("message", onMessage);
        act();
      };
      const fail = (what: string) => finish(() => reject(new UsageError(`${this.#script} ${what}`)));
      const onExit = () => fail("has ended; what it said stands above");
      const onMessage = (message: unknown) => {
        const report = message as Report;
        if (report.report !== expected) fail(`said ${report.report} instead of ${expected}`);
        else finish(() => resolve(report as Extract<Report, { report: Expected }>));
      };
      const timer = setTimeout(() => fail(`has not said ${expected} within ${patience / 1_000} s`), patience);
      child.on("exit", onExit);
      child.on("message", onMessage);
      child.send(order as object);
    });
  }

  /** Ends it. */
  stop(): void {
    this.#child.kill();
  }
}

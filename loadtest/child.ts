/** Runs a script of this folder as a child process, which answers each order with a report. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { UsageError } from "../src/settings/option.ts";

/** The default time limit of an order, ms. */
const ORDER_TIMEOUT = 120_000;

export class Child<Order, Report extends { report: string }> {
  readonly #child: ChildProcess;
  readonly #script: string;

  /** @param script path relative to this folder */
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
   * Sends an order.
   * @param timeout ms
   * @returns the report, which must be `expected`
   * @throws UsageError when the process ends, or does not answer in time
   */
  order<Expected extends Report["report"]>(
    order: Order,
    expected: Expected,
    timeout = ORDER_TIMEOUT,
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
      const onExit = () => fail("has ended; see its output above");
      const onMessage = (message: unknown) => {
        const report = message as Report;
        if (report.report !== expected) fail(`reported ${report.report} instead of ${expected}`);
        else finish(() => resolve(report as Extract<Report, { report: Expected }>));
      };
      const timer = setTimeout(() => fail(`has not reported ${expected} within ${timeout / 1_000} s`), timeout);
      child.on("exit", onExit);
      child.on("message", onMessage);
      child.send(order as object);
    });
  }

  /** Ends the process. */
  stop(): void {
    this.#child.kill();
  }
}

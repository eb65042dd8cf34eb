/** A command with a text display (watch, trace, top) as a process, and its output. */
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "./gateway_process.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

export class CommandProcess {
  stdout = "";
  stderr = "";
  readonly #child: ChildProcess;
  readonly #changes = new EventEmitter();

  /** It ends with the test. @param onTerminal whether standard output is a terminal, of 100 columns and 12 rows */
  constructor(t: TestContext, args: readonly string[], onTerminal = false) {
    const quoted = [process.execPath, MAIN, ...args].map((text) => `'${text}'`).join(" ");
    const [program, own] = onTerminal
      ? ["script", ["-qefc", `stty cols 100 rows 12; exec ${quoted}`, "/dev/null"]]
      : [process.execPath, [MAIN, ...args]];
    this.#child = spawn(program, own, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, TERM: "xterm", SHELL: "/bin/sh" },
      // Ctrl-C of the user who runs the tests must not reach it.
      detached: true,
    });
    for (const name of ["stdout", "stderr"] as const)
      this.#child[name]?.setEncoding("utf8").on("data", (text) => {
        this[name] += text;
        this.#changes.emit("change");
      });
    t.after(() => this.#child.kill("SIGKILL"));
  }

  /** Waits for a text on its standard output or standard error. */
  async writes(name: "stdout" | "stderr", text: RegExp | string): Promise<void> {
    const isThere = () => (typeof text === "string" ? this[name].includes(text) : text.test(this[name]));
    await until(this.#changes, isThere, `${text}; there is ${JSON.stringify([this.stdout, this.stderr])}`);
  }

  /** Sends keys, as typed by a user. */
  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** @returns the exit code */
  async end(signal?: NodeJS.Signals): Promise<number | null> {
    const ended = this.#child.exitCode === null ? once(this.#child, "close") : Promise.resolve();
    if (signal) this.#child.kill(signal);
    await ended;
    return this.#child.exitCode;
  }
}

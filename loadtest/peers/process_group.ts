/**
 * The processes of one run: each is pinned to the cores of its side and measured, and all end together. The server has
 * its cores to itself; Redis, the publisher and the clients share the others.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../src/settings/option.ts";
import { type ProcessUsage, processUsage } from "../swarm/process_usage.ts";

/** How long a process may take to print the expected output, ms. */
const PATIENCE = 20_000;
/** How much of a process's output is kept for error messages, characters. */
const MAX_OUTPUT = 4_000;

/** A connection's state in /proc/net/tcp. */
const ESTABLISHED = "01";

/** The cores of each side, in the format of `taskset -c`; the same for both on a machine with one core. */
export interface Cores {
  readonly server: string;
  readonly load: string;
}

export type Side = keyof Cores;

/** A process of the group. */
export class ManagedProcess {
  readonly title: string;
  readonly #child: ChildProcess;
  #output = "";

  constructor(title: string, child: ChildProcess) {
    this.title = title;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-MAX_OUTPUT);
        child.emit("output");
      });
  }

  /**
   * Waits until its output matches.
   * @throws UsageError when it ends first, or takes too long
   */
  waitForOutput(pattern: RegExp): Promise<RegExpExecArray> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = pattern.exec(this.#output);
        if (found) finish(() => resolve(found));
        else if (this.hasEnded) fail("has ended");
      };
      const fail = (what: string) =>
        finish(() => reject(new UsageError(`${this.title} ${what}; its output: ${this.#output.trim() || "nothing"}`)));
      const finish = (act: () => void) => {
        clearTimeout(timer);
        child.off("output", check);
        child.off("close", check);
        act();
      };
      const timer = setTimeout(() => fail(`has not printed ${pattern} within ${PATIENCE / 1_000} s`), PATIENCE);
      child.on("output", check);
      child.on("close", check);
      check();
    });
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined;
  }

  /**
   * The CPU and memory that it has used.
   * @throws UsageError when it has ended
   */
  usage(): ProcessUsage {
    const { pid } = this.#child;
    if (this.hasEnded || pid === undefined)
      throw new UsageError(`${this.title} has ended; its output: ${this.#output.trim() || "nothing"}`);
    return processUsage(pid);
  }

  /** SIGKILL: no data needs saving, and an overloaded server would take long to shut down. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async stop(): Promise<void> {
    if (this.hasEnded) return;
    const gone = once(this.#child, "exit");
    this.kill();
    await gone;
  }
}

export class ProcessGroup {
  readonly #cores: Cores;
  readonly #processes: ManagedProcess[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "tickgate-peers-"));
  /** Runs when this process ends before `close`. */
  readonly #atExit = () => {
    for (const started of this.#processes) started.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  };

  constructor(cores: Cores) {
    this.#cores = cores;
    process.once("exit", this.#atExit);
  }

  /** Starts a process on the cores of a side. */
  start(
    title: string,
    side: Side,
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): ManagedProcess {
    const child = spawn("taskset", ["-c", this.#cores[side], command, ...args], {
      cwd: this.#folder,
      // A settings file or the environment must not change the measurement.
      env: { PATH: process.env.PATH, HOME: this.#folder, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.on("error", () => {});
    const started = new ManagedProcess(title, child);
    this.#processes.push(started);
    return started;
  }

  /** Starts a script of this folder. */
  startScript(title: string, side: Side, script: string, ...args: string[]): ManagedProcess {
    return this.start(title, side, process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...args]);
  }

  /** Starts Redis with its default settings, except that it writes nothing to disk. */
  async startRedis(): Promise<{ url: string; address: string; process: ManagedProcess }> {
    const port = await freePort();
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", this.#folder];
    const started = this.start("redis-server", "load", "redis-server", args);
    await started.waitForOutput(/Ready to accept connections/);
    return { url: `redis://127.0.0.1:${port}`, address: `127.0.0.1:${port}`, process: started };
  }

  /** The path of a file in the group's folder, which `close` deletes. */
  file(name: string): string {
    return join(this.#folder, name);
  }

  async close(): Promise<void> {
    process.off("exit", this.#atExit);
    await Promise.all(this.#processes.map((started) => started.stop()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * The number of established TCP connections to a port of 127.0.0.1, on the server's side (/proc/net/tcp in proc(5)).
 */
export function establishedConnections(port: number): number {
  const own = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = readFileSync("/proc/net/tcp", "latin1").split("\n");
  return lines.filter((line) => {
    const [, local, , state] = line.trim().split(/ +/);
    return local === own && state === ESTABLISHED;
  }).length;
}

/** A free port. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}

/**
 * Where one turn of one peer is played: the processes, each pinned to the cores of its side, what they use, and the end of
 * all of them. Servers have the server's cores to themselves; Redis, the publisher and the readers share the others.
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

/** How long a process may take to say what is waited for, and to end, ms. */
const PATIENCE = 20_000;
/** What of a process's output is kept for whoever wants to know why it has ended, characters. */
const MAX_OUTPUT = 4_000;

/** A connection's state in /proc/net/tcp. */
const ESTABLISHED = "01";

/** On which cores the two sides run, as `taskset -c` takes them; the same text for both where there is but one core. */
export interface Cores {
  readonly server: string;
  readonly load: string;
}

export type Side = keyof Cores;

/** A process of the stage. */
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
   * Waits until it has said something.
   * @throws UsageError when it ends before, or takes too long
   */
  waitForOutput(pattern: RegExp): Promise<RegExpExecArray> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(this.#output);
        if (found) finish(() => resolve(found));
        else if (this.hasEnded) fail("has ended");
      };
      const fail = (what: string) =>
        finish(() => reject(new UsageError(`${this.title} ${what}; it said: ${this.#output.trim() || "nothing"}`)));
      const finish = (act: () => void) => {
        clearTimeout(timer);
        child.off("output", look);
        child.off("close", look);
        act();
      };
      const timer = setTimeout(() => fail(`has not said ${pattern} within ${PATIENCE / 1_000} s`), PATIENCE);
      child.on("output", look);
      child.on("close", look);
      look();
    });
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined;
  }

  /**
   * What it has used, up to now.
   * @throws UsageError when it has ended
   */
  usage(): ProcessUsage {
    const { pid } = this.#child;
    if (this.hasEnded || pid === undefined)
      throw new UsageError(`${this.title} has ended; it said: ${this.#output.trim() || "nothing"}`);
    return processUsage(pid);
  }

  /** Nothing is to be kept, and a server that is far behind would take long to leave. */
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
  /** When this process ends before the stage is closed. */
  readonly #atExit = () => {
    for (const started of this.#processes) started.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  };

  constructor(cores: Cores) {
    this.#cores = cores;
    process.once("exit", this.#atExit);
  }

  /** Starts a process on a side. */
  start(
    title: string,
    side: Side,
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): ManagedProcess {
    const child = spawn("taskset", ["-c", this.#cores[side], command, ...args], {
      cwd: this.#folder,
      // A file or the environment must not change what is measured.
      env: { PATH: process.env.PATH, HOME: this.#folder, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.on("error", () => {});
    const started = new ManagedProcess(title, child);
    this.#processes.push(started);
    return started;
  }

  /** Starts one of this folder's scripts. */
  startScript(title: string, side: Side, script: string, ...args: string[]): ManagedProcess {
    return this.start(title, side, process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...args]);
  }

  /** Starts a Redis as its packages configure it, but that nothing is written to disk. */
  async startRedis(): Promise<{ url: string; address: string; process: ManagedProcess }> {
    const port = await freePort();
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", this.#folder];
    const started = this.start("redis-server", "load", "redis-server", args);
    await started.waitForOutput(/Ready to accept connections/);
    return { url: `redis://127.0.0.1:${port}`, address: `127.0.0.1:${port}`, process: started };
  }

  /** A file of the stage's own folder, which goes with it. */
  file(name: string): string {
    return join(this.#folder, name);
  }

  async close(): Promise<void> {
    process.off("exit", this.#atExit);
    await Promise.all(this.#processes.map((started) => started.stop()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** How many TCP connections to a port of 127.0.0.1 are established, as the server has them (proc(5), /proc/net/tcp). */
export function establishedConnections(port: number): number {
  const own = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = readFileSync("/proc/net/tcp", "latin1").split("\n");
  return lines.filter((line) => {
    const [, local, , state] = line.trim().split(/ +/);
    return local === own && state === ESTABLISHED;
  }).length;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}

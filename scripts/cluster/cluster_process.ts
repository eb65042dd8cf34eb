/** One part of the cluster: a program that runs as a process of its own, its start, its end, and what it says. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { UsageError } from "../../src/settings/option.ts";
import { waitUntil } from "./probe.ts";

/** How long a part may take until it is ready, in milliseconds. */
const START_TIME = 15_000;
/** Lines that are kept of what a part says, to show them when it fails. */
const KEPT_LINES = 200;
/** How long to wait for the last lines of a part that has ended, in milliseconds. */
const OUTPUT_END_TIME = 500;
/** Where servers are installed that a user's PATH may not have. */
const SERVER_FOLDERS = ["/usr/local/sbin", "/usr/sbin"];

/** What a part is. */
export interface ProcessSpec {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** The Debian package that the program comes in, for whoever lacks it. */
  readonly package?: string;
  /** Where it says what is worth reading; both are kept. */
  readonly log: "stdout" | "stderr";
  /** Whether its standard input is ours to write. */
  readonly input?: boolean;
  /** Whether it does its work. */
  ready(): Promise<boolean>;
  readonly stopSignal: NodeJS.Signals;
  /** How long it may take to end before it is killed, in milliseconds. */
  readonly stopTime: number;
}

/** Whom a part tells. */
export interface ProcessEvents {
  line(part: ClusterProcess, line: string): void;
  /** It runs under this process id. */
  started(pid: number): void;
  ended(pid: number): void;
  /** It has ended though nobody stopped it; `how` is its exit code or signal. */
  lost(part: ClusterProcess, how: string): void;
}

export class ClusterProcess {
  readonly spec: ProcessSpec;
  /** The last lines that it has said. */
  readonly lines: string[] = [];
  readonly #events: ProcessEvents;
  #process: ChildProcess | undefined;
  #stopping = false;

  constructor(spec: ProcessSpec, events: ProcessEvents) {
    this.spec = spec;
    this.#events = events;
  }

  get name(): string {
    return this.spec.name;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  /** Its standard input, where its specification says so. */
  get input(): Writable {
    if (!this.#process?.stdin) throw new Error(`${this.name} has no input`);
    return this.#process.stdin;
  }

  /**
   * Starts it, and resolves when it is ready.
   * @throws UsageError when its program is missing, when it ends instead, or when it is not ready in time
   */
  async start(): Promise<void> {
    if (this.#process) throw new Error(`${this.name} runs already`);
    this.#stopping = false;
    this.lines.length = 0;
    const child = this.#spawn();
    this.#process = child;
    let failure: string | undefined;
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return;
      this.#process = undefined;
      failure = error.code === "ENOENT" ? this.#missing() : error.message;
    });
    const isReady = await waitUntil(async () => this.#process !== child || (await this.spec.ready()), START_TIME);
    if (this.#process === child && isReady) return;
    if (failure === undefined && !isReady) failure = `is not ready after ${START_TIME / 1_000} s`;
    failure ??= this.#stopping ? "was stopped" : "ended at its start";
    // What it said last may still be on its way.
    if (!this.isRunning) await waitUntil(() => child.stderr?.readableEnded === true, OUTPUT_END_TIME);
    const said = this.lines.slice(-10).map((line) => `\n  ${line}`);
    throw new UsageError(`${this.name}: ${failure}${said.join("")}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Kills it as a crash would, and resolves when it is gone. */
  async kill(): Promise<void> {
    this.#stopping = true;
    await this.#end("SIGKILL");
  }

  /** Ends it as it wants to be ended; kills it when it takes too long. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const killing = setTimeout(() => this.signal("SIGKILL"), this.spec.stopTime);
    await this.#end(this.spec.stopSignal);
    clearTimeout(killing);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (!child) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  #spawn(): ChildProcess {
    const { program, args, env, input } = this.spec;
    const path = [process.env.PATH ?? "", ...SERVER_FOLDERS].join(":");
    const child = spawn(program, args, {
      env: { ...process.env, ...env, PATH: path },
      stdio: [input ? "pipe" : "ignore", "pipe", "pipe"],
      // A group of its own: Ctrl-C in the terminal is for us, who end the parts in their order.
      detached: true,
    });
    const { pid } = child;
    if (pid !== undefined) {
      this.#events.started(pid);
      child.on("exit", (code, signal) => this.#exited(child, pid, signal ?? `exit code ${code}`));
    }
    // What is written to one that has just died is lost with it.
    child.stdin?.on("error", () => {});
    for (const name of ["stdout", "stderr"] as const) this.#listen(child[name] as Readable, name === this.spec.log);
    return child;
  }

  #listen(stream: Readable, isLog: boolean): void {
    createInterface(stream).on("line", (line) => {
      this.lines.push(line);
      if (this.lines.length > KEPT_LINES) this.lines.shift();
      if (isLog) this.#events.line(this, line);
    });
  }

  #exited(child: ChildProcess, pid: number, how: string): void {
    this.#events.ended(pid);
    if (this.#process === child) this.#process = undefined;
    if (!this.#stopping) this.#events.lost(this, how);
  }

  #missing(): string {
    const { program, package: name } = this.spec;
    return `${program} is not installed${name ? `; on Debian: sudo apt-get install ${name}` : ""}`;
  }
}

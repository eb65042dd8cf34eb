/** A process of the cluster: its start, end and output. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { UsageError } from "../../src/settings/option.ts";
import { waitUntil } from "./probe.ts";

/** How long a process may take to become ready, in milliseconds. */
const START_TIME = 15_000;
/** Kept lines of output, for error messages. */
const KEPT_LINES = 200;
/** How long to wait for the last output of an ended process, in milliseconds. */
const OUTPUT_END_TIME = 500;
/** Folders of server programs that a user's PATH may lack. */
const SERVER_FOLDERS = ["/usr/local/sbin", "/usr/sbin"];

/** How to run the process. */
export interface ProcessSpec {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** The Debian package of the program, for the error message. */
  readonly package?: string;
  /** The stream with its log. Lines of both streams are kept. */
  readonly log: "stdout" | "stderr";
  /** Whether its standard input is a pipe that we write to. */
  readonly input?: boolean;
  /** Whether the process is ready. */
  ready(): Promise<boolean>;
  readonly stopSignal: NodeJS.Signals;
  /** How long it may take to stop before it is killed, in milliseconds. */
  readonly stopTime: number;
}

/** Events of a process. */
export interface ProcessEvents {
  line(part: ClusterProcess, line: string): void;
  /** It was started. */
  started(pid: number): void;
  ended(pid: number): void;
  /** It ended without being stopped; `how` is its exit code or signal. */
  lost(part: ClusterProcess, how: string): void;
}

export class ClusterProcess {
  readonly spec: ProcessSpec;
  /** The last lines of its output. */
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

  /** Its standard input, if `spec.input` is set. */
  get input(): Writable {
    if (!this.#process?.stdin) throw new Error(`${this.name} has no input`);
    return this.#process.stdin;
  }

  /**
   * Starts the process. Resolves when it is ready.
   * @throws UsageError when its program is missing, or when it ends or times out before it is ready
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
    // Its last output may not have arrived yet.
    if (!this.isRunning) await waitUntil(() => child.stderr?.readableEnded === true, OUTPUT_END_TIME);
    const said = this.lines.slice(-10).map((line) => `\n  ${line}`);
    throw new UsageError(`${this.name}: ${failure}${said.join("")}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Kills it with SIGKILL. Resolves when it has ended. */
  async kill(): Promise<void> {
    this.#stopping = true;
    await this.#end("SIGKILL");
  }

  /** Stops it with its stop signal, and kills it after `stopTime`. */
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
      // Its own process group: Ctrl-C reaches only this process, which stops the others in order.
      detached: true,
    });
    const { pid } = child;
    if (pid !== undefined) {
      this.#events.started(pid);
      child.on("exit", (code, signal) => this.#exited(child, pid, signal ?? `exit code ${code}`));
    }
    // A write to a process that has just ended fails; its data is lost with it.
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

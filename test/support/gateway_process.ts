/** Tickgate's commands as processes, for the tests of whole processes. */
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { TickPatch } from "../../src/base/tick.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
/** The longest wait for a condition: long enough for a busy machine. */
const DEADLINE = 15_000;

/** An ended process, and its output. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Waits until a condition holds; checks it at each change. */
export async function until(changes: EventEmitter, condition: () => boolean, what: string): Promise<void> {
  const signal = AbortSignal.timeout(DEADLINE);
  while (!condition()) {
    try {
      await once(changes, "change", { signal });
    } catch (error) {
      throw new Error(`waited ${DEADLINE} ms for ${what}`, { cause: error });
    }
  }
}

/** Repeats a request until the answer is as wanted. */
export async function polled<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean, what: string): Promise<T> {
  const deadline = performance.now() + DEADLINE;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (performance.now() > deadline) throw new Error(`waited ${DEADLINE} ms for ${what}; it is ${String(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** @param files the process's limit on open files; by default the system's */
function start(args: readonly string[], files?: number): ChildProcess {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TICKGATE_")));
  const command = [process.execPath, MAIN, ...args];
  if (files !== undefined) command.unshift("bash", "-c", `ulimit -n ${files}; exec "$@"`, "bash");
  return spawn(command[0], command.slice(1), { stdio: ["pipe", "pipe", "pipe"], env });
}

/** Runs a command to its end. */
export async function runTickgate(...args: string[]): Promise<Ended> {
  const child = start(args);
  let [stdout, stderr] = ["", ""];
  child.stdout!.on("data", (chunk: Buffer) => (stdout += chunk));
  child.stderr!.on("data", (chunk: Buffer) => (stderr += chunk));
  const [code] = (await once(child, "close", { signal: AbortSignal.timeout(DEADLINE) })) as [number | null];
  return { code, stdout, stderr };
}

/** A server command as a process. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #changes = new EventEmitter();
  #stdout = "";
  #stderr = "";
  /** The clients' port and the admin port. */
  port = 0;
  adminPort = 0;

  protected constructor(args: readonly string[], files?: number) {
    this.#child = start(args, files);
    this.#child.stdout!.on("data", (chunk: Buffer) => {
      this.#stdout += chunk;
      this.#changes.emit("change");
    });
    this.#child.stderr!.on("data", (chunk: Buffer) => (this.#stderr += chunk));
    this.#child.on("exit", () => this.#changes.emit("change"));
    // A process that has ended does not read: its exit reports that.
    this.#child.stdin!.on("error", () => {});
  }

  /** Runs a command, and waits until it listens. */
  static async open(...args: string[]): Promise<ServerProcess> {
    return new ServerProcess(args).untilListening();
  }

  protected async untilListening(): Promise<this> {
    try {
      await until(this.#changes, () => this.#stdout.includes("metrics") || !this.alive, "the process to listen");
    } catch (error) {
      // It would keep the test's process alive until the runner ends that, minutes later.
      await this.close();
      throw error;
    }
    this.port = Number(/wss?:\/\/[^:]+:(\d+)\//.exec(this.#stdout)?.[1] ?? 0);
    this.adminPort = Number(/:(\d+)\/metrics/.exec(this.#stdout)?.[1] ?? 0);
    if (this.adminPort === 0) throw new Error(`the process did not start: ${this.#stderr}`);
    return this;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** The port of `--redirect-port`. */
  get redirectPort(): number {
    return Number(/redirect http:\/\/[^:]+:(\d+)\//.exec(this.#stdout)?.[1] ?? 0);
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The suffix of the scheme of its addresses with TLS. */
  get #s(): string {
    return this.#stdout.includes("https://") ? "s" : "";
  }

  /** Whether the process runs. */
  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get url(): string {
    return `ws${this.#s}://127.0.0.1:${this.port}/v1/stream`;
  }

  /** The answer of a path of the clients' port. */
  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`http${this.#s}://127.0.0.1:${this.port}${path}`, { headers });
  }

  /** The answer of a path of the admin port. */
  admin(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`http${this.#s}://127.0.0.1:${this.adminPort}${path}`, { headers });
  }

  /** A number on the metrics page; the sum of all labels. */
  async metric(name: string): Promise<number> {
    const page = await (await this.admin("/metrics")).text();
    const lines = page.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  }

  /** Waits until the market knows a symbol. */
  async known(symbol: string): Promise<void> {
    const ask = async () => (await (await this.get("/v1/symbols")).json()) as { symbols: string[] };
    await polled(ask, ({ symbols }) => symbols.includes(symbol), `${symbol} to be known`);
  }

  /** The standard input of the process. */
  protected get input(): Writable {
    return this.#child.stdin!;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until the process has ended. */
  async ended(): Promise<Ended> {
    await until(this.#changes, () => !this.alive, "the gateway to end");
    return { code: this.#child.exitCode, stdout: this.#stdout, stderr: this.#stderr };
  }

  /** Ends it, if it has not ended by itself. */
  async close(): Promise<void> {
    if (!this.alive) return;
    this.#child.kill("SIGKILL");
    await until(this.#changes, () => !this.alive, "the gateway to end");
  }
}

const FED_BY_TEST = ["--admin-port", "0", "--feed", "ndjson:-?silence=0&channels=quote,book,trade,bar"];

/** `tickgate all` with a feed that the test writes, and that may be silent. */
export class GatewayProcess extends ServerProcess {
  /** Starts one with some settings, and waits until it listens. */
  static override async open(...args: string[]): Promise<GatewayProcess> {
    return new GatewayProcess(["all", "--port", "0", ...FED_BY_TEST, ...args]).untilListening();
  }

  /** Starts one with a limit on open files. */
  static async openWithFiles(files: number, ...args: string[]): Promise<GatewayProcess> {
    return new GatewayProcess(["all", "--port", "0", ...FED_BY_TEST, ...args], files).untilListening();
  }

  /** A feed by itself, for a bus. */
  static async openFeed(...args: string[]): Promise<GatewayProcess> {
    return new GatewayProcess(["feed", ...FED_BY_TEST, ...args]).untilListening();
  }

  /** A tick of the market. */
  tick(symbol: string, patch: TickPatch & { time?: number }): void {
    this.input.write(`${JSON.stringify({ symbol, ...patch })}\n`);
  }

  /** Many ticks in one write. */
  ticks(lines: readonly object[]): void {
    this.input.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }

  /** The feed ends: its symbols are closed. */
  endFeed(): void {
    this.input.end();
  }
}

/** The clients in examples/ as processes whose lines are read. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const EXAMPLES = fileURLToPath(new URL("../../examples/", import.meta.url));
/** A build fetches and compiles the modules, the first time on a machine also the standard library. */
const BUILD_TIME = 300_000;
/**
 * How long a test waits for a line or an end, ms: after many failures an example waits for 30 s until its next attempt.
 */
const PATIENCE = 60_000;

/** An example's language: what runs the example, or why it cannot be run here. */
export type Language = { readonly name: string } & (
  | { readonly command: readonly string[] }
  | { readonly missing: string }
);

/** The languages of the examples, compiled where necessary. */
export function languages(): Language[] {
  return [
    { name: "Node", command: [process.execPath, join(EXAMPLES, "node/ticker.mjs")] },
    { name: "Python", ...python() },
    { name: "Go", ...go() },
  ];
}

function python(): { command: string[] } | { missing: string } {
  const has = (program: string) => spawnSync(program, ["-c", "import websockets, msgpack"]).status === 0;
  const found = ["python3", "/usr/bin/python3"].find(has);
  if (found) return { command: [found, join(EXAMPLES, "python/ticker.py")] };
  return { missing: "apt-get install python3 python3-websockets python3-msgpack" };
}

function go(): { command: string[] } | { missing: string } {
  if (spawnSync("go", ["version"]).error) return { missing: "apt-get install golang-go" };
  const folder = mkdtempSync(join(tmpdir(), "tickgate-go-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const run = (...args: string[]) =>
    spawnSync("go", args, {
      cwd: join(EXAMPLES, "go"),
      // No other toolchain is fetched, and no C compiler is needed.
      env: { ...process.env, GOTOOLCHAIN: "local", CGO_ENABLED: "0" },
      encoding: "utf8",
      timeout: BUILD_TIME,
    });
  const download = run("mod", "download");
  if (download.status !== 0) return { missing: `go mod download: ${download.stderr.trim() || "no answer"}` };
  const program = join(folder, "ticker");
  // Without the commit, since git may not trust the folder.
  const build = run("build", "-buildvcs=false", "-o", program, ".");
  if (build.status !== 0) throw new Error(`examples/go does not build: ${build.stderr || "it took too long"}`);
  return { command: [program] };
}

/** A running example. */
export class ExampleProgram {
  readonly name: string;
  readonly lines: string[] = [];
  errors = "";
  readonly #child: ChildProcess;
  readonly #changes = new EventEmitter();
  #closed = false;

  /** It ends with the test. */
  constructor(t: TestContext, language: Extract<Language, { command: readonly string[] }>, ...args: string[]) {
    const [program, ...first] = language.command;
    this.name = language.name;
    this.#child = spawn(program, [...first, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    t.after(() => this.#child.kill("SIGKILL"));
    createInterface(this.#child.stdout!).on("line", (line) => {
      this.lines.push(line);
      this.#changes.emit("change");
    });
    this.#child.stderr!.on("data", (chunk: Buffer) => {
      this.errors += chunk;
    });
    this.#child.on("close", () => {
      this.#closed = true;
      this.#changes.emit("change");
    });
  }

  /** Waits for a line, starting at the given one. @returns the number of the next line */
  async printed(line: RegExp, from = 0): Promise<number> {
    let found = -1;
    const isThere = () => {
      found = this.lines.findIndex((text, index) => index >= from && line.test(text));
      return found >= 0 || this.#closed;
    };
    await this.#until(isThere, `to print ${line}`, from);
    if (found < 0) throw new Error(`${this.name} ended before it printed ${line}: ${this.errors}`);
    return found + 1;
  }

  /** From now on its output is not read. */
  leave(): void {
    this.#child.stdout!.destroy();
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  /** Waits for its end. @returns the exit code */
  async ended(): Promise<number | null> {
    await this.#until(() => this.#closed, "to end", 0);
    return this.#child.exitCode;
  }

  async #until(condition: () => boolean, what: string, from: number): Promise<void> {
    const signal = AbortSignal.timeout(PATIENCE);
    while (!condition())
      await once(this.#changes, "change", { signal }).catch((cause) => {
        const printed = this.lines.slice(from).join("\n");
        throw new Error(`waited ${PATIENCE} ms for ${this.name} ${what}; it printed\n${printed}\n${this.errors}`, {
          cause,
        });
      });
  }
}

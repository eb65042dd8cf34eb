/**
 * bin/tickgate.js on a Node that cannot run the sources: what it forwards to the Node that can, and how both end.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { polled, until } from "./support/gateway_process.ts";

const LAUNCHER = fileURLToPath(new URL("../bin/tickgate.js", import.meta.url));
/** Where Debian installs its Node, besides the folders of PATH. */
const FOLDERS = [...(process.env.PATH ?? "").split(delimiter), "/usr/bin"];
/** Makes this Node report another version. */
const AS_NODE_20 =
  'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.0.0"}})';

/** Ports that the system chooses. */
const ANY_PORTS = ["--port", "0", "--admin-port", "0"] as const;

/** A Node of another version; if the machine has none, this one with another version number. */
function otherNode(): readonly [string, ...string[]] {
  for (const folder of FOLDERS) {
    const path = join(folder, process.platform === "win32" ? "node.exe" : "node");
    if (!existsSync(path)) continue;
    const version = spawnSync(path, ["--version"], { encoding: "utf8" }).stdout;
    if (/^v\d/.test(version) && !version.startsWith("v22.")) return [path];
  }
  return [process.execPath, "--import", AS_NODE_20];
}

/** A launcher and its processes. */
class Launched {
  readonly #child: ChildProcess;
  readonly #changes = new EventEmitter();
  /** Ends when the launcher and its processes have ended: each of them has the other end open. */
  readonly #log: Promise<string>;
  #stdout = "";

  constructor(args: readonly string[]) {
    const [node, ...options] = otherNode();
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TICKGATE_")));
    // In a new process group, as a terminal starts each command.
    this.#child = spawn(node, [...options, LAUNCHER, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env,
      detached: true,
    });
    this.#log = text(this.#child.stderr!);
    this.#child.stdout!.on("data", (chunk: Buffer) => {
      this.#stdout += chunk;
      this.#changes.emit("change");
    });
    this.#child.on("exit", () => this.#changes.emit("change"));
  }

  /** Runs a command, and waits for its first output. */
  static async open(t: TestContext, said: string, ...args: string[]): Promise<Launched> {
    const launched = new Launched(args);
    t.after(() => launched.#kill());
    await launched.said(said);
    return launched;
  }

  /** `tickgate all` with a feed on standard input. */
  static openAll(t: TestContext): Promise<Launched> {
    return Launched.open(t, "/status", "all", ...ANY_PORTS, "--feed", "ndjson:-");
  }

  /** Waits for a text on standard output. */
  async said(what: string): Promise<void> {
    await until(this.#changes, () => this.#stdout.includes(what) || !this.#runs, JSON.stringify(what));
    assert.ok(this.#runs, "it ended");
  }

  get #runs(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Host and port for clients. */
  get address(): string {
    return /ws:\/\/(\S+)\/v1\/stream/.exec(this.#stdout)?.[1] ?? "";
  }

  write(line: string): void {
    this.#child.stdin!.write(line);
  }

  /** A signal to the launcher alone. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** A signal to all processes, as Ctrl-C in a terminal sends it. */
  signalAll(signal: NodeJS.Signals): void {
    process.kill(-(this.#child.pid as number), signal);
  }

  /** Waits until the launcher and its processes have ended. */
  async ended(): Promise<{ code: number | null; signal: string | null; log: string }> {
    let log: string | undefined;
    this.#log.then((all) => {
      log = all;
      this.#changes.emit("change");
    });
    await until(this.#changes, () => log !== undefined && !this.#runs, "all processes to end");
    return { code: this.#child.exitCode, signal: this.#child.signalCode, log: log as string };
  }

  #kill(): void {
    try {
      this.signalAll("SIGKILL");
    } catch {
      // All have ended.
    }
  }
}

test("standard input reaches the feed, SIGTERM the gateway, and its exit code is the launcher's", async (t) => {
  const launched = await Launched.openAll(t);
  launched.write('{"symbol":"SIM:A","bid":1,"ask":2}\n');
  const symbols = async () => {
    const answer = await fetch(`http://${launched.address}/v1/symbols`);
    return ((await answer.json()) as { symbols: string[] }).symbols;
  };
  await polled(symbols, (names) => names.includes("SIM:A"), "the symbol to be known");
  launched.signal("SIGTERM");
  const { code, log } = await launched.ended();
  assert.match(log, /"stopped"/);
  assert.equal(code, 0);
});

test("Ctrl-C, which the terminal sends to both and the launcher forwards, counts once: the gateway drains", async (t) => {
  const launched = await Launched.openAll(t);
  launched.signalAll("SIGINT");
  const { code, log } = await launched.ended();
  assert.match(log, /"stopped"/);
  assert.equal(code, 0);
});

test("a gateway whose launcher is killed with SIGKILL ends as at SIGTERM", async (t) => {
  const launched = await Launched.openAll(t);
  launched.signal("SIGKILL");
  const { signal, log } = await launched.ended();
  assert.equal(signal, "SIGKILL");
  assert.match(log, /"stopped"/);
});

test("so do the workers of one", async (t) => {
  const args = [...ANY_PORTS, "--workers", "2", "--redis-url", "redis://127.0.0.1:1"];
  const launched = await Launched.open(t, "/status", "gateway", ...args);
  launched.signal("SIGKILL");
  const { log } = await launched.ended();
  assert.equal(log.match(/"stopped"/g)?.length, 2);
});

test("a command that is not a server ends with its launcher too", async (t) => {
  const gateway = await Launched.openAll(t);
  gateway.write('{"symbol":"SIM:A","bid":1.25,"ask":2}\n');
  const watch = await Launched.open(t, "1.25", "watch", "SIM:*", "--url", `ws://${gateway.address}/v1/stream`);
  watch.signal("SIGKILL");
  assert.equal((await watch.ended()).signal, "SIGKILL");
});

test("a process whose launcher has ended before its start ends too", async (t) => {
  const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
  const child = spawn(process.execPath, [main, "all", ...ANY_PORTS], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  t.after(() => child.kill("SIGKILL"));
  child.disconnect();
  const [, signal] = await once(child, "exit", { signal: AbortSignal.timeout(15_000) });
  assert.equal(signal, null, "it ended by itself");
});

test("without the Node that it needs it prints one line that names it, with exit code 2", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-launcher-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  copyFileSync(LAUNCHER, join(folder, "bin/tickgate.js"));
  const [node, ...options] = otherNode();
  const { status, stderr } = spawnSync(node, [...options, join(folder, "bin/tickgate.js")], { encoding: "utf8" });
  assert.match(stderr, /^tickgate needs Node 22\.18 or a later 22, and this is v[\d.]+; .*\n$/);
  assert.equal(status, 2);
});

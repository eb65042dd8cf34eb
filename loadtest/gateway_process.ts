/** A real gateway as a child process on free ports, and its metrics page. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { get } from "../scripts/cluster/probe.ts";
import { UsageError } from "../src/settings/option.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
/** How long it may take to start and to end, ms: enough for a busy machine. */
const TIMEOUT = 60_000;
/** The pause between two checks, ms. */
const CHECK_PAUSE = 50;

export class GatewayProcess {
  readonly #child: ChildProcess;
  readonly #ca: string | undefined;
  readonly adminPort: number;
  readonly port: number;

  private constructor(child: ChildProcess, port: number, adminPort: number, ca: string | undefined) {
    this.#ca = ca;
    this.#child = child;
    this.port = port;
    this.adminPort = adminPort;
  }

  /**
   * Starts `tickgate all`, or `tickgate gateway` where that is wanted.
   * @param args its flags, except for ports and the log
   * @param nodeArgs Node's flags
   * @param ca the certificate with which it speaks TLS, as text
   * @throws UsageError when it does not start
   */
  static async start(
    args: readonly string[],
    nodeArgs: readonly string[] = [],
    { command = "all", ca }: { command?: "all" | "gateway"; ca?: string } = {},
  ): Promise<GatewayProcess> {
    const own = ["--port", "0", "--admin-port", "0", "--log-level", "warn"];
    // A settings file or the environment must not change the measurement.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TICKGATE_")));
    const child = spawn(process.execPath, [...nodeArgs, MAIN, command, ...own, ...args], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT);
    let port: number | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      const [, name, found] = /^ +(stream|metrics) +\w+:\/\/[^/]+:(\d+)\//.exec(line) ?? [];
      if (name === "stream") port = Number(found);
      if (name !== "metrics" || port === undefined) continue;
      clearTimeout(timer);
      child.stdout.resume();
      return new GatewayProcess(child, port, Number(found), ca);
    }
    clearTimeout(timer);
    throw new UsageError("the gateway did not start; see its output above");
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid as number;
  }

  get metricsUrl(): string {
    return `http${this.#ca === undefined ? "" : "s"}://127.0.0.1:${this.adminPort}/metrics`;
  }

  /** The values of the metrics page, by name with labels. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const { body } = await get(this.metricsUrl, { ca: this.#ca });
    const lines = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(
      lines.map((line) => line.split(" ") as [string, string]).map(([name, text]) => [name, Number(text)]),
    );
  }

  /** Waits until it has no connection. @throws UsageError when some stay */
  async untilEmpty(): Promise<void> {
    const deadline = performance.now() + TIMEOUT;
    while ((await this.metrics()).get("tickgate_connections") !== 0) {
      if (performance.now() > deadline) throw new UsageError("the connections to the gateway do not end");
      await sleep(CHECK_PAUSE);
    }
  }

  /** Ends it with SIGTERM, or with SIGKILL after a timeout. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), TIMEOUT);
    this.#child.kill("SIGTERM");
    await gone;
    clearTimeout(timer);
  }
}

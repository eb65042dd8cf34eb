/** Real Redis servers for tests: each in its own folder, on a free port, ended with its process. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** If the program is missing, fails with the command that installs it. */
export function requireProgram(program: string, install: string): void {
  if (spawnSync(program, ["--version"]).error) throw new Error(`${program} is missing: ${install}`);
}

/** A failed test may leave servers running: they end with its process. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const server of running) server.kill("SIGKILL");
});

export class RedisServer {
  readonly port: number;
  readonly dir: string;
  readonly #flags: readonly string[];
  readonly #config: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(flags: readonly string[], port: number, config: readonly string[]) {
    this.port = port;
    this.#flags = flags;
    this.dir = mkdtempSync(join(tmpdir(), "tickgate-redis-"));
    this.#config = config;
  }

  /** Starts a server with these lines of configuration, and waits until it answers. */
  static async start(config: readonly string[] = [], port?: number): Promise<RedisServer> {
    requireProgram("redis-server", "apt-get install redis-server");
    for (let triesLeft = 10; ; triesLeft--) {
      const lines = ["save ''", "appendonly no", ...config];
      const server = new RedisServer([], port ?? (await freePort()), lines);
      try {
        await server.run();
        return server;
      } catch (error) {
        await server.stop();
        // A free port may be taken again; a Cluster's node also needs the one 10,000 above, which may not exist.
        if (port !== undefined || triesLeft === 0) throw error;
      }
    }
  }

  /** Starts a Sentinel with these lines of configuration. */
  static async startSentinel(config: readonly string[]): Promise<RedisServer> {
    requireProgram("redis-server", "apt-get install redis-server");
    const server = new RedisServer(["--sentinel"], await freePort(), config);
    await server.run();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts the process, also after {@link kill}, which loses its data. */
  async run(): Promise<void> {
    const file = join(this.dir, "redis.conf");
    const lines = [`port ${this.port}`, "bind 127.0.0.1", `dir ${this.dir}`, "logfile redis.log", ...this.#config];
    writeFileSync(file, `${lines.join("\n")}\n`);
    this.#process = spawn("redis-server", [file, ...this.#flags], { stdio: "ignore" });
    running.add(this.#process);
    await this.#answers();
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  async kill(): Promise<void> {
    const process = this.#process;
    if (process) running.delete(process);
    if (!process || process.exitCode !== null || process.signalCode !== null) return;
    const exited = once(process, "exit");
    process.kill("SIGKILL");
    await exited;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** A plain client, for changes that bypass the bus. */
  client(): Redis {
    return new Redis({ host: "127.0.0.1", port: this.port });
  }

  #log(): string {
    const file = join(this.dir, "redis.log");
    return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").slice(-2).join("; ") : "it wrote no log";
  }

  /** Repeats a request until any answer; a refusal (a missing password) is one too. */
  async #answers(): Promise<void> {
    for (const deadline = performance.now() + 10_000; ; ) {
      if (this.#process?.exitCode !== null) throw new Error(`redis-server ended: ${this.#log()}`);
      const client = new Redis({ port: this.port, lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
      let refusal = "";
      client.on("error", (error) => {
        refusal += error.message;
      });
      try {
        await client.connect();
        await client.ping();
        return;
      } catch (error) {
        if (/NOAUTH|WRONGPASS/.test(refusal)) return;
        if (performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      } finally {
        client.disconnect();
      }
    }
  }
}

/** The topology of docker-compose.yml as plain processes: Redis, two feeds, three gateways and HAProxy before them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ClusterProcess, type ProcessEvents, type ProcessSpec } from "./cluster_process.ts";
import { answersOk, type Credentials, freePorts, hasLivePrice, redisAnswers, waitUntil } from "./probe.ts";
import { type ClusterTls, type ClusterTokens, createTls, createTokens } from "./security.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LOCALHOST = "127.0.0.1";
/** As many as config/haproxy.cfg has servers. */
const GATEWAYS = 3;
/** One leads, one stands by. */
const FEEDS = 2;
/** How long a gateway may take to drain, in milliseconds: delay, spread and a margin. */
const DRAIN_TIME = 10_000;
const STOP_TIME = 5_000;

/** Settings of gateways behind a balancer, as in docker-compose.yml; the environment overrides them. */
export const GATEWAY_ENV = {
  TICKGATE_MAX_CONNECTIONS_PER_ADDRESS: "20000",
  TICKGATE_TRUSTED_PROXIES: "127.0.0.1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16",
};

export interface ClusterOptions {
  /** Where clients connect; 0 for a free port. */
  readonly port: number;
  /** The feeds of both publishers. */
  readonly feeds: readonly string[];
  /** Whether the publishers' standard input is a pipe that we write to. */
  readonly feedInput?: boolean;
  /** More environment for the publishers and gateways. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the balancer, the gateways and the admin ports of Tickgate speak TLS. */
  readonly tls?: boolean;
  /** Whether the gateways require tokens. */
  readonly tokens?: boolean;
  /** A process printed a line. */
  line?(part: ClusterProcess, line: string): void;
  /** A ready process ended without being stopped. */
  lost?(part: ClusterProcess, how: string): void;
}

export class Cluster {
  readonly redis: ClusterProcess;
  readonly feeds: readonly ClusterProcess[];
  readonly gateways: readonly ClusterProcess[];
  readonly balancer: ClusterProcess;
  /** The balancer's port, and its admin port. */
  readonly port: number;
  readonly adminPort: number;
  readonly redisPort: number;
  readonly #gatewayPorts: readonly number[];
  readonly #gatewayAdminPorts: readonly number[];
  readonly #feedAdminPorts: readonly number[];
  readonly #options: ClusterOptions;
  readonly #guard: ChildProcess;
  readonly #events: ProcessEvents;
  /** A folder for files of the processes, deleted with the cluster. */
  readonly folder: string;
  readonly tls: ClusterTls | undefined;
  readonly tokens: ClusterTokens | undefined;
  /** Processes from `add`. */
  readonly #added: ClusterProcess[] = [];
  #isUp = false;
  #ending: Promise<void> | undefined;

  private constructor(options: ClusterOptions, ports: number[]) {
    this.#options = options;
    const folder = mkdtempSync(join(tmpdir(), "tickgate-cluster-"));
    this.folder = folder;
    this.#guard = spawn(process.execPath, [fileURLToPath(new URL("guard.ts", import.meta.url)), folder], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    this.#guard.stdin?.on("error", () => {});
    this.tls = options.tls ? createTls(folder) : undefined;
    this.tokens = options.tokens ? createTokens(folder) : undefined;
    const notifyGuard = (text: string) => this.#guard.stdin?.write(`${text}\n`);
    const events: ProcessEvents = {
      line: (part, line) => options.line?.(part, line),
      started: (pid) => notifyGuard(`+${pid}`),
      ended: (pid) => notifyGuard(`-${pid}`),
      lost: (part, how) => {
        if (this.#isUp && !this.#ending) options.lost?.(part, how);
      },
    };
    this.#events = events;
    const next = () => ports.shift() as number;
    this.port = options.port === 0 ? next() : options.port;
    this.adminPort = next();
    this.redisPort = next();
    this.#feedAdminPorts = Array.from({ length: FEEDS }, next);
    this.#gatewayPorts = Array.from({ length: GATEWAYS }, next);
    this.#gatewayAdminPorts = Array.from({ length: GATEWAYS }, next);
    this.redis = new ClusterProcess(this.#redisSpec(folder), events);
    this.feeds = this.#feedAdminPorts.map((port, index) => new ClusterProcess(this.#feedSpec(index, port), events));
    this.gateways = this.#gatewayPorts.map((port, index) => new ClusterProcess(this.#gatewaySpec(index, port), events));
    this.balancer = new ClusterProcess(this.#balancerSpec(), events);
  }

  /** Creates a cluster whose processes are not started. */
  static async create(options: ClusterOptions): Promise<Cluster> {
    return new Cluster(options, await freePorts(3 + FEEDS + GATEWAYS * 2));
  }

  /** Where clients connect. */
  get url(): string {
    return `ws${this.#s}://${LOCALHOST}:${this.port}/v1/stream`;
  }

  /** A gateway's address without the balancer; its admin address is `gatewayAdminUrl`. */
  gatewayUrl(index: number): string {
    return `http${this.#s}://${LOCALHOST}:${this.#gatewayPorts[index]}`;
  }

  gatewayAdminUrl(index: number): string {
    return `http${this.#s}://${LOCALHOST}:${this.#gatewayAdminPorts[index]}`;
  }

  feedAdminUrl(index: number): string {
    return `http${this.#s}://${LOCALHOST}:${this.#feedAdminPorts[index]}`;
  }

  get adminUrl(): string {
    return `http://${LOCALHOST}:${this.adminPort}`;
  }

  get #s(): string {
    return this.tls ? "s" : "";
  }

  get #credentials(): Credentials {
    return { ca: this.tls?.ca, token: this.tokens?.token };
  }

  /** The settings of every process of Tickgate's. */
  get #env(): Record<string, string> {
    return {
      ...(this.tls && { TICKGATE_TLS_CERT: this.tls.cert, TICKGATE_TLS_KEY: this.tls.key }),
      ...this.#options.env,
    };
  }

  /** All processes, in the order in which they start. */
  get processes(): readonly ClusterProcess[] {
    return [this.redis, ...this.feeds, ...this.gateways, this.balancer];
  }

  /** Adds a process, such as a monitor. The caller starts it; it ends with the cluster. */
  add(spec: ProcessSpec): ClusterProcess {
    const part = new ClusterProcess(spec, this.#events);
    this.#added.push(part);
    return part;
  }

  /**
   * Starts all processes in the order of their dependencies; when one fails, stops the others.
   * @throws UsageError with the process that failed and its output
   */
  async start(): Promise<void> {
    try {
      for (const group of [[this.redis], [...this.feeds, ...this.gateways], [this.balancer]]) {
        if (this.#ending) break;
        await Promise.all(group.map((part) => part.start()));
      }
      this.#isUp = true;
    } catch (error) {
      await this.stop();
      throw error;
    }
    if (this.#ending) await this.#ending;
  }

  /** Stops all processes: gateways drain first, then the feeds, the balancer and Redis. */
  stop(): Promise<void> {
    this.#ending ??= this.#stop();
    return this.#ending;
  }

  /** Kills all processes. */
  async kill(): Promise<void> {
    await Promise.all([...this.#added, ...this.processes].map((part) => part.kill()));
  }

  async #stop(): Promise<void> {
    for (const group of [this.#added, this.gateways, this.feeds, [this.balancer], [this.redis]])
      await Promise.all(group.map((part) => part.stop()));
    // The guard deletes the folder.
    this.#guard.stdin?.end();
    if (this.#guard.exitCode === null) await once(this.#guard, "exit");
  }

  #redisSpec(folder: string): ProcessSpec {
    const own = ["--bind", LOCALHOST, "--port", String(this.redisPort), "--dir", folder, "--loglevel", "warning"];
    return {
      name: "redis",
      program: "redis-server",
      package: "redis-server",
      args: [join(ROOT, "config/redis.conf"), ...own],
      log: "stdout",
      ready: () => redisAnswers(this.redisPort),
      stopSignal: "SIGTERM",
      stopTime: STOP_TIME,
    };
  }

  #feedSpec(index: number, adminPort: number): ProcessSpec {
    const feeds = this.#options.feeds.flatMap((feed) => ["--feed", feed]);
    const name = `feed${index + 1}`;
    return {
      name,
      ...this.#tickgate("feed", ["--node", name, "--admin-port", String(adminPort), ...feeds]),
      input: this.#options.feedInput,
      ready: () => answersOk(`${this.feedAdminUrl(index)}/readyz`, this.#credentials),
      stopSignal: "SIGTERM",
      stopTime: STOP_TIME,
    };
  }

  #gatewaySpec(index: number, port: number): ProcessSpec {
    const name = `gateway${index + 1}`;
    const adminPort = this.#gatewayAdminPorts[index];
    const args = ["--node", name, "--port", String(port), "--admin-port", String(adminPort)];
    return {
      name,
      ...this.#tickgate("gateway", args),
      env: {
        ...GATEWAY_ENV,
        ...process.env,
        ...(this.tokens && { TICKGATE_AUTH: "required", TICKGATE_JWT_SECRET: this.tokens.secret }),
        ...this.#env,
      },
      ready: () => answersOk(`${this.gatewayAdminUrl(index)}/readyz`, this.#credentials),
      stopSignal: "SIGTERM",
      stopTime: DRAIN_TIME,
    };
  }

  #tickgate(command: string, args: readonly string[]): Pick<ProcessSpec, "program" | "args" | "env" | "log"> {
    const redis = ["--redis-url", `redis://${LOCALHOST}:${this.redisPort}`];
    return {
      program: process.execPath,
      args: [join(ROOT, "src/main.ts"), command, "--host", LOCALHOST, ...redis, ...args],
      env: this.#env,
      log: "stderr",
    };
  }

  #balancerSpec(): ProcessSpec {
    const env: Record<string, string> = {
      BALANCER_ADDRESS: `${LOCALHOST}:${this.port}`,
      BALANCER_ADMIN_ADDRESS: `${LOCALHOST}:${this.adminPort}`,
      ...(this.tls && {
        BALANCER_TLS: `ssl crt ${this.tls.both} ssl-min-ver TLSv1.2`,
        GATEWAY_TLS: `ssl verify required ca-file ${this.tls.cert} check-ssl`,
      }),
    };
    this.#gatewayPorts.forEach((port, index) => {
      env[`GATEWAY${index + 1}_ADDRESS`] = `${LOCALHOST}:${port}`;
      env[`GATEWAY${index + 1}_ADMIN_PORT`] = String(this.#gatewayAdminPorts[index]);
    });
    return {
      name: "haproxy",
      program: "haproxy",
      package: "haproxy",
      args: ["-db", "-f", join(ROOT, "config/haproxy.cfg")],
      env,
      log: "stdout",
      ready: async () => (await answersOk(`${this.adminUrl}/healthz`)) && this.#servesAll(),
      stopSignal: "SIGUSR1",
      stopTime: STOP_TIME,
    };
  }

  /** Whether the balancer considers every gateway ready. */
  async #servesAll(): Promise<boolean> {
    const page = await (await fetch(`${this.adminUrl}/;csv`)).text();
    const up = page.split("\n").filter((line) => /^gateways,gateway\d+,.*,UP,/.test(line));
    return up.length === GATEWAYS;
  }

  /**
   * Waits until every gateway and the balancer have a live price.
   * @param deadline ms from now
   * @returns false after the deadline, or when the cluster is stopped
   */
  async untilPriced(deadline: number): Promise<boolean> {
    const urls = [
      ...this.gateways.map((_, index) => this.gatewayUrl(index)),
      `http${this.#s}://${LOCALHOST}:${this.port}`,
    ];
    const isPriced = async () => {
      for (const url of urls) if (!(await hasLivePrice(url, this.#credentials))) return false;
      return true;
    };
    return (await waitUntil(async () => this.#ending !== undefined || (await isPriced()), deadline)) && !this.#ending;
  }

  /** Waits until the balancer considers every gateway ready. @param deadline ms from now @returns false after it */
  untilServed(deadline: number): Promise<boolean> {
    return waitUntil(() => this.#servesAll(), deadline);
  }
}

/**
 * A connection to Redis that is kept for as long as the process runs: it is opened again whenever it is lost, and
 * probed, because a server that hangs or a cable that is cut looks like one that has nothing to say.
 */
import { Cluster, type Redis } from "ioredis";
import type { Logger } from "pino";
import type { Clock } from "../../../base/clock.ts";
import { ClockOffset } from "../../../base/clock_offset.ts";
import { Histogram } from "../../../base/histogram.ts";
import { RateLimitedLog } from "../../../log/rate_limited_log.ts";
import type { RedisClient } from "./client.ts";

/** How often the other end is asked whether it is there, in milliseconds. */
const PROBE_INTERVAL = 1_000;
/** How long it may take to answer, in milliseconds: longer than any script takes. */
const PROBE_TIMEOUT = 2_500;

const UNREACHABLE = "Redis is not reachable; trying again";

/** What a command may be given. */
export type RedisArgument = string | number | Buffer;

/** A connection that was lost or not there, as an error of a command. */
export class RedisDownError extends Error {
  override name = "RedisDownError";
}

/** Whether a command failed because the connection was lost: {@link RedisLink} logs that itself. */
export function isConnectionLoss(error: Error): boolean {
  // ioredis has no class for its own error.
  return error instanceof RedisDownError || error.message === "Connection is closed.";
}

export class RedisLink {
  readonly client: RedisClient;
  /** How far our clock is from Redis', where this link asks for it. */
  readonly offset = new ClockOffset();
  /** How long probes took that were answered. */
  readonly roundTrip: Histogram;
  readonly #asksTime: boolean;
  readonly #what: string;
  readonly #clock: Clock;
  readonly #events: RateLimitedLog;
  readonly #upListeners: (() => void)[] = [];
  readonly #downListeners: (() => void)[] = [];
  /** Since when each node owes an answer to a probe, or, where it is not ready, owes to be. */
  readonly #asked = new Map<Redis, { at: number; isReady: boolean }>();
  #timer: NodeJS.Timeout | undefined;
  #ups = 0;
  #isUp = false;
  #isClosed = false;
  /** The node whose clock is asked for. */
  #timekeeper = "";
  #lastError = "";
  #loggedError: string | undefined;

  /**
   * @param what names the server in the log, without secrets
   * @param asksTime whether a probe asks for the time as well: of all links of a process one does
   */
  constructor(
    client: RedisClient,
    what: string,
    clock: Clock,
    log: Logger,
    asksTime = false,
    roundTrip = new Histogram(),
  ) {
    this.client = client;
    this.roundTrip = roundTrip;
    this.#asksTime = asksTime;
    this.#what = what;
    this.#clock = clock;
    this.#events = new RateLimitedLog(log, clock);
    // An EventEmitter's type keeps the union of both clients from being called: they share these events.
    const events = client as Redis;
    events.on("ready", () => this.#ready());
    events.on("close", () => this.#down());
    events.on("end", () => this.#down());
    events.on("error", (error: Error) => this.#failed(error));
    events.on("node error" as "error", (error: Error) => {
      this.#lastError = error.message;
    });
  }

  /** Begins to connect; what goes wrong is logged and tried again until {@link close}. */
  open(): void {
    if (this.#timer) return;
    this.#connect();
    this.#timer = setInterval(() => this.#probe(), PROBE_INTERVAL);
  }

  /** What the server is called, without secrets. */
  get name(): string {
    return this.#what;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** How often the connection has come back after it was lost. */
  get reconnects(): number {
    return Math.max(0, this.#ups - 1);
  }

  /** Why the last try failed; empty when nothing is known. */
  get lastError(): string {
    return this.#lastError;
  }

  /** Calls back whenever the connection has come about, at once if it is there. */
  onUp(listener: () => void): void {
    this.#upListeners.push(listener);
    if (this.#isUp) listener();
  }

  onDown(listener: () => void): void {
    this.#downListeners.push(listener);
  }

  /**
   * Sends a command; texts in the answer are buffers.
   * @throws RedisDownError when there is no connection, or no answer within `timeout` milliseconds
   */
  call(command: string, args: readonly RedisArgument[], timeout: number): Promise<unknown> {
    if (!this.#isUp) return Promise.reject(new RedisDownError(`no connection to ${this.#what}`));
    const answer = this.client.callBuffer(command, ...args);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new RedisDownError(`no answer from ${this.#what}`)), timeout);
      answer.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  /** What is sent meanwhile goes to each node in one go, instead of a write for each command. */
  together(send: () => void): void {
    const streams = this.#masters().map(({ stream }) => stream);
    // A client that has never connected has none.
    for (const stream of streams) stream?.cork();
    try {
      send();
    } finally {
      for (const stream of streams) stream?.uncork();
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#upListeners.length = 0;
    this.#downListeners.length = 0;
    this.#isUp = false;
    this.#isClosed = true;
    this.#events.close();
    // ioredis 6.0 begins its next interval of refreshes even where it was closed during one, and the process would
    // never end.
    if (this.client instanceof Cluster) this.client.refreshSlotsCache = () => {};
    this.client.disconnect();
  }

  #connect(): void {
    // The events tell how it went; ioredis tries again by itself.
    this.client.connect().catch((error: Error) => {
      if (this.#lastError === "") this.#failed(error);
      this.#down();
    });
  }

  /** When the database is refused ioredis goes on in database 0, which may be another system's. */
  #ready(): void {
    const { client } = this;
    if (client instanceof Cluster || !client.options.db) return this.#up();
    client.select(client.options.db).then(
      () => this.#up(),
      (error: Error) => this.#failed(error),
    );
  }

  #up(): void {
    if (this.#isUp || this.client.status !== "ready") return;
    this.#isUp = true;
    this.#ups++;
    // It may be another server than before, with another clock.
    this.offset.forget();
    this.#lastError = "";
    this.#loggedError = undefined;
    this.#events.write("info", { redis: this.#what }, "Redis is connected");
    // What Redis' clock says is to be known before the first value comes.
    this.#probe();
    for (const listener of this.#upListeners) listener();
  }

  #down(): void {
    if (this.#isClosed) return;
    this.#asked.clear();
    const wasUp = this.#isUp;
    this.#isUp = false;
    if (wasUp) this.#loggedError = undefined;
    this.#logReason(wasUp ? "Redis is lost; trying again" : UNREACHABLE);
    if (wasUp) for (const listener of this.#downListeners) listener();
  }

  /** Of Sentinels of which none answers this is the only word: no connection is made that could be lost. */
  #failed(error: Error): void {
    // A Cluster says only that all have failed, and beside it why the last one has.
    const cause = "lastNodeError" in error && error.lastNodeError instanceof Error ? error.lastNodeError : error;
    // How long the next try is away is another number each time.
    this.#lastError = cause.message.replace(/ Retrying from scratch after \d+ms\./, "");
    if (!this.#isUp && !this.#isClosed) this.#logReason(UNREACHABLE);
  }

  /** One line for each change of what is wrong, not one for each try. */
  #logReason(text: string): void {
    if (this.#loggedError === this.#lastError) return;
    this.#loggedError = this.#lastError;
    this.#events.write("warn", { redis: this.#what, reason: this.#lastError }, text);
  }

  /** The nodes that take commands. */
  #masters(): Redis[] {
    const { client } = this;
    return client instanceof Cluster ? client.nodes("master") : [client];
  }

  #probe(): void {
    const now = this.#clock.millis();
    const { client } = this;
    if (!this.#isUp && client.status === "ready") this.#ready();
    const nodes = this.#masters();
    for (const node of this.#asked.keys()) if (!nodes.includes(node)) this.#asked.delete(node);
    const timekeeper = this.#asksTime ? timekeeperOf(nodes) : undefined;
    if (this.#timekeeper !== nameOf(timekeeper)) this.offset.forget();
    this.#timekeeper = nameOf(timekeeper);
    for (const node of nodes) this.#probeNode(node, now, node === timekeeper);
  }

  /** A node that is not ready long after it connected is as bad as one that does not answer. */
  #probeNode(node: Redis, now: number, asksTime: boolean): void {
    const isReady = node.status === "ready";
    const asked = this.#asked.get(node);
    if (asked && now - asked.at > PROBE_TIMEOUT && asked.isReady === isReady) {
      this.#asked.delete(node);
      this.#lastError = `no answer for ${PROBE_TIMEOUT} ms`;
      // A node of a Cluster is found again through the others.
      node.disconnect(!(this.client instanceof Cluster));
    } else if (asked?.isReady !== isReady) {
      this.#asked.delete(node);
      if (!isReady && node.status !== "connect") return;
      this.#asked.set(node, { at: now, isReady });
      if (isReady) this.#ask(node, asksTime);
    }
  }

  #ask(node: Redis, asksTime: boolean): void {
    const askedAt = this.#clock.micros();
    const answered = () => {
      const answeredAt = this.#clock.micros();
      this.#asked.delete(node);
      this.roundTrip.observe(answeredAt - askedAt);
      return answeredAt;
    };
    const failed = (error: Error) => {
      // A user without the right to ask is refused, which is an answer all the same.
      if (error.name === "ReplyError") answered();
      else this.#asked.delete(node);
    };
    if (asksTime)
      node.time().then(([seconds, micros]) => {
        this.offset.add(askedAt, Number(seconds) * 1_000_000 + Number(micros), answered());
      }, failed);
    else node.ping().then(answered, failed);
  }
}

/** Whose clock counts where there are several: all processes must take the same, so it is that of the first by name. */
function timekeeperOf(nodes: readonly Redis[]): Redis | undefined {
  let first: Redis | undefined;
  for (const node of nodes) if (!first || nameOf(node) < nameOf(first)) first = node;
  return first;
}

function nameOf(node: Redis | undefined): string {
  return node ? `${node.options.host}:${node.options.port}` : "";
}

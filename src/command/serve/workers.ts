/**
 * The supervisor of `tickgate gateway --workers N`: N processes share one port, and the kernel distributes
 * connections over them (SO_REUSEPORT). A worker that crashes is started again with a growing delay; one that cannot
 * start ends them all.
 */
import cluster, { type Worker } from "node:cluster";
import type { Logger } from "pino";
import { AdminAccess } from "../../admin/access.ts";
import { mergePages } from "../../admin/metrics/merge.ts";
import { createSupervisorMetrics, type MetricsPage } from "../../admin/metrics/metrics.ts";
import { AdminServer, type AdminSource } from "../../admin/server.ts";
import { mergeReports, type NodeHead } from "../../admin/status/merge.ts";
import { type NodeReport, REPORT_VERSION } from "../../admin/status/report.ts";
import { Backoff } from "../../base/backoff.ts";
import { SystemClock } from "../../base/clock.ts";
import { VERSION } from "../../base/version.ts";
import { freePort } from "../../gateway/http/listen.ts";
import { RedirectServer } from "../../gateway/http/redirect.ts";
import { openCertificate } from "../../gateway/http/tls_certificate.ts";
import type { TraceOutput, TraceRequest } from "../../gateway/latency/tracer.ts";
import { createLog } from "../../log/log.ts";
import { RateLimitedLog } from "../../log/rate_limited_log.ts";
import type { CommandLine } from "../../settings/command_line.ts";
import type { Settings } from "../../settings/settings.ts";
import { announce, endOnFault } from "./announce.ts";
import { untilSignal } from "./signals.ts";
import { type Answers, type Ask, type Tell, type TraceTell, WORKER_ENV } from "./worker_link.ts";

/** The longest time for a worker's answer, ms; later answers are left out. */
const ANSWER_TIME = 2_000;
/** The first and the longest wait before a crashed worker is started again, ms. */
const RESTART_WAIT = [100, 10_000] as const;
/** After running for so long, ms, the next crash of a worker counts as the first. */
const PROVED_GOOD = 30_000;
/** The time for workers to end after the drain, ms, before they are killed. */
const END_TIME = 10_000;

type Answer = Answers[keyof Answers] | undefined;

interface Place {
  readonly number: number;
  readonly backoff: Backoff;
  worker: Worker | undefined;
  listening: boolean;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Runs the workers until SIGTERM or SIGINT, or until one cannot start; then it ends with that worker's exit code.
 * @throws UsageError when the port or the admin port cannot be listened on
 */
export async function runWorkers(line: CommandLine): Promise<void> {
  const { settings } = line;
  const log = createLog(settings);
  endOnFault(log);
  const clock = new SystemClock();
  const events = new RateLimitedLog(log, clock);
  const access = new AdminAccess(settings, events, clock);
  const supervisor = new Supervisor(settings, await freePort(settings.host, settings.port), access, log);
  const certificate = openCertificate(settings, log);
  const admin = new AdminServer(supervisor, settings.adminNames, access, certificate);
  certificate?.watch();
  access.watch();
  const redirect = new RedirectServer(settings, events);
  let [adminPort, redirectPort]: [number, number | undefined] = [0, undefined];
  try {
    adminPort = await admin.listen(settings.adminHost, settings.adminPort);
    redirectPort = await redirect.listen(supervisor.port);
  } catch (error) {
    admin.close();
    redirect.close();
    throw error;
  }
  const signalled = untilSignal(log);
  supervisor.start();
  const first = await Promise.race([supervisor.allListening, supervisor.failed, signalled]);
  if (first === true) supervisor.announce(adminPort, redirectPort);
  const exitCode = await Promise.race([signalled, supervisor.failed]);
  await supervisor.stop();
  redirect.close();
  admin.close();
  certificate?.close();
  access.close();
  events.close();
  if (typeof exitCode === "number") process.exitCode = exitCode;
}

class Supervisor implements AdminSource {
  /** Resolves to true when every worker has listened once. */
  readonly allListening: Promise<true>;
  /** Resolves to an exit code when a worker cannot start. */
  readonly failed: Promise<number>;
  readonly #settings: Settings;
  readonly #port: number;
  readonly #log: Logger;
  readonly #places: Place[];
  readonly #metrics: () => Promise<MetricsPage>;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  /** The output of each trace, by its number. */
  readonly #traces = new Map<number, (tell: TraceTell) => void>();
  #nextAsk = 1;
  #restarts = 0;
  #stopping = false;
  #listened!: (all: true) => void;
  #fail!: (exitCode: number) => void;

  constructor(settings: Settings, port: number, access: AdminAccess, log: Logger) {
    this.#settings = settings;
    this.#port = port;
    this.#log = log;
    this.allListening = new Promise((resolve) => {
      this.#listened = resolve;
    });
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    this.#places = Array.from({ length: settings.workers }, (_, index) => ({
      number: index + 1,
      backoff: new Backoff(...RESTART_WAIT),
      worker: undefined,
      listening: false,
      timer: undefined,
    }));
    this.#metrics = createSupervisorMetrics(settings, {
      running: () => this.#places.filter((place) => place.listening).length,
      restarts: () => this.#restarts,
      refused: () => access.refused,
    });
  }

  start(): void {
    // The last of two flags counts: this is the free port that was found, or that the system chose.
    cluster.setupPrimary({ args: [...process.argv.slice(2), `--port=${this.#port}`] });
    for (const place of this.#places) this.#fork(place);
  }

  get port(): number {
    return this.#port;
  }

  announce(adminPort: number, redirectPort: number | undefined): void {
    const { host, adminHost, tlsCert, workers, watchlist } = this.#settings;
    const s = tlsCert === "" ? "" : "s";
    const lines = [
      `Tickgate is running with ${workers} workers.`,
      "",
      ...(watchlist ? [`  page     http${s}://${host}:${this.#port}/`] : []),
      `  stream   ws${s}://${host}:${this.#port}/v1/stream`,
      ...(redirectPort === undefined ? [] : [`  redirect http://${host}:${redirectPort}/`]),
      `  metrics  http${s}://${adminHost}:${adminPort}/metrics`,
      `  status   http${s}://${adminHost}:${adminPort}/status`,
    ];
    announce(lines);
  }

  /** Ready when a worker was ready at its last answer: the kernel sends no client to a worker that is not running. */
  unready(): string | undefined {
    if (this.#stopping) return "draining";
    return this.#unready;
  }

  /** The last reports of the workers, refreshed each second. */
  #unready: string | undefined = "no worker is running";
  #look: NodeJS.Timeout | undefined;

  async metrics(): Promise<MetricsPage> {
    const own = await this.#metrics();
    const pages = (await this.#askAll("metrics")).filter((page) => page !== undefined);
    return { contentType: own.contentType, body: mergePages([own.body, ...pages]) };
  }

  async report(): Promise<NodeReport> {
    const reports = await this.#askAll("report");
    const head: NodeHead = {
      reportVersion: REPORT_VERSION,
      node: this.#settings.node,
      version: VERSION,
      pid: process.pid,
      time: Date.now() * 1_000,
      uptime: process.uptime() * 1_000,
      unready: this.unready() ?? null,
    };
    const answers = this.#places.map(({ number }, index) => ({ worker: number, report: reports[index] }));
    return mergeReports(head, answers, this.#settings.statusClients);
  }

  /** A trace runs at one worker: the one with the session, or, when none is named, the first that runs. */
  async trace(request: TraceRequest, output: TraceOutput): Promise<(() => void) | string> {
    const { node } = this.#settings;
    const { session } = request;
    const place = this.#places.find(
      ({ number, listening }) => listening && (session === undefined || session.startsWith(`${node}-${number}-`)),
    );
    const { worker } = place ?? {};
    if (!worker)
      return session === undefined ? "no worker is running" : `no worker of ${node} has the session ${session}`;
    const number = this.#nextAsk++;
    const ended = () => output.end();
    const end = () => {
      this.#traces.delete(number);
      worker.off("exit", ended);
      this.#ask(worker, { ask: "untrace", number });
    };
    worker.once("exit", ended);
    return new Promise((resolve) => {
      this.#traces.set(number, (tell) => {
        if (tell.tell === "trace") {
          if (output.ready) output.line(tell.line);
          return resolve(end);
        }
        end();
        resolve(tell.reason);
      });
      setTimeout(() => resolve(end), ANSWER_TIME).unref();
      this.#ask(worker, { ask: "trace", number, request });
    });
  }

  /** Ends all workers: each drains; those that do not end in time are killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#look);
    const ends = this.#places.map((place) => {
      clearTimeout(place.timer);
      const { worker } = place;
      if (!worker || worker.isDead()) return undefined;
      const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
      this.#ask(worker, { ask: "stop" });
      const { drainDelay, drainSpread } = this.#settings;
      const kill = setTimeout(() => worker.process.kill("SIGKILL"), drainDelay + drainSpread + END_TIME);
      return ended.then(() => clearTimeout(kill));
    });
    await Promise.all(ends);
  }

  #fork(place: Place): void {
    const worker = cluster.fork({ [WORKER_ENV]: String(place.number) });
    place.worker = worker;
    const startedAt = performance.now();
    worker.on("message", (message: Tell) => {
      if (message.tell === "answer") return this.#answers.get(message.number)?.(message.answer);
      if (message.tell !== "listening") return this.#traces.get(message.number)?.(message);
      place.listening = true;
      if (this.#places.every((other) => other.listening)) this.#listened(true);
      this.#lookAgain(0);
    });
    worker.on("error", (error) => this.#log.warn({ worker: place.number, err: error }, "a worker cannot be reached"));
    worker.on("exit", (code, signal) => {
      place.worker = undefined;
      const listened = place.listening;
      place.listening = false;
      if (this.#stopping) return;
      // Exit code 2: a mistake that only the user can correct, already reported.
      if (!listened && code === 2) return this.#fail(2);
      if (performance.now() - startedAt > PROVED_GOOD) place.backoff.reset();
      const wait = Math.round(place.backoff.next());
      this.#restarts++;
      this.#log.error({ worker: place.number, code, signal, wait }, "a worker has ended; starting it again");
      place.timer = setTimeout(() => this.#fork(place), wait);
      this.#lookAgain(0);
    });
  }

  #lookAgain(wait: number): void {
    clearTimeout(this.#look);
    if (this.#stopping) return;
    this.#look = setTimeout(async () => {
      const reasons = (await this.#askAll("unready")).filter((reason) => reason !== undefined);
      this.#unready =
        reasons.length === 0 ? "no worker is running" : reasons.includes(null) ? undefined : (reasons[0] as string);
      this.#lookAgain(1_000);
    }, wait);
  }

  /** Asks every worker; undefined for those that do not run or do not answer in time. */
  #askAll<Q extends keyof Answers>(question: Q): Promise<(Answers[Q] | undefined)[]> {
    return Promise.all(
      this.#places.map(({ worker, listening }) =>
        worker && listening ? this.#askOne(worker, question) : Promise.resolve(undefined),
      ),
    );
  }

  #askOne<Q extends keyof Answers>(worker: Worker, question: Q): Promise<Answers[Q] | undefined> {
    const number = this.#nextAsk++;
    return new Promise((resolve) => {
      const done = (answer: Answer) => {
        clearTimeout(timer);
        this.#answers.delete(number);
        resolve(answer as Answers[Q] | undefined);
      };
      const timer = setTimeout(() => done(undefined), ANSWER_TIME);
      this.#answers.set(number, done);
      this.#ask(worker, { ask: question, number });
    });
  }

  #ask(worker: Worker, ask: Ask): void {
    // A worker that just died cannot be asked; its exit event follows.
    if (worker.isConnected()) worker.send(ask, () => {});
  }
}

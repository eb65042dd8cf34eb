/**
 * The load test for k6 2.x (https://grafana.com/docs/k6/). `npm run loadtest` starts it; without Node, k6 and the
 * folder `loadtest` are enough:
 *
 *     k6 run -e SCENARIO=steady -e URL=wss://gateway.example.com/v1/stream -e CONNECTIONS=500 loadtest/k6/script.ts
 *
 * A virtual user has several connections: a connection takes k6 a few KB, a virtual user megabytes.
 */
import execution from "k6/execution";
import http from "k6/http";
import { WebSocket } from "k6/websockets";
import { type ClockOffset, isLocal, offsetOf, type Sample } from "../clock_sample.ts";
import { Client, type ClientContext } from "./client.ts";
import * as metrics from "./metrics.ts";
import { packCommand, readControl } from "./msgpack.ts";
import { PROMISES } from "./promises.ts";
import { reportOf, reportPage, reportText } from "./report.ts";
import {
  ageLimit,
  defaultsOf,
  envName,
  isInStorm,
  PARAMETERS,
  type ParameterName,
  refusal,
  SCENARIOS,
  type Settings,
} from "./scenarios.ts";
import { tokenHeaders } from "./tokens.ts";

const URL = __ENV.URL ?? "ws://127.0.0.1:8080/v1/stream";
const NAME = __ENV.SCENARIO ?? "smoke";
/** The prefix of the subscribed symbols. */
const PREFIX = __ENV.PREFIX ?? "";
/** The gateway's metrics page; empty for none. */
const METRICS = __ENV.METRICS ?? "";
/** The path of the reports without `.json` and `.html`; empty for none. */
const REPORT = __ENV.REPORT ?? "";
const SCENARIO = SCENARIOS[NAME];
if (!SCENARIO) throw new Error(`SCENARIO must be one of ${Object.keys(SCENARIOS).join(", ")}, not ${NAME}`);
const SETTINGS = settings();
const refused = refusal(NAME, SETTINGS);
if (refused) throw new Error(refused);

/** Connections per virtual user. */
const PER_USER = 25;
const USERS = Math.ceil(SETTINGS.connections / PER_USER);
const END = SETTINGS.duration * 1_000;
/** Extra time for closing connections, seconds. */
const GRACE = 15;
/** Pings for the clock offset, and the pause between them, ms. */
const PINGS = 20;
const PAUSE = 30;
/** The subject of what is asked before the clients connect. */
const SUBJECT = "k6";
/** Late values may seem younger by this, ms: k6 tells times of arrival in whole ms. */
const CLOCK_READINGS = 2;
/** How often a virtual user passes its counts to k6, ms. */
const FLUSH_PERIOD = 1_000;
/** The first and the longest pause before a client reconnects, ms: doubled per refusal, with jitter. */
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 16_000;
/** Samples of the gateway's metrics, and the shortest pause between them, ms. */
const WATCH_SAMPLES = 50;
const MIN_WATCH_PERIOD = 1_000;
/** Memory is compared with its value after this share of the test; it may grow by this share plus these bytes. */
const BASELINE_AT = 0.2;
const GROWTH_SHARE = 0.1;
const GROWTH_BYTES = 32_000_000;

const storm = SCENARIO.storm?.(SETTINGS);
const checksMemory = METRICS !== "" && SCENARIO.watchesMemory === true;
const age = [`p(99)<${ageLimit(SETTINGS)}`];

export const options = {
  scenarios: {
    [NAME]: {
      executor: "per-vu-iterations",
      exec: "clients",
      vus: USERS,
      iterations: 1,
      maxDuration: `${SETTINGS.duration + GRACE}s`,
    },
    ...(METRICS === ""
      ? {}
      : {
          gateway: {
            executor: "per-vu-iterations",
            exec: "watch",
            vus: 1,
            iterations: 1,
            maxDuration: `${SETTINGS.duration + GRACE}s`,
          },
        }),
  },
  thresholds: {
    tick_age: age,
    ...(storm
      ? { "tick_age{role:stays,phase:calm}": age, "tick_age{role:stays,phase:storm}": age, "tick_age{role:storm}": age }
      : {}),
    connect_time: [`p(95)<${SETTINGS["max-connect"]}`],
    snapshot_time: [`p(95)<${SETTINGS["max-snapshot"]}`],
    refused: ["count==0"],
    unfinished: ["count==0"],
    ...Object.fromEntries(Object.keys(PROMISES).map((name) => [`broken_promises{promise:${name}}`, ["count==0"]])),
    ticks: ["count>0"],
    checks: ["rate==1"],
    ...(checksMemory ? { memory_over: ["max<=0"] } : {}),
  },
  summaryTrendStats: ["count", "min", "med", "p(90)", "p(95)", "p(99)", "p(99.9)", "max"],
};

/** The result of `setup`. */
interface SetupData {
  readonly market: readonly string[];
  /** ms */
  readonly clockOffset: number;
  readonly clockError: number;
}

export async function setup(): Promise<SetupData> {
  const url = URL.replace(/^ws/, "http").replace(/stream(\?.*)?$/, `symbols?prefix=${encodeURIComponent(PREFIX)}`);
  const { status, body, error } = http.get(url, { headers: tokenHeaders(SUBJECT) });
  if (status !== 200) throw new Error(`${url} does not answer as a gateway does: ${error || `HTTP ${status}`}`);
  const { symbols } = JSON.parse(body) as { symbols: string[] };
  if (symbols.length < SETTINGS.symbols)
    throw new Error(`the gateway has ${symbols.length} symbols, fewer than the ${SETTINGS.symbols} of each connection`);
  const [, host] = /^wss?:\/\/(\[[^\]]+\]|[^:/]+)/.exec(URL) ?? [];
  const { offset, error: clockError } = isLocal(host ?? "") ? { offset: 0, error: 0 } : await clockOffset();
  return { market: symbols, clockOffset: offset / 1_000, clockError: clockError / 1_000 };
}

/** A virtual user: connects its clients when the scenario requires. */
export function clients({ market, clockOffset: offset, clockError }: SetupData): void {
  const began = execution.scenario.startTime;
  const calm = [
    { role: "stays", phase: "calm" },
    { role: "storm", phase: "calm" },
  ];
  const stormy = calm.map(({ role }) => ({ role, phase: "storm" }));
  let hasReported = false;
  const context: ClientContext = {
    url: URL,
    interval: SETTINGS.interval,
    trades: SETTINGS.trades > 0,
    books: SETTINGS.books > 0,
    bars: SETTINGS.bars > 0 ? SETTINGS.resolution : 0,
    readEvery: Math.round(100 / SETTINGS.sample),
    clockOffset: offset,
    delay: SETTINGS.delay,
    youngest: SETTINGS.delay > 0 ? SETTINGS.delay - CLOCK_READINGS - clockError : Number.NEGATIVE_INFINITY,
    counts: new metrics.Counts(),
    withoutHello: 0,
    tags(isStormy) {
      const time = Date.now() - began;
      const tags = storm && time >= storm.from && time < storm.to ? stormy : calm;
      return tags[isStormy ? 1 : 0];
    },
    reportFaults(faults) {
      // One report per virtual user: all clients find the same faults.
      if (hasReported) return;
      hasReported = true;
      // biome-ignore lint/suspicious/noConsole: k6 prints it on standard error
      console.error(faults);
    },
  };
  // Clients are distributed round robin, so that those of one virtual user do not all connect at once.
  const steps: Step[] = [];
  for (let index = execution.scenario.iterationInTest; index < SETTINGS.connections; index += USERS)
    for (const { from, to } of SCENARIO.visits(index, SETTINGS)) {
      const stay = new ScheduledClient(context, index, market);
      steps.push({ at: began + from, run: () => stay.connect() }, { at: began + to, run: () => stay.disconnect() });
    }
  for (let time = FLUSH_PERIOD; time < END; time += FLUSH_PERIOD)
    steps.push({ at: began + time, run: () => context.counts.flush() });
  steps.push({ at: began + END + FLUSH_PERIOD, run: () => context.counts.flush() });
  steps.sort((one, other) => one.at - other.at);
  runSteps(steps, 0, context.counts);
}

/** An action at a time, ms since the Unix epoch. */
interface Step {
  readonly at: number;
  run(): void;
}

/** Runs the steps, each at its time. Their lateness is the delay of k6. */
function runSteps(steps: readonly Step[], from: number, counts: metrics.Counts): void {
  let next = from;
  for (; next < steps.length && steps[next].at <= Date.now(); next++) {
    counts.observeDelay(Date.now() - steps[next].at);
    steps[next].run();
  }
  if (next < steps.length) setTimeout(() => runSteps(steps, next, counts), Math.max(1, steps[next].at - Date.now()));
}

/** A client during one visit: it reconnects when it is refused or disconnected. */
class ScheduledClient {
  readonly #context: ClientContext;
  readonly #index: number;
  readonly #symbols: readonly string[];
  #client: Client | undefined;
  #pause = FIRST_PAUSE;
  #isOver = false;

  constructor(context: ClientContext, index: number, market: readonly string[]) {
    this.#context = context;
    this.#index = index;
    const step = Math.floor(market.length / SETTINGS.symbols);
    const symbolAt = (slot: number) => market[(index + slot * step) % market.length];
    this.#symbols = Array.from({ length: SETTINGS.symbols }, (_, slot) => symbolAt(slot));
  }

  connect(): void {
    if (this.#isOver) return;
    const ended = (isRefused: boolean) => this.#ended(isRefused);
    this.#client = new Client(this.#context, this.#index, isInStorm(this.#index, SETTINGS), this.#symbols, ended);
  }

  disconnect(): void {
    this.#isOver = true;
    this.#client?.close();
  }

  #ended(isRefused: boolean): void {
    this.#client = undefined;
    if (this.#isOver) return;
    this.#pause = isRefused ? Math.min(this.#pause * 2, LONGEST_PAUSE) : FIRST_PAUSE;
    setTimeout(() => this.connect(), this.#pause * (0.5 + Math.random()));
  }
}

/** Samples the gateway's memory and CPU until the end. */
export function watch(): void {
  const began = execution.scenario.startTime;
  const period = Math.max(MIN_WATCH_PERIOD, END / WATCH_SAMPLES);
  let baseline: number | undefined;
  let last: { time: number; cpu: number } | undefined;
  const sample = () => {
    const { status, body } = http.get(METRICS);
    const now = Date.now();
    const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(body)?.[1] ?? Number.NaN);
    const memory = status === 200 ? value("process_resident_memory_bytes") : Number.NaN;
    const cpu = status === 200 ? value("process_cpu_seconds_total") : Number.NaN;
    if (!Number.isNaN(memory)) {
      metrics.gatewayMemory.add(memory);
      if (last) metrics.gatewayCores.add((cpu - last.cpu) / ((now - last.time) / 1_000));
      last = { time: now, cpu };
      if (now - began >= END * BASELINE_AT) baseline ??= memory;
      // The threshold uses the maximum of the last samples.
      if (baseline !== undefined && now - began + period >= END)
        metrics.memoryOver.add(memory - baseline * (1 + GROWTH_SHARE) - GROWTH_BYTES);
    }
    if (now - began + period < END) setTimeout(sample, period);
  };
  sample();
}

export function handleSummary(data: unknown): Record<string, string> {
  const report = reportOf(data, { scenario: NAME, url: URL, settings: SETTINGS, time: new Date().toISOString() });
  const files = REPORT === "" ? [] : [`${REPORT}.html`, `${REPORT}.json`];
  const written = files.length === 0 ? "" : `${"report".padEnd(16)}${files.join(", ")}\n`;
  const [html, json] = files;
  return {
    stdout: reportText(report) + written,
    ...(html ? { [html]: reportPage(report) } : {}),
    ...(json ? { [json]: `${JSON.stringify(report, undefined, 2)}\n` } : {}),
  };
}

/** How far the gateway's clock is ahead of ours. */
function clockOffset(): Promise<ClockOffset> {
  const samples: Sample[] = [];
  const socket = new WebSocket(URL, "tickgate.v1.msgpack", { headers: tokenHeaders(SUBJECT) });
  socket.binaryType = "arraybuffer";
  const closed = new Promise<void>((resolve) => {
    let sent = 0;
    const ping = () => {
      sent = Date.now();
      socket.send(packCommand({ op: "ping" }));
    };
    socket.onmessage = ({ data, timestamp }) => {
      if (typeof data === "string") return;
      const { op, time } = readControl(data);
      if (op === "pong") samples.push({ sent: sent * 1_000, received: timestamp * 1_000, time: time as number });
      if (samples.length < PINGS) setTimeout(ping, PAUSE);
      else socket.close(1000);
    };
    socket.onclose = () => resolve();
  });
  return closed.then(() => {
    if (samples.length === 0) throw new Error(`${URL} does not answer as a gateway does`);
    return offsetOf(samples, 1_000);
  });
}

function settings(): Settings {
  const given: Record<string, number> = {};
  for (const [name, { min, max }] of Object.entries(PARAMETERS)) {
    const text = __ENV[envName(name)];
    const value = text === undefined ? defaultsOf(NAME)[name as ParameterName] : Number(text);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new Error(`${envName(name)} must be a whole number from ${min} to ${max}, not ${text}`);
    given[name] = value;
  }
  return given as Settings;
}

/**
 * The load test, for k6 (https://grafana.com/docs/k6/): clients that believe nothing and check what the protocol
 * promises, while others come and go. `npm run loadtest` starts a gateway and runs it.
 *
 *     k6 run -e URL=ws://127.0.0.1:8080/v1/stream loadtest/ticker.ts
 *
 * The market must be the simulator's. k6 is slow compared with the gateway: what it measures are promises, not limits
 * (those: bench_fanout.ts).
 */
import { check } from "k6";
import { Counter, Trend } from "k6/metrics";
import { WebSocket } from "k6/websockets";
import { isControl, packCommand, readControl, readFrame } from "./k6_msgpack.ts";

const URL = __ENV.URL ?? "ws://127.0.0.1:8080/v1/stream";
const CONNECTIONS = setting("CONNECTIONS", 100, 2, 5_000);
const SYMBOLS = setting("SYMBOLS", 1_000, 1, 100_000);
const PER_CONNECTION = setting("PER_CONNECTION", 20, 1, Math.min(1_000, SYMBOLS));
const INTERVAL = setting("INTERVAL", 100, 0, 60_000);
const SECONDS = setting("SECONDS", 20, 6, 3_600);
/** How long a connection of those that come and go stays, seconds. */
const STAY = 3;
/** How long one that was refused waits, ms. */
const REFUSED_WAIT = 1_000;
/** What ages may be above the interval at p99, ms. */
const MARGIN = 100;
/** By how much less than the interval two ticks of a handle may be apart, ms: the pacer's clock ticks every 4. */
const JITTER = 8;

/** From the source's event time to the receipt; snapshots do not count, since they are as old as they are. */
const tickAge = new Trend("tick_age", true);
const subscribeTime = new Trend("subscribe_time", true);
const ticks = new Counter("ticks");
const frames = new Counter("frames");
const conflated = new Counter("conflated_ticks");
const refused = new Counter("refused");
const broken = new Counter("broken_promises");

/** As many stay from begin to end as come and go beside them. */
const half = Math.floor(CONNECTIONS / 2);

export const options = {
  scenarios: {
    steady: {
      executor: "per-vu-iterations",
      exec: "steady",
      vus: CONNECTIONS - half,
      iterations: 1,
      maxDuration: `${SECONDS + 30}s`,
    },
    ramping: {
      executor: "ramping-vus",
      exec: "ramping",
      startVUs: 0,
      stages: [
        { duration: `${Math.floor(SECONDS / 2)}s`, target: half },
        { duration: `${Math.floor(SECONDS / 4)}s`, target: half },
        { duration: `${Math.floor(SECONDS / 4)}s`, target: 0 },
      ],
      gracefulRampDown: `${STAY + 5}s`,
    },
  },
  thresholds: {
    "tick_age{scenario:steady}": [`p(99)<${INTERVAL + MARGIN}`],
    "tick_age{scenario:ramping}": [`p(99)<${INTERVAL + MARGIN}`],
    refused: ["count==0"],
    broken_promises: ["count==0"],
    ticks: ["count>0"],
    checks: ["rate==1"],
  },
  summaryTrendStats: ["min", "med", "p(90)", "p(99)", "p(99.9)", "max"],
};

/** A client that stays. */
export function steady(): void {
  new Client(SECONDS * 1_000);
}

/** A client that comes and goes. */
export function ramping(): void {
  new Client(STAY * 1_000);
}

class Client {
  readonly #socket = new WebSocket(URL, "tickgate.v1.msgpack");
  readonly #symbols: readonly string[];
  readonly #seq = new Map<number, number>();
  /** When each handle last had a tick, by the gateway's clock, microseconds. */
  readonly #sentAt = new Map<number, number>();
  /** Handles whose ticks were missed or start anew, as the gateway has said. */
  readonly #excused = new Set<number>();
  readonly #handles = new Map<string, number>();
  readonly #faults: string[] = [];
  #askedAt = 0;
  #interval = INTERVAL;
  #greeted = false;
  #opened = false;
  #closing = false;

  constructor(stay: number) {
    const start = Math.floor(Math.random() * SYMBOLS);
    const digits = Math.max(4, String(SYMBOLS - 1).length);
    this.#symbols = Array.from(
      { length: PER_CONNECTION },
      (_, index) => `SIM:S${String((start + index) % SYMBOLS).padStart(digits, "0")}`,
    );
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.#open(stay);
    this.#socket.onmessage = ({ data, timestamp }) => this.#message(data, timestamp);
    this.#socket.onerror = () => {
      if (this.#opened) return;
      refused.add(1);
      // Not again at once: the virtual user waits for its timers.
      setTimeout(() => {}, REFUSED_WAIT);
    };
    this.#socket.onclose = () => this.#end();
  }

  #open(stay: number): void {
    this.#opened = true;
    this.#askedAt = Date.now();
    this.#socket.send(packCommand({ op: "subscribe", symbols: this.#symbols, interval: INTERVAL }));
    setTimeout(() => {
      this.#closing = true;
      this.#socket.close(1000);
    }, stay);
  }

  #message(data: ArrayBuffer | string, receivedAt: number): void {
    if (typeof data === "string") return this.#fault("text on a binary subprotocol");
    try {
      if (isControl(data)) this.#control(readControl(data), receivedAt);
      else this.#data(data, receivedAt);
    } catch (error) {
      this.#fault(String(error));
    }
  }

  #control(message: Record<string, unknown>, receivedAt: number): void {
    if (!this.#greeted && message.op !== "hello") this.#fault("hello was not the first message");
    switch (message.op) {
      case "hello":
        this.#greeted = true;
        return;
      case "subscribed": {
        subscribeTime.add(receivedAt - this.#askedAt);
        this.#interval = message.interval as number;
        if ((message.rejected as unknown[]).length > 0) this.#fault("a symbol was rejected");
        for (const [symbol, handle] of message.symbols as [string, number][]) this.#handles.set(symbol, handle);
        return;
      }
      case "status":
        if (message.state === "gap")
          for (const symbol of message.symbols as string[]) this.#excused.add(this.#handles.get(symbol) ?? -1);
        return;
      case "error":
        return this.#fault(`error ${message.code}`);
    }
  }

  #data(data: ArrayBuffer, receivedAt: number): void {
    const frame = readFrame(data);
    frames.add(1);
    ticks.add(frame.ticks.length / 3);
    let lost = 0;
    for (let at = 0; at < frame.ticks.length; at += 3) {
      const handle = frame.ticks[at];
      const seq = frame.ticks[at + 1];
      const before = this.#seq.get(handle);
      const sentBefore = this.#sentAt.get(handle);
      this.#seq.set(handle, seq);
      this.#sentAt.set(handle, frame.sentAt);
      // The first is the snapshot.
      if (before === undefined || sentBefore === undefined) continue;
      if (sentBefore === frame.sentAt) this.#fault("a handle twice in a frame");
      else if (frame.sentAt - sentBefore < (this.#interval - JITTER) * 1_000) this.#fault("sooner than the interval");
      if (this.#excused.delete(handle)) continue;
      if (seq <= before) this.#fault("seq went back");
      lost += seq - before - 1;
      tickAge.add(receivedAt - frame.ticks[at + 2] / 1_000);
    }
    conflated.add(lost);
  }

  #end(): void {
    if (!this.#opened) return;
    if (!this.#closing) this.#fault("the gateway closed the connection");
    check(this, {
      "greeted first": (client) => client.#greeted,
      "every symbol granted": (client) => client.#handles.size === PER_CONNECTION,
      "a snapshot of every symbol": (client) => client.#seq.size === PER_CONNECTION,
      "every promise kept": (client) => client.#faults.length === 0,
    });
    if (this.#faults.length > 0) throw new Error(`${this.#faults.length} faults: ${[...new Set(this.#faults)]}`);
  }

  #fault(what: string): void {
    broken.add(1);
    // The first ones tell enough.
    if (this.#faults.length < 100) this.#faults.push(what);
  }
}

/** A number from the environment. */
function setting(name: string, fallback: number, min: number, max: number): number {
  const value = Number(__ENV[name] ?? fallback);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new Error(`${name} must be a whole number from ${min} to ${max}, not ${__ENV[name] ?? fallback}`);
  return value;
}

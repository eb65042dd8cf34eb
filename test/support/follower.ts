/**
 * A client that follows prices by protocol.md and checks its promises: values, `seq`, states, the time without prices,
 * and how often it was refused. It uses a raw WebSocket, so that no client library hides a fault.
 */
import { pack, unpack } from "msgpackr";
import { WebSocket } from "ws";
import type { State } from "../../src/base/tick.ts";
import type { Control } from "../../src/protocol/messages.ts";

/** The longest wait of a disconnected client before it reconnects, in milliseconds. */
const COME_BACK = 100;
/** The longest wait of a refused client, in milliseconds. */
const REFUSED_WAIT = 300;

/** The state of one symbol. */
export interface Followed {
  seq: number;
  values: (number | null)[];
  state: State;
  reason: string;
  /** The start of this state, in milliseconds of `performance.now()`. */
  stateAt: number;
  /** The time of its last tick. */
  tickAt: number;
}

type TickOnWire = [handle: number, seq: number, eventTime: number, ...values: (number | null)[]];

export interface FollowerOptions {
  readonly url: string;
  readonly symbols: readonly string[];
  readonly fields: readonly string[];
  /** Milliseconds. */
  readonly interval: number;
}

export class Follower {
  readonly symbols = new Map<string, Followed>();
  /** Broken promises of the gateways. */
  readonly violations: string[] = [];
  /** Symbols whose `seq` went back with a `reason:"reset"` before. */
  resets = 0;
  gaps = 0;
  connections = 0;
  /** How often it was refused, since {@link measure} and in total. */
  refused = 0;
  refusedEver = 0;
  /** The gateway that it is connected to; undefined while it is not. */
  node: string | undefined;
  readonly #options: FollowerOptions;
  #socket: WebSocket | undefined;
  #handles = new Map<number, string>();
  readonly #resetting = new Set<string>();
  #retryAfter: number | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  #framesAt = performance.now();
  #longestGap = 0;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#connect();
  }

  /** The longest time without a data frame since {@link measure}, in milliseconds, the present one included. */
  get longestGap(): number {
    return Math.max(this.#longestGap, performance.now() - this.#framesAt);
  }

  /** Restarts the measurement. */
  measure(): void {
    this.#longestGap = 0;
    this.#framesAt = performance.now();
    this.refused = 0;
    this.connections = this.node === undefined ? 0 : 1;
  }

  /** Whether every symbol has had a tick. */
  get isComplete(): boolean {
    return this.symbols.size === this.#options.symbols.length;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.terminate();
  }

  #connect(): void {
    const socket = new WebSocket(this.#options.url, "tickgate.v1.msgpack", { perMessageDeflate: false });
    let wasOpen = false;
    this.#socket = socket;
    socket.on("open", () => {
      wasOpen = true;
      this.connections++;
      this.#handles = new Map();
      this.#resetting.clear();
      const { symbols, fields, interval } = this.#options;
      socket.send(pack({ op: "subscribe", symbols, fields, interval }));
    });
    socket.on("message", (data: Buffer) => this.#message(unpack(data) as Control | [number, ...TickOnWire[]]));
    socket.on("error", () => {
      // A close event follows.
    });
    socket.on("close", () => {
      this.node = undefined;
      if (this.#closed) return;
      if (!wasOpen) {
        this.refused++;
        this.refusedEver++;
      }
      const wait = wasOpen ? (this.#retryAfter ?? Math.random() * COME_BACK) : Math.random() * REFUSED_WAIT;
      this.#retryAfter = undefined;
      this.#retry = setTimeout(() => this.#connect(), wait);
    });
  }

  #message(message: Control | [number, ...TickOnWire[]]): void {
    if (Array.isArray(message)) return this.#frame(message);
    switch (message.op) {
      case "hello":
        this.node = message.node;
        break;
      case "subscribed":
        for (const [symbol, handle] of message.symbols) {
          this.#handles.set(handle, symbol);
          // Live unless a status says otherwise.
          const followed = this.symbols.get(symbol);
          if (followed) this.#stand(followed, "live", "");
        }
        break;
      case "status":
        this.#status(message.symbols, message.state, message.reason ?? "");
        break;
      case "bye":
        this.#retryAfter = message.retryAfter;
        break;
      case "error":
        this.violations.push(`error ${message.code}: ${message.message}`);
        break;
    }
  }

  #status(symbols: readonly string[], state: State | "gap", reason: string): void {
    for (const symbol of symbols) {
      if (state === "gap") {
        this.gaps++;
        if (reason === "reset") this.#resetting.add(symbol);
        continue;
      }
      let followed = this.symbols.get(symbol);
      if (!followed) {
        // A status may come before the snapshot.
        followed = { seq: 0, values: [], state: "live", reason: "", stateAt: 0, tickAt: 0 };
        this.symbols.set(symbol, followed);
      }
      this.#stand(followed, state, reason);
    }
  }

  #stand(followed: Followed, state: State, reason: string): void {
    if (followed.state === state) return;
    followed.state = state;
    followed.reason = reason;
    followed.stateAt = performance.now();
  }

  #frame([, ...ticks]: [number, ...TickOnWire[]]): void {
    const now = performance.now();
    this.#longestGap = Math.max(this.#longestGap, now - this.#framesAt);
    this.#framesAt = now;
    for (const [handle, seq, , ...values] of ticks) {
      const symbol = this.#handles.get(handle);
      if (symbol === undefined) {
        this.violations.push(`a tick of the unknown handle ${handle}`);
        continue;
      }
      const followed = this.symbols.get(symbol);
      if (!followed) {
        this.symbols.set(symbol, { seq, values, state: "live", reason: "", stateAt: now, tickAt: now });
        continue;
      }
      if (seq < followed.seq) {
        if (this.#resetting.delete(symbol)) this.resets++;
        else this.violations.push(`${symbol} went back from ${followed.seq} to ${seq} at ${this.node}`);
      }
      followed.seq = seq;
      followed.values = values;
      followed.tickAt = now;
    }
  }
}

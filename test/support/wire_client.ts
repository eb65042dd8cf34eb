/** A client that records every message as received: a WebSocket without a library. */
import { EventEmitter } from "node:events";
import { decode, encode } from "@msgpack/msgpack";
import { WebSocket } from "ws";
import type { Control, Subprotocol } from "../../src/protocol/messages.ts";
import { until } from "./gateway_process.ts";

/** A received tick, with its frame's `sentAt`. */
export interface HeardTick {
  readonly sentAt: number;
  readonly handle: number;
  readonly seq: number;
  readonly eventTime: number;
  readonly values: readonly (number | null)[];
  /** The time of its arrival, ms of this process. */
  readonly at: number;
}

export interface WireOptions {
  readonly protocols?: readonly string[];
  /** Whether pings are answered. */
  readonly autoPong?: boolean;
  readonly origin?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

export class WireClient {
  readonly socket: WebSocket;
  readonly controls: Control[] = [];
  readonly ticks: HeardTick[] = [];
  readonly changes = new EventEmitter();
  /** Each message's kind, in order: an `op`, or `tick`. */
  readonly order: string[] = [];
  closed: { code: number; reason: string } | undefined;
  /** The HTTP status with which the upgrade was refused, and its headers. */
  refused: { status: number; headers: NodeJS.Dict<string | string[]> } | undefined;

  constructor(url: string, options: WireOptions = {}) {
    const { protocols = [], autoPong = true, origin, headers } = options;
    this.changes.setMaxListeners(100);
    this.socket = new WebSocket(url, [...protocols], { autoPong, origin, headers });
    this.socket.on("message", (data: Buffer, isBinary) => this.#hear(data, isBinary));
    this.socket.on("close", (code, reason) => {
      this.closed ??= { code, reason: reason.toString() };
      this.changes.emit("change");
    });
    this.socket.on("unexpected-response", (request, response) => {
      this.refused = { status: response.statusCode ?? 0, headers: response.headers };
      request.destroy();
      this.changes.emit("change");
    });
    this.socket.on("error", () => this.changes.emit("change"));
  }

  /** Connects, and waits for `hello`. */
  static async open(url: string, subprotocol: Subprotocol = "tickgate.v1.json", options: WireOptions = {}) {
    const client = new WireClient(url, { protocols: [subprotocol], ...options });
    await client.heard("hello");
    return client;
  }

  /** Tries to connect, and waits for the refusal. */
  static async refused(url: string, options: WireOptions = {}) {
    const client = new WireClient(url, options);
    await client.until(() => client.refused !== undefined, "a refusal");
    return client.refused!;
  }

  say(message: unknown): void {
    this.socket.send(this.socket.protocol === "tickgate.v1.json" ? JSON.stringify(message) : encode(message));
  }

  until(condition: () => boolean, what: string): Promise<void> {
    return until(this.changes, condition, what);
  }

  /** Waits for a message with an op, starting at the given one. */
  async heard<O extends Control["op"]>(
    op: O,
    is: (message: Extract<Control, { op: O }>) => boolean = () => true,
  ): Promise<Extract<Control, { op: O }>> {
    const find = () =>
      this.controls.find(
        (message): message is Extract<Control, { op: O }> => message.op === op && is(message as never),
      );
    await this.until(
      () => find() !== undefined,
      `a message ${op}; there are ${JSON.stringify(this.controls.slice(-5))}`,
    );
    return find()!;
  }

  /** Sends a command with a new id, and waits for its answer. */
  async ask<O extends Control["op"]>(command: Record<string, unknown>, op: O) {
    const id = `#${this.controls.length}-${this.ticks.length}`;
    this.say({ ...command, id });
    return this.heard(op, (message) => "id" in message && message.id === id);
  }

  /** Subscribes, and returns the handles by symbol when the last part of the answer has come. */
  async subscribe(symbols: readonly string[], more: Record<string, unknown> = {}): Promise<Map<string, number>> {
    const { id } = await this.ask({ op: "subscribe", symbols, ...more }, "subscribed");
    await this.heard("subscribed", (part) => part.id === id && !part.more);
    return new Map(this.controls.flatMap((part) => (part.op === "subscribed" && part.id === id ? part.symbols : [])));
  }

  /** Waits for a tick. */
  async tick(is: (tick: HeardTick) => boolean, what: string): Promise<HeardTick> {
    await this.until(() => this.ticks.some(is), what);
    return this.ticks.find(is)!;
  }

  async untilClosed(): Promise<{ code: number; reason: string }> {
    await this.until(() => this.closed !== undefined, "the connection to be closed");
    return this.closed!;
  }

  close(): void {
    this.socket.terminate();
  }

  #hear(data: Buffer, isBinary: boolean): void {
    const value: unknown = isBinary ? decode(data) : JSON.parse(data.toString());
    if (Array.isArray(value)) {
      const [sentAt, ...ticks] = value as [number, ...[number, number, number, ...(number | null)[]][]];
      const at = performance.now();
      for (const [handle, seq, eventTime, ...values] of ticks)
        this.ticks.push({ sentAt, handle, seq, eventTime, values, at });
      this.order.push(...ticks.map(() => "tick"));
    } else {
      this.controls.push(value as Control);
      this.order.push((value as Control).op);
    }
    this.changes.emit("change");
  }
}

/**
 * A simple model of a gateway that follows docs/protocol.md: no flow control and no flush intervals; it sends
 * everything at once or after a fixed delay. Only long answers are split into parts. It shares no code with the
 * library, so that tests can compare the library with it.
 */
import assert from "node:assert/strict";
import { FIELDS, type Field, isPattern } from "../../src/base/tick.ts";
import type { ClientSocket, SocketEvent } from "../../src/client/connection/socket.ts";
import type { Command, Subscribe } from "../../src/protocol/messages.ts";
import type { ManualTime } from "./fake_connection.ts";

/** The subscription of a connection to a symbol. */
export interface ModelTerms {
  readonly interval: number;
  readonly fields: readonly Field[];
}

/** One symbol of the market. */
interface ModelRow {
  readonly handle: number;
  seq: number;
  values: (number | null)[];
}

const LIMITS = { symbols: 1_000, commandsPerSecond: 20, messageBytes: 1_000 };
const HEARTBEAT = 1_000;

export class ModelGateway {
  readonly time: ManualTime;
  /** The latency of a message, ms. */
  readonly delay: number;
  /** Symbols in one part of an answer. */
  readonly partSize: number;
  /** Whether connections are refused. */
  isDown = false;
  readonly rows = new Map<string, ModelRow>();
  readonly connections = new Set<ModelConnection>();
  commands = 0;

  constructor(time: ManualTime, delay: number, partSize = Number.POSITIVE_INFINITY) {
    this.time = time;
    this.delay = delay;
    this.partSize = partSize;
  }

  /** The constructor of sockets that connect to this gateway. */
  get WebSocket(): new (
    url: string,
    protocols: string[],
  ) => ClientSocket {
    const gateway = this;
    return class extends ModelConnection {
      constructor() {
        super(gateway);
      }
    };
  }

  row(symbol: string): ModelRow {
    let row = this.rows.get(symbol);
    if (!row) {
      row = { handle: this.rows.size, seq: 0, values: FIELDS.map(() => null) };
      this.rows.set(symbol, row);
    }
    return row;
  }

  /** A tick of the market. */
  tick(symbol: string, values: (number | null)[]): void {
    const row = this.row(symbol);
    row.seq++;
    row.values = values;
    if (row.seq === 1) for (const connection of this.connections) connection.appeared(symbol);
  }

  /** Sends what is due. */
  turn(): void {
    for (const connection of this.connections) connection.turn();
  }

  /** Cuts all connections. */
  cut(): void {
    for (const connection of this.connections) connection.cut();
  }

  /** The subscription of the only connection to a symbol; undefined if it has none. */
  terms(symbol: string): ModelTerms | undefined {
    assert.equal(this.connections.size, 1);
    const [connection] = this.connections;
    return connection.held.get(symbol)?.terms;
  }
}

/** A connection, both ends of it. */
export class ModelConnection implements ClientSocket {
  binaryType = "";
  readonly protocol = "tickgate.v1.json";
  /** The subscriptions, and the last tick sent for each. */
  readonly held = new Map<string, { terms: ModelTerms; toldSeq: number; sentAt: number }>();
  readonly #gateway: ModelGateway;
  /** The last command that matches a symbol decides; no terms: not wanted. */
  #rules: { text: string; terms: ModelTerms | undefined }[] = [];
  readonly #listeners = new Map<string, (event: SocketEvent) => void>();
  /** When commands arrived, ms. */
  #commandTimes: number[] = [];
  /** Commands that wait until the one before them is answered, and the parts of that answer still to be sent. */
  readonly #commands: Command[] = [];
  #parts: (() => void)[] = [];
  #spokeAt = 0;

  constructor(gateway: ModelGateway) {
    this.#gateway = gateway;
    gateway.time.after(gateway.delay, () => {
      if (gateway.isDown) return this.#listeners.get("error")?.({ type: "error", message: "no gateway" });
      gateway.connections.add(this);
      const now = gateway.time.micros();
      this.#say({ op: "hello", protocol: 1, session: "s", node: "n", time: now, heartbeat: HEARTBEAT, limits: LIMITS });
    });
  }

  addEventListener(type: string, listener: (event: SocketEvent) => void): void {
    this.#listeners.set(type, listener);
  }

  send(data: string | Uint8Array): void {
    assert.ok(data.length <= LIMITS.messageBytes, `${data.length} bytes`);
    this.#gateway.time.after(this.#gateway.delay, () => {
      if (this.#gateway.connections.has(this)) this.#receive(JSON.parse(String(data)));
    });
  }

  close(): void {
    this.#gateway.connections.delete(this);
  }

  cut(): void {
    this.#gateway.connections.delete(this);
    this.#listeners.get("close")?.({ type: "close", code: 1006 });
  }

  /** A symbol has had its first tick. */
  appeared(symbol: string): void {
    const since = this.#gateway.time.micros();
    // Its first tick makes it live; the status of every other one is sent as well.
    if (this.held.has(symbol) && symbol.endsWith("1"))
      this.#say({ op: "status", symbols: [symbol], state: "live", since });
    const rule = this.#rules.findLast(({ text }) => matches(text, symbol));
    if (!rule?.terms || this.held.has(symbol)) return;
    this.#hold([symbol], rule.terms, undefined);
  }

  turn(): void {
    this.#work();
    const { time, rows } = this.#gateway;
    const now = time.millis();
    const ticks: unknown[] = [];
    for (const [symbol, held] of this.held) {
      const row = rows.get(symbol);
      const { fields, interval } = held.terms;
      if (!row || row.seq === 0 || row.seq === held.toldSeq || now - held.sentAt < interval) continue;
      held.toldSeq = row.seq;
      held.sentAt = now;
      ticks.push([row.handle, row.seq, time.micros(), ...fields.map((field) => row.values[FIELDS.indexOf(field)])]);
    }
    if (ticks.length > 0) this.#say([time.micros(), ...ticks]);
    else if (now - this.#spokeAt >= HEARTBEAT) this.#say({ op: "heartbeat", time: time.micros() });
  }

  #receive(command: Command): void {
    const now = this.#gateway.time.millis();
    this.#gateway.commands++;
    this.#commandTimes = [...this.#commandTimes.filter((at) => at > now - 1_000), now];
    assert.ok(this.#commandTimes.length <= LIMITS.commandsPerSecond, "too many commands");
    this.#commands.push(command);
    if (this.#parts.length === 0) this.#work();
  }

  /** Sends the next part of the present answer; takes commands after the last part. */
  #work(): void {
    this.#parts.shift()?.();
    while (this.#parts.length === 0) {
      const command = this.#commands.shift();
      if (!command) return;
      this.#obey(command);
      this.#parts.shift()?.();
    }
  }

  #obey(command: Command): void {
    if (command.op === "ping") return this.#say({ op: "pong", id: command.id, time: this.#gateway.time.micros() });
    if (command.op === "subscribe") return this.#subscribe(command);
    assert.equal(command.op, "unsubscribe");
    const ended: string[] = [];
    for (const text of command.symbols) {
      const isWider = this.#rules.some((rule) => rule.terms && isWiderThan(rule.text, text));
      this.#rules = this.#rules.filter((rule) => !matches(text, rule.text));
      if (isWider) this.#rules.push({ text, terms: undefined });
      for (const symbol of this.held.keys()) if (matches(text, symbol)) ended.push(symbol);
    }
    this.#answer(ended, (symbols, more) => {
      for (const symbol of symbols) this.held.delete(symbol);
      this.#say({ op: "unsubscribed", id: command.id, ...more, symbols });
    });
  }

  #subscribe({ id, symbols, interval = 100, fields = [...FIELDS] }: Subscribe): void {
    const terms: ModelTerms = { interval, fields: fields as Field[] };
    const wanted = new Set<string>();
    for (const text of symbols) {
      if (!isPattern(text)) {
        this.#gateway.row(text);
        wanted.add(text);
        continue;
      }
      this.#rules = this.#rules.filter((rule) => !matches(text, rule.text));
      this.#rules.push({ text, terms });
      for (const [symbol, { seq }] of this.#gateway.rows)
        if (matches(text, symbol) && (seq > 0 || this.held.has(symbol))) wanted.add(symbol);
    }
    this.#answer([...wanted], (symbols, more) => this.#hold(symbols, terms, id, more));
  }

  /** Answers in parts, each with a limited number of symbols. */
  #answer(symbols: readonly string[], send: (symbols: string[], more: { more?: true }) => void): void {
    const { partSize } = this.#gateway;
    let from = 0;
    do {
      const part = symbols.slice(from, from + partSize);
      from += partSize;
      const more = from < symbols.length ? { more: true as const } : {};
      this.#parts.push(() => send(part, more));
    } while (from < symbols.length);
  }

  #hold(symbols: string[], terms: ModelTerms, id: unknown, more: { more?: true } = {}): void {
    for (const symbol of symbols) this.held.set(symbol, { terms, toldSeq: 0, sentAt: Number.NEGATIVE_INFINITY });
    const granted = symbols.map((symbol) => [symbol, this.#gateway.row(symbol).handle]);
    const own = id === undefined ? {} : { id };
    this.#say({ op: "subscribed", ...own, ...more, ...terms, symbols: granted, rejected: [] });
    const unknown = symbols.filter((symbol) => this.#gateway.row(symbol).seq === 0);
    const since = this.#gateway.time.micros();
    if (unknown.length > 0) this.#say({ op: "status", symbols: unknown, state: "stale", reason: "unknown", since });
  }

  #say(message: unknown): void {
    const { time, delay, connections } = this.#gateway;
    this.#spokeAt = time.millis();
    time.after(delay, () => {
      if (connections.has(this)) this.#listeners.get("message")?.({ type: "message", data: JSON.stringify(message) });
    });
  }
}

/** Whether a text (a symbol or a pattern) covers a symbol or all of a narrower pattern. */
export function matches(text: string, other: string): boolean {
  return isPattern(text) ? other.startsWith(text.slice(0, -1)) : text === other;
}

function isWiderThan(text: string, other: string): boolean {
  return text !== other && matches(text, other);
}

/** Test doubles for the client: a clock that the test moves, and a socket whose other end is the test. */
import { type ClientEvent, type ClientEvents, type ClientOptions, TickgateClient } from "../../src/client/client.ts";
import type { ClientSocket, SocketEvent } from "../../src/client/connection/socket.ts";
import type { ClientTime } from "../../src/client/connection/time.ts";

/** A time that only the test advances; timers fire in order. */
export class ManualTime implements ClientTime {
  #now = 0;
  #timers: { at: number; action: () => void }[] = [];

  micros(): number {
    return 1_700_000_000_000_000 + this.#now * 1_000;
  }

  millis(): number {
    return this.#now;
  }

  after(millis: number, action: () => void): () => void {
    const timer = { at: this.#now + millis, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get timers(): number {
    return this.#timers.length;
  }

  advance(millis: number): void {
    const until = this.#now + millis;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.at);
      next.action();
    }
    this.#now = until;
  }
}

/** A socket whose other end is the test. */
export class FakeSocket implements ClientSocket {
  static all: FakeSocket[] = [];
  binaryType = "blob";
  readonly url: string;
  readonly protocols: string[];
  protocol: string;
  readonly sent: (string | Uint8Array)[] = [];
  closedWith: number | undefined;
  readonly #listeners = new Map<string, (event: SocketEvent) => void>();

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
    this.protocol = "tickgate.v1.json";
    FakeSocket.all.push(this);
  }

  static get last(): FakeSocket {
    return FakeSocket.all.at(-1) as FakeSocket;
  }

  addEventListener(type: string, listener: (event: SocketEvent) => void): void {
    this.#listeners.set(type, listener);
  }

  send(data: string | Uint8Array): void {
    this.sent.push(data);
  }

  close(code?: number): void {
    this.closedWith = code;
  }

  /** Returns and removes the commands that were sent. */
  takeCommands(): Record<string, unknown>[] {
    return this.sent.splice(0).map((text) => JSON.parse(String(text)));
  }

  /** The gateway sends a message. */
  say(message: unknown): void {
    this.raw(JSON.stringify(message));
  }

  raw(data: unknown): void {
    this.#listeners.get("message")?.({ type: "message", data });
  }

  hello(more: Record<string, unknown> = {}): void {
    const limits = { symbols: 100, commandsPerSecond: 100, messageBytes: 32_768 };
    this.say({ op: "hello", protocol: 1, session: "s", node: "n", time: 0, heartbeat: 1_000, limits, ...more });
  }

  /** Grants symbols with the handles 1, 2, …, or from another first one. */
  grant(symbols: string[], { interval = 0, fields = ["bid", "ask"], from = 1 } = {}): void {
    const granted = symbols.map((symbol, index) => [symbol, from + index]);
    this.say({ op: "subscribed", interval, fields, symbols: granted, rejected: [] });
  }

  fail(message = ""): void {
    this.#listeners.get("error")?.({ type: "error", message });
  }

  drop(code: number, reason = ""): void {
    this.#listeners.get("close")?.({ type: "close", code, reason });
  }
}

/** The text of each event. */
const LINES: { readonly [E in ClientEvent]?: (...args: ClientEvents[E]) => string } = {
  connection: (state) => ("reason" in state ? `${state.phase}: ${state.reason}` : state.phase),
  granted: ({ symbol, interval }) => `granted ${symbol} at ${interval}`,
  rejected: ({ symbol, code }) => `rejected ${symbol}: ${code}`,
  ended: ({ symbol }) => `ended ${symbol}`,
  tick: ({ symbol, seq, values }, conflated) => `tick ${symbol} ${seq} [${values}] -${conflated}`,
  frame: (_sentAt, ticks) => `frame of ${ticks}`,
  status: ({ symbol }, state, reason) => `status ${symbol} ${state} ${reason}`.trim(),
  quality: ({ state }) => `quality ${state}`,
  pong: (roundTrip) => `pong ${roundTrip}`,
  error: ({ code }) => `error ${code}`,
  violation: (violation) => `violation ${violation}`,
};

/** A client on a fake socket, and the texts of all its events. */
export function fakeClient(options: ClientOptions = {}): {
  client: TickgateClient;
  time: ManualTime;
  events: string[];
} {
  FakeSocket.all = [];
  const time = new ManualTime();
  const events: string[] = [];
  const client = new TickgateClient("ws://gateway/v1/stream", {
    WebSocket: FakeSocket,
    time,
    random: () => 1,
    pingInterval: 0,
    ...options,
  });
  const listen = <E extends ClientEvent>(event: E, line: (...args: ClientEvents[E]) => string) =>
    client.on(event, (...args) => events.push(line(...args)));
  for (const [event, line] of Object.entries(LINES)) listen(event as ClientEvent, line as () => string);
  return { client, time, events };
}

/** Resolves after the microtasks and timers that the client has queued. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

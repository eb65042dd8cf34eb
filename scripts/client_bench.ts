/**
 * The main thread's time for 1,000 ticks: in the library, from the socket's event to the callback, and as a reference
 * for only decoding the same frames and storing them in a map. Runs in Node and in browsers.
 */
import { Packr } from "msgpackr";
import type { ClientSocket, Quote, SocketEvent, TickgateClient } from "../src/client/client.ts";

export interface BenchOptions {
  readonly symbols: number;
  readonly ticksPerFrame: number;
  /** Frames per round. The best round counts: other programs slow the others down. */
  readonly frames: number;
  readonly rounds: number;
}

/** Milliseconds per 1,000 ticks. */
export interface BenchResult {
  /** Decoded, checked, stored, and passed to a callback. */
  readonly client: number;
  /** The same in the JSON subprotocol. */
  readonly clientJson: number;
  /** Decoded by msgpackr and stored in a Map. */
  readonly msgpackr: number;
  /** Decoded by JSON.parse and stored in a Map. */
  readonly json: number;
}

type Tick = [handle: number, seq: number, eventTime: number, ...values: (number | null)[]];

/** A socket whose messages come from this program. */
class BenchSocket implements ClientSocket {
  static last: BenchSocket;
  binaryType = "";
  readonly protocol: string = "tickgate.v1.json";
  #onMessage: (event: SocketEvent) => void = () => {};

  constructor() {
    BenchSocket.last = this;
  }

  addEventListener(type: string, listener: (event: SocketEvent) => void): void {
    if (type === "message") this.#onMessage = listener;
  }

  send(): void {}

  close(): void {}

  deliver(data: string | ArrayBuffer): void {
    this.#onMessage({ type: "message", data });
  }
}

/** @param Client the built library */
export function runBench(Client: typeof TickgateClient, options: BenchOptions): BenchResult {
  const { frames: count, rounds, symbols, ticksPerFrame } = options;
  const packr = new Packr({ useRecords: false });
  const market = new BenchMarket(symbols, ticksPerFrame);
  const client = new Client("ws://bench/v1/stream", { WebSocket: BenchSocket, pingInterval: 0 });
  let sum = 0;
  const screen = client.subscribe("S*", { interval: 0 }, (quote: Quote) => {
    sum += quote.last ?? 0;
  });
  const limits = { symbols, commandsPerSecond: 100, messageBytes: 32_768 };
  const hello = { op: "hello", protocol: 1, session: "s", node: "n", time: 0, heartbeat: 60_000, limits };
  const granted = Array.from({ length: symbols }, (_, handle) => [`S${handle}`, handle]);
  const fields = ["bid", "bidSize", "ask", "askSize", "last", "lastSize", "open", "high", "low", "volume"];
  BenchSocket.last.deliver(JSON.stringify(hello));
  BenchSocket.last.deliver(JSON.stringify({ op: "subscribed", interval: 0, fields, symbols: granted, rejected: [] }));

  const decoded = new Map<number, Tick>();
  const keep = (frame: Tick[]) => {
    for (let at = 1; at < frame.length; at++) decoded.set(frame[at][0], frame[at]);
  };
  const best = [0, 0, 0, 0].fill(Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++) {
    const sides: [text: boolean, take: (data: never) => void][] = [
      [false, (data: ArrayBuffer) => BenchSocket.last.deliver(data)],
      [true, (data: string) => BenchSocket.last.deliver(data)],
      [false, (data: ArrayBuffer) => keep(packr.unpack(new Uint8Array(data)))],
      [true, (data: string) => keep(JSON.parse(data))],
    ];
    for (const [side, [isText, take]] of sides.entries()) {
      // Each variant gets its own frames with increasing seq.
      const frames = Array.from({ length: count }, () => market.frame());
      const messages = frames.map((frame) => (isText ? JSON.stringify(frame) : bufferOf(packr.pack(frame))));
      const start = performance.now();
      for (const message of messages) take(message as never);
      best[side] = Math.min(best[side], ((performance.now() - start) * 1_000) / (count * ticksPerFrame));
    }
  }
  const broken = Object.entries(client.violations).filter(([, times]) => times > 0);
  if (broken.length > 0 || screen.quotes.size !== symbols || sum === 0 || decoded.size !== symbols)
    throw new Error(`the ticks were not received correctly: ${broken}`);
  client.close();
  const [own, ownJson, msgpackr, json] = best;
  return { client: own, clientJson: ownJson, msgpackr, json };
}

/** Frames of ticks of all symbols, round robin, with realistic prices and sizes. */
class BenchMarket {
  readonly #symbols: number;
  readonly #ticksPerFrame: number;
  #ticks = 0;

  constructor(symbols: number, ticksPerFrame: number) {
    this.#symbols = symbols;
    this.#ticksPerFrame = ticksPerFrame;
  }

  frame(): [sentAt: number, ...ticks: Tick[]] {
    const ticks: Tick[] = [];
    for (let count = 0; count < this.#ticksPerFrame; count++) {
      const handle = this.#ticks % this.#symbols;
      const seq = Math.floor(this.#ticks / this.#symbols) + 1;
      const last = Math.round(10_000 + (this.#ticks % 977)) / 100;
      const values = [last - 0.01, 100 + handle, last + 0.01, 200.5, last, 3, 99.25, last + 1.5, last - 1.5, 1_234_567];
      ticks.push([handle, seq, 1_700_000_000_000_000 + this.#ticks, ...values]);
      this.#ticks++;
    }
    return [1_700_000_000_000_000 + this.#ticks * 1_000, ...ticks];
  }
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

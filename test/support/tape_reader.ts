/** A client that reads the tapes of some symbols: what it receives, what it misses, and how old it is on arrival. */
import { EventEmitter } from "node:events";
import { decode, encode } from "@msgpack/msgpack";
import { WebSocket } from "ws";
import { SystemClock } from "../../src/base/clock.ts";

const clock = new SystemClock();
/** Kept descriptions of breaches. */
const MAX_BREACHES = 10;

export class TapeReader {
  readonly changes = new EventEmitter();
  readonly breaches: string[] = [];
  received = 0;
  missed = 0;
  bytes = 0;
  /** Microseconds, of the oldest trade and of the oldest frame. */
  greatestAge = 0;
  greatestWay = 0;
  granted = false;
  readonly #socket: WebSocket;
  readonly #symbols = new Map<number, string>();
  /** The number of the next trade. */
  readonly #next = new Map<string, number>();

  /** Subscribes before the first trade of the symbols, so that it misses none without being told. */
  constructor(url: string, symbols: readonly string[], interval: number) {
    for (const symbol of symbols) this.#next.set(symbol, 1);
    this.#socket = new WebSocket(url, "tickgate.v1.msgpack", { perMessageDeflate: false });
    this.#socket.on("open", () => this.#socket.send(encode({ op: "subscribe", channel: "trade", symbols, interval })));
    this.#socket.on("message", (data: Buffer) => {
      const value = decode(data);
      if (Array.isArray(value)) this.#frame(value as [number, ...[number, number, number][]], data.length);
      else this.#control(value as Record<string, unknown>);
      this.changes.emit("change");
    });
    this.#socket.on("close", (code) => this.#breach(`closed with ${code}`));
    this.#socket.on("error", () => {});
  }

  /** How many trades of a symbol are accounted for: received or missed. */
  accounted(symbol: string): number {
    return (this.#next.get(symbol) ?? 1) - 1;
  }

  close(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.terminate();
  }

  #control(message: Record<string, unknown>): void {
    if (message.op === "subscribed") {
      for (const [symbol, handle] of message.symbols as [string, number][]) this.#symbols.set(handle, symbol);
      this.granted = true;
    }
    if (message.op !== "status" || message.state !== "gap") return;
    if (message.channel !== "trade" || typeof message.missed !== "number")
      return this.#breach(`a gap without a number: ${JSON.stringify(message)}`);
    for (const symbol of message.symbols as string[]) {
      this.missed += message.missed;
      this.#next.set(symbol, (this.#next.get(symbol) ?? 1) + message.missed);
    }
  }

  #frame([sentAt, ...trades]: [number, ...[number, number, number][]], bytes: number): void {
    const now = clock.micros();
    this.bytes += bytes;
    this.received += trades.length;
    this.greatestWay = Math.max(this.greatestWay, now - sentAt);
    for (const [handle, seq, eventTime] of trades) {
      const symbol = this.#symbols.get(handle) ?? "";
      const next = this.#next.get(symbol) ?? 1;
      if (seq !== next) this.#breach(`${symbol}: ${seq} instead of ${next}`);
      this.#next.set(symbol, seq + 1);
      this.greatestAge = Math.max(this.greatestAge, now - eventTime);
    }
  }

  #breach(what: string): void {
    if (this.breaches.length < MAX_BREACHES) this.breaches.push(what);
  }
}

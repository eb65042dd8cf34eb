/** A client that measures the age of ticks on arrival: from their event time to its own clock. */
import { decode, encode } from "@msgpack/msgpack";
import { WebSocket } from "ws";
import { SystemClock } from "../../src/base/clock.ts";

const clock = new SystemClock();

export class AgeClient {
  readonly #socket: WebSocket;
  readonly #seen = new Set<number>();
  readonly #opened: Promise<void>;
  /** Of the ticks since {@link begin}, without snapshots, microseconds. */
  ages: number[] = [];
  #isCounting = false;

  /** @param interval ms */
  constructor(url: string, symbols: readonly string[], interval: number) {
    const socket = new WebSocket(url, "tickgate.v1.msgpack", { perMessageDeflate: false });
    this.#socket = socket;
    socket.on("open", () => socket.send(encode({ op: "subscribe", symbols, interval, fields: ["last"] })));
    this.#opened = new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("message", (data: Buffer) => {
        if (this.#hear(data)) resolve();
      });
    });
  }

  /** Resolves when it has had its first ticks. */
  get served(): Promise<void> {
    return this.#opened;
  }

  /** Ages are counted from now on. */
  begin(): void {
    this.ages = [];
    this.#isCounting = true;
  }

  close(): void {
    this.#socket.terminate();
  }

  /** @returns whether it was a data frame */
  #hear(data: Buffer): boolean {
    const now = clock.micros();
    const value = decode(data);
    if (!Array.isArray(value)) return false;
    const [, ...ticks] = value as [number, ...[number, number, number][]];
    for (const [handle, , eventTime] of ticks) {
      const isFirst = !this.#seen.has(handle);
      this.#seen.add(handle);
      if (!isFirst && this.#isCounting) this.ages.push(now - eventTime);
    }
    return true;
  }
}

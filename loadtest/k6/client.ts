/** One client of the load test: it believes nothing, and checks what the protocol promises on a sample of the frames. */
import { check } from "k6";
import { WebSocket } from "k6/websockets";
import * as metrics from "./metrics.ts";
import { isControl, packCommand, readControl, readFrame, TICK_NUMBERS, tickCount } from "./msgpack.ts";
import type { Promised } from "./promises.ts";

const MAX_FRAME = 65_536;
const FIELDS = 10;
/** The sample is taken in stretches of this, ms: in each one all frames are read, so that ticks have their followers. */
const STRETCH = 1_000;
/** Ages that are counted of one frame at most: a measurement costs k6 more than the rest of a tick. */
const AGES_PER_FRAME = 8;
/** What is told of a client's faults. */
const MAX_FAULTS = 5;

/** What all clients of a virtual user share. */
export interface Surroundings {
  readonly url: string;
  /** ms */
  readonly interval: number;
  /** One of so many stretches is read. */
  readonly oneOf: number;
  /** What the gateway's clock is ahead of ours, ms. */
  readonly clockOffset: number;
  readonly counts: metrics.Counts;
  /** The tags of an age, when it is counted. */
  tags(isInStorm: boolean): Readonly<Record<string, string>>;
}

export class Client {
  readonly #around: Surroundings;
  readonly #seat: number;
  readonly #isInStorm: boolean;
  readonly #symbols: readonly string[];
  readonly #socket: WebSocket;
  readonly #startedAt = Date.now();
  readonly #ended: (isRefused: boolean) => void;
  readonly #seq = new Map<number, number>();
  /** When each handle last had a tick that was read, by the gateway's clock, microseconds; and in which stretch. */
  readonly #sentAt = new Map<number, number>();
  readonly #stretchOf = new Map<number, number>();
  /** Handles whose ticks were missed or start anew, as the gateway has said: whether `seq` may go back. */
  readonly #excused = new Map<number, boolean>();
  readonly #handles = new Map<string, number>();
  readonly #faults: string[] = [];
  #interval = 0;
  #fields = FIELDS;
  #isGreeted = false;
  #isOpen = false;
  #isClosing = false;

  /**
   * @param ended is called when the connection has ended, and with whether it never began
   */
  constructor(
    around: Surroundings,
    seat: number,
    isInStorm: boolean,
    symbols: readonly string[],
    ended: (isRefused: boolean) => void,
  ) {
    this.#around = around;
    this.#seat = seat;
    this.#isInStorm = isInStorm;
    this.#symbols = symbols;
    this.#ended = ended;
    this.#socket = new WebSocket(around.url, "tickgate.v1.msgpack");
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.#open();
    this.#socket.onmessage = ({ data, timestamp }) => this.#message(data, timestamp);
    // An error before the connection is open is told by its end; one after that, by its end as well.
    this.#socket.onerror = () => {};
    this.#socket.onclose = ({ code }) => this.#end(code);
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#socket.close(1000);
  }

  #open(): void {
    this.#isOpen = true;
    metrics.connected.add(1);
    metrics.connectTime.add(Date.now() - this.#startedAt);
    this.#socket.send(packCommand({ op: "subscribe", symbols: this.#symbols, interval: this.#around.interval }));
  }

  #message(data: ArrayBuffer | string, receivedAt: number): void {
    if (typeof data === "string") return this.#fault("readable", "text on a binary subprotocol");
    try {
      if (isControl(data)) return this.#control(readControl(data));
      if (!this.#isGreeted) this.#fault("hello", "a data frame came first");
      const { counts } = this.#around;
      counts.frames++;
      counts.ticks += tickCount(data);
      counts.delay = Math.max(counts.delay, Date.now() - receivedAt);
      if (data.byteLength > MAX_FRAME) this.#fault("readable", `a frame of ${data.byteLength} bytes`);
      const stretch = Math.floor(receivedAt / STRETCH);
      // Everything is read until there is a snapshot of each symbol; after that, everyone has other stretches.
      const isRead = this.#seq.size < this.#symbols.length || (stretch + this.#seat) % this.#around.oneOf === 0;
      if (isRead) this.#data(data, receivedAt, stretch);
    } catch (error) {
      this.#fault("readable", String(error));
    }
  }

  #control(message: Record<string, unknown>): void {
    if (!this.#isGreeted && message.op !== "hello") this.#fault("hello", `${message.op} came first`);
    switch (message.op) {
      case "hello":
        this.#isGreeted = true;
        return;
      case "subscribed":
        return this.#subscribed(message as unknown as Granted);
      case "status":
        if (message.state !== "gap") return;
        for (const symbol of message.symbols as string[])
          this.#excused.set(this.#handles.get(symbol) ?? -1, message.reason === "reset");
        return;
      case "error":
        return this.#fault("error", `${message.code}: ${message.message}`);
    }
  }

  #subscribed({ interval, fields, symbols, rejected }: Granted): void {
    this.#interval = interval * 1_000;
    this.#fields = fields.length;
    if (interval < this.#around.interval) this.#fault("granted", `an interval of ${interval} ms`);
    if (fields.length !== FIELDS) this.#fault("granted", `${fields.length} fields`);
    if (rejected.length > 0) this.#fault("granted", `${rejected[0].symbol} was rejected: ${rejected[0].code}`);
    for (const [symbol, handle] of symbols) this.#handles.set(symbol, handle);
  }

  #data(data: ArrayBuffer, receivedAt: number, stretch: number): void {
    const { sentAt, ticks } = readFrame(data);
    const count = ticks.length / TICK_NUMBERS;
    const tags = this.#around.tags(this.#isInStorm);
    const ageEvery = Math.ceil(count / AGES_PER_FRAME);
    const seen = new Set<number>();
    const { counts } = this.#around;
    counts.read += count;
    for (let tick = 0; tick < count; tick++) {
      const at = tick * TICK_NUMBERS;
      const [handle, seq, eventTime, fields] = [ticks[at], ticks[at + 1], ticks[at + 2], ticks[at + 3]];
      if (fields !== this.#fields) this.#fault("whole", `${fields} of ${this.#fields} fields`);
      if (seen.has(handle)) this.#fault("once", `handle ${handle}`);
      seen.add(handle);
      const before = this.#seq.get(handle);
      const gap = sentAt - (this.#sentAt.get(handle) ?? Number.NEGATIVE_INFINITY);
      const isFollowing = this.#stretchOf.get(handle) === stretch;
      this.#seq.set(handle, seq);
      this.#sentAt.set(handle, sentAt);
      this.#stretchOf.set(handle, stretch);
      if (gap < this.#interval) this.#fault("interval", `${gap / 1_000} ms`);
      if (before === undefined) {
        // The snapshot, which has no age.
        if (this.#seq.size === this.#symbols.length) metrics.snapshotTime.add(receivedAt - this.#startedAt);
        continue;
      }
      const mayGoBack = this.#excused.get(handle);
      if (mayGoBack !== undefined) {
        this.#excused.delete(handle);
        if (seq < before && !mayGoBack) this.#fault("seq", `${before} to ${seq} after a gap`);
        continue;
      }
      if (seq <= before) this.#fault("seq", `${before} to ${seq}`);
      else if (isFollowing) {
        counts.following++;
        counts.conflated += seq - before - 1;
      }
      if (tick % ageEvery === 0) metrics.tickAge.add(receivedAt + this.#around.clockOffset - eventTime / 1_000, tags);
    }
  }

  #end(code: number): void {
    if (!this.#isOpen) {
      if (!this.#isClosing) metrics.refused.add(1);
      return this.#ended(true);
    }
    if (!this.#isClosing) this.#fault("open", `closed with ${code}`);
    const symbols = this.#symbols.length;
    if (this.#handles.size < symbols) this.#fault("granted", `${this.#handles.size} of ${symbols} symbols`);
    if (this.#seq.size < symbols) this.#fault("snapshot", `${this.#seq.size} of ${symbols} symbols`);
    check(this, { "every promise kept": (client) => client.#faults.length === 0 });
    this.#ended(false);
    // An exception would end the other connections of the virtual user as well.
    // biome-ignore lint/suspicious/noConsole: k6 says it on standard error
    if (this.#faults.length > 0) console.error(`seat ${this.#seat}: ${this.#faults.join("; ")}`);
  }

  #fault(promise: Promised, detail: string): void {
    metrics.broken.add(1, { promise });
    // The first ones tell enough.
    if (this.#faults.length < MAX_FAULTS) this.#faults.push(`${promise}: ${detail}`);
  }
}

/** What is read of a `subscribed`. */
interface Granted {
  readonly interval: number;
  readonly fields: readonly string[];
  readonly symbols: readonly (readonly [symbol: string, handle: number])[];
  readonly rejected: readonly { readonly symbol: string; readonly code: string }[];
}

/** One client of the load test: it believes nothing, and checks what the protocol promises on a sample of the frames. */
import { check } from "k6";
import { WebSocket } from "k6/websockets";
import * as metrics from "./metrics.ts";
import { isControl, packCommand, readControl, readFrame, TICK_NUMBERS, tickCount } from "./msgpack.ts";
import type { Promised } from "./promises.ts";

const MAX_FRAME = 65_536;
const MAX_CONTROL = 16_384;
const FIELDS = 10;
/** The sample is taken in stretches of this, ms: in each one all frames are read, so that ticks have their followers. */
const SAMPLE_PERIOD = 1_000;
/** Ages that are counted of one frame at most: a measurement costs k6 more than the rest of a tick. */
const AGES_PER_FRAME = 8;
/** What is told of a client's faults. */
const MAX_FAULTS = 5;
/** A connection that ended sooner than this, ms, may lack what was on its way; or any, where k6 was behind by so much. */
const TIME_TO_ANSWER = 2_000;
const MAX_OWN_DELAY = 500;

/** What all clients of a virtual user share. */
export interface ClientContext {
  readonly url: string;
  /** ms */
  readonly interval: number;
  /** One of so many stretches is read. */
  readonly readEvery: number;
  /** What the gateway's clock is ahead of ours, ms. */
  readonly clockOffset: number;
  readonly counts: metrics.Counts;
  /** So many connections one after the other have seen no `hello`. */
  withoutHello: number;
  /** The tags of an age, when it is counted. */
  tags(isInStorm: boolean): Readonly<Record<string, string>>;
  /** Says what a client has found. */
  reportFaults(faults: string): void;
}

export class Client {
  readonly #context: ClientContext;
  readonly #index: number;
  readonly #isInStorm: boolean;
  readonly #symbols: readonly string[];
  readonly #socket: WebSocket;
  readonly #startedAt = Date.now();
  readonly #ended: (isRefused: boolean) => void;
  /** From symbols and handles to slots, a symbol's place among those asked for. */
  readonly #slots = new Map<number, number>();
  readonly #slotBySymbol: ReadonlyMap<string, number>;
  /** By slot: the last `seq`, 0 for none; the `sentAt` of its frame, microseconds, and its number; and its stretch. */
  readonly #seq: number[];
  readonly #sentAt: number[];
  readonly #frameOf: number[];
  readonly #periodOf: number[];
  /** Slots whose ticks were missed or start anew, as the gateway has said: whether `seq` may go back. */
  readonly #gaps = new Map<number, boolean>();
  readonly #faults: string[] = [];
  #missingSnapshots: number;
  #frame = 0;
  #interval = 0;
  #fields = FIELDS;
  #openedAt = 0;
  #hasHello = false;
  #hasMessage = false;
  #isClosing = false;

  /**
   * @param ended is called when the connection has ended, and with whether it never began
   */
  constructor(
    around: ClientContext,
    seat: number,
    isInStorm: boolean,
    symbols: readonly string[],
    ended: (isRefused: boolean) => void,
  ) {
    this.#context = around;
    this.#index = seat;
    this.#isInStorm = isInStorm;
    this.#symbols = symbols;
    this.#slotBySymbol = new Map(symbols.map((symbol, slot) => [symbol, slot]));
    this.#seq = symbols.map(() => 0);
    this.#sentAt = symbols.map(() => 0);
    this.#frameOf = symbols.map(() => 0);
    this.#periodOf = symbols.map(() => 0);
    this.#missingSnapshots = symbols.length;
    this.#ended = ended;
    this.#socket = new WebSocket(around.url, "tickgate.v1.msgpack");
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.#open();
    this.#socket.onmessage = ({ data, timestamp }) => this.#message(data, timestamp);
    // An error is told by the end that follows it.
    this.#socket.onerror = () => {};
    this.#socket.onclose = ({ code }) => this.#end(code);
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#socket.close(1000);
  }

  #open(): void {
    this.#openedAt = Date.now();
    metrics.connected.add(1);
    metrics.connectTime.add(this.#openedAt - this.#startedAt);
    this.#socket.send(packCommand({ op: "subscribe", symbols: this.#symbols, interval: this.#context.interval }));
  }

  #message(data: ArrayBuffer | string, receivedAt: number): void {
    if (typeof data === "string") return this.#fault("readable", "text on a binary subprotocol");
    const { counts, readEvery: oneOf } = this.#context;
    try {
      const bytes = new Uint8Array(data);
      if (isControl(bytes[0])) {
        if (bytes.length > MAX_CONTROL) this.#fault("readable", `a control message of ${bytes.length} bytes`);
        return this.#control(readControl(data));
      }
      this.#checkHello("a data frame");
      counts.frames++;
      counts.ticks += tickCount(bytes);
      counts.observeDelay(Date.now() - receivedAt);
      if (bytes.length > MAX_FRAME) this.#fault("readable", `a frame of ${bytes.length} bytes`);
      const stretch = Math.floor(receivedAt / SAMPLE_PERIOD);
      // Everything is read until there is a snapshot of each symbol; after that, everyone has other stretches.
      if (this.#missingSnapshots > 0 || (stretch + this.#index) % oneOf === 0)
        this.#readDataFrame(data, receivedAt, stretch);
    } catch (error) {
      this.#fault("readable", String(error));
    }
  }

  /**
   * Sees that `hello` comes first. k6 throws away what it has read before it gets to telling that the connection is open
   * (`queueMessage` of its websockets.go, 2.2.0): on a busy machine that may be one's `hello`, and hardly twice in a row.
   */
  #checkHello(op: string): void {
    if (op === "hello") {
      if (this.#hasMessage) this.#fault("hello", this.#hasHello ? "it came twice" : "it came late");
      this.#hasHello = true;
      this.#context.withoutHello = 0;
    } else if (!this.#hasMessage && ++this.#context.withoutHello > 1) this.#fault("hello", `${op} came first`);
    this.#hasMessage = true;
  }

  #control(message: Record<string, unknown>): void {
    this.#checkHello(String(message.op));
    switch (message.op) {
      case "hello":
        return;
      case "subscribed":
        return this.#subscribed(message as unknown as Granted);
      case "status":
        if (message.state !== "gap") return;
        for (const symbol of message.symbols as string[])
          this.#gaps.set(this.#slotBySymbol.get(symbol) ?? -1, message.reason === "reset");
        return;
      case "error":
        return this.#fault("error", `${message.code}: ${message.message}`);
    }
  }

  #subscribed({ interval, fields, symbols, rejected }: Granted): void {
    this.#interval = interval * 1_000;
    this.#fields = fields.length;
    if (interval < this.#context.interval) this.#fault("granted", `an interval of ${interval} ms`);
    if (fields.length !== FIELDS) this.#fault("granted", `${fields.length} fields`);
    if (rejected.length > 0) this.#fault("granted", `${rejected[0].symbol} was rejected: ${rejected[0].code}`);
    for (const [symbol, handle] of symbols) this.#slots.set(handle, this.#slotBySymbol.get(symbol) ?? -1);
  }

  /** Reads and checks a frame. In locals, since k6 takes longer for a field than for a sum. */
  #readDataFrame(data: ArrayBuffer, receivedAt: number, stretch: number): void {
    const { sentAt, ticks } = readFrame(data);
    const { counts, clockOffset } = this.#context;
    const slots = this.#slots;
    const seqs = this.#seq;
    const sentAts = this.#sentAt;
    const frames = this.#frameOf;
    const stretches = this.#periodOf;
    const [interval, fields, isExcusing] = [this.#interval, this.#fields, this.#gaps.size > 0];
    const frame = ++this.#frame;
    const tags = this.#context.tags(this.#isInStorm);
    const ageEvery = Math.ceil(ticks.length / TICK_NUMBERS / AGES_PER_FRAME) * TICK_NUMBERS;
    counts.read += ticks.length / TICK_NUMBERS;
    for (let at = 0; at < ticks.length; at += TICK_NUMBERS) {
      const slot = slots.get(ticks[at]);
      if (slot === undefined) {
        this.#fault("granted", `a tick of handle ${ticks[at]}, which was not`);
        continue;
      }
      const seq = ticks[at + 1];
      const before = seqs[slot];
      if (ticks[at + 3] !== fields) this.#fault("whole", `${ticks[at + 3]} of ${fields} fields`);
      if (frames[slot] === frame) this.#fault("once", this.#symbols[slot]);
      else if (sentAt - sentAts[slot] < interval) this.#fault("interval", `${(sentAt - sentAts[slot]) / 1_000} ms`);
      const isFollowing = stretches[slot] === stretch;
      seqs[slot] = seq;
      sentAts[slot] = sentAt;
      frames[slot] = frame;
      stretches[slot] = stretch;
      if (before === 0) {
        // The snapshot, which has no age.
        if (--this.#missingSnapshots === 0) metrics.snapshotTime.add(receivedAt - this.#startedAt);
        continue;
      }
      if (isExcusing && this.#gaps.has(slot)) {
        if (seq < before && !this.#gaps.get(slot)) this.#fault("seq", `${before} to ${seq} after a gap`);
        this.#gaps.delete(slot);
        continue;
      }
      if (seq <= before) this.#fault("seq", `${before} to ${seq}`);
      else if (isFollowing) {
        counts.following++;
        counts.conflated += seq - before - 1;
      }
      if (at % ageEvery === 0) metrics.tickAge.add(receivedAt + clockOffset - ticks[at + 2] / 1_000, tags);
    }
  }

  #end(code: number): void {
    if (this.#openedAt === 0) {
      if (!this.#isClosing) metrics.refused.add(1);
      return this.#ended(true);
    }
    if (!this.#isClosing) this.#fault("open", `closed with ${code}`);
    this.#checkEnd();
    check(this, { "every promise kept": (client) => client.#faults.length === 0 });
    this.#ended(false);
    if (this.#faults.length > 0) this.#context.reportFaults(`seat ${this.#index}: ${this.#faults.join("; ")}`);
  }

  /** Whether all is there that must be. */
  #checkEnd(): void {
    const symbols = this.#symbols.length;
    if (this.#slots.size === symbols && this.#missingSnapshots === 0) return;
    const stay = Date.now() - this.#openedAt;
    if (stay < TIME_TO_ANSWER || this.#context.counts.maxDelay > MAX_OWN_DELAY) metrics.unfinished.add(1);
    else if (this.#slots.size < symbols) this.#fault("granted", `${this.#slots.size} of ${symbols} symbols`);
    else this.#fault("snapshot", `${symbols - this.#missingSnapshots} of ${symbols} symbols`);
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

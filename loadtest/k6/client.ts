/** One client of the load test. It checks the protocol's promises on a sample of the frames. */
import { check } from "k6";
import { WebSocket } from "k6/websockets";
import * as metrics from "./metrics.ts";
import { isControl, packCommand, readControl, readFrame, type StreamTick, TICK_NUMBERS, tickCount } from "./msgpack.ts";
import type { Promised } from "./promises.ts";
import { type StreamFrame, Streams } from "./streams.ts";
import { tokenHeaders } from "./tokens.ts";

const MAX_FRAME = 65_536;
const MAX_CONTROL = 16_384;
const FIELDS = 10;
/** The sample consists of whole periods of this length, ms, so that it has consecutive ticks of a symbol. */
const SAMPLE_PERIOD = 1_000;
/** The most ages per frame: adding a measurement costs k6 more than reading a tick. */
const AGES_PER_FRAME = 8;
/** Reported faults per client. */
const MAX_FAULTS = 5;
/** Connections shorter than this, or any when k6 is delayed by more than that, may miss snapshots, ms. */
const TIME_TO_ANSWER = 2_000;
const MAX_OWN_DELAY = 500;

/** Shared by all clients of a virtual user. */
export interface ClientContext {
  readonly url: string;
  /** ms */
  readonly interval: number;
  /** Whether each client has the trades, and the book, of its first symbol too. */
  readonly trades: boolean;
  readonly books: boolean;
  /** The length of the bars that it has of this symbol, seconds; 0 for none. */
  readonly bars: number;
  /** One of this many periods is read. */
  readonly readEvery: number;
  /** How far the gateway's clock is ahead of ours, ms. */
  readonly clockOffset: number;
  /** How late every symbol must be, ms, and the age of the youngest value by our clock. */
  readonly delay: number;
  readonly youngest: number;
  readonly counts: metrics.Counts;
  /** The number of consecutive connections without `hello`. */
  withoutHello: number;
  /** The tags of an age that is added now. */
  tags(isInStorm: boolean): Readonly<Record<string, string>>;
  /** Reports the faults that a client has found. */
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
  /** Slots by handle and by symbol. A slot is a symbol's index among the requested ones. */
  readonly #slots = new Map<number, number>();
  readonly #slotBySymbol: ReadonlyMap<string, number>;
  /** By slot, of the last tick: `seq` (0 for none), `sentAt` (microseconds) and number of its frame, and its period. */
  readonly #seq: number[];
  readonly #sentAt: number[];
  readonly #frameOf: number[];
  readonly #periodOf: number[];
  /** Slots after a `gap` status, and whether it was a reset, after which `seq` may be lower. */
  readonly #gaps = new Map<number, boolean>();
  readonly #streams: Streams | undefined;
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
   * @param ended called when the connection has ended. `isRefused`: it never opened
   */
  constructor(
    around: ClientContext,
    index: number,
    isInStorm: boolean,
    symbols: readonly string[],
    ended: (isRefused: boolean) => void,
  ) {
    this.#context = around;
    this.#index = index;
    this.#isInStorm = isInStorm;
    this.#symbols = symbols;
    this.#slotBySymbol = new Map(symbols.map((symbol, slot) => [symbol, slot]));
    this.#seq = symbols.map(() => 0);
    this.#sentAt = symbols.map(() => 0);
    this.#frameOf = symbols.map(() => 0);
    this.#periodOf = symbols.map(() => 0);
    this.#missingSnapshots = symbols.length;
    const { trades, books, bars } = around;
    if (trades || books || bars > 0)
      this.#streams = new Streams({ trades, books, bars }, (promise, detail) => this.#fault(promise, detail));
    this.#ended = ended;
    this.#socket = new WebSocket(around.url, "tickgate.v1.msgpack", { headers: tokenHeaders(`k6-${index}`) });
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.#open();
    this.#socket.onmessage = ({ data, timestamp }) => this.#message(data, timestamp);
    // `onclose` follows every error.
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
    const { interval } = this.#context;
    this.#socket.send(packCommand({ op: "subscribe", symbols: this.#symbols, interval }));
    for (const own of this.#streams?.commands() ?? [])
      this.#socket.send(packCommand({ op: "subscribe", symbols: this.#symbols.slice(0, 1), interval, ...own }));
  }

  #message(data: ArrayBuffer | string, receivedAt: number): void {
    if (typeof data === "string") return this.#fault("readable", "text on a binary subprotocol");
    const { counts, readEvery } = this.#context;
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
      const period = Math.floor(receivedAt / SAMPLE_PERIOD);
      // Reads all frames until each symbol has its snapshot; then each client reads other periods.
      const isStarting = this.#missingSnapshots > 0 || this.#streams?.isAwaitingPast === true;
      if (isStarting || (period + this.#index) % readEvery === 0) this.#readDataFrame(data, receivedAt, period);
    } catch (error) {
      this.#fault("readable", String(error));
    }
  }

  /**
   * Checks that `hello` comes first. k6 discards messages that it reads before it calls `onopen` (`queueMessage` in its
   * websockets.go, 2.2.0): on a busy machine `hello` can be lost, but hardly on two consecutive connections.
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
    if (message.channel !== undefined) return this.#streams?.control(message, this.#context.interval);
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

  #subscribed({ interval, fields, symbols, rejected, delayed = [] }: Granted): void {
    this.#interval = interval * 1_000;
    this.#fields = fields.length;
    if (interval < this.#context.interval) this.#fault("granted", `an interval of ${interval} ms`);
    if (fields.length !== FIELDS) this.#fault("granted", `${fields.length} fields`);
    if (rejected.length > 0) this.#fault("granted", `${rejected[0].symbol} was rejected: ${rejected[0].code}`);
    const { delay } = this.#context;
    const late = delayed.filter(([, millis]) => millis >= delay).length;
    if (delay > 0 && late < symbols.length) this.#fault("delay", `${late} of ${symbols.length} symbols are told late`);
    for (const [symbol, handle] of symbols) this.#slots.set(handle, this.#slotBySymbol.get(symbol) ?? -1);
  }

  /** Reads and checks a frame. Local variables, because fields are slow in k6. */
  #readDataFrame(data: ArrayBuffer, receivedAt: number, period: number): void {
    const { sentAt, ticks, streamTicks } = readFrame(data, this.#streams?.granted);
    const { counts, clockOffset, youngest } = this.#context;
    const slots = this.#slots;
    const seqs = this.#seq;
    const sentAts = this.#sentAt;
    const frames = this.#frameOf;
    const periods = this.#periodOf;
    const [interval, fields, hasGaps] = [this.#interval, this.#fields, this.#gaps.size > 0];
    const frame = ++this.#frame;
    const tags = this.#context.tags(this.#isInStorm);
    const ageEvery = Math.ceil(ticks.length / TICK_NUMBERS / AGES_PER_FRAME) * TICK_NUMBERS;
    counts.read += ticks.length / TICK_NUMBERS + streamTicks.length;
    if (streamTicks.length > 0) {
      const whole = this.#context.readEvery === 1 ? 0 : period;
      this.#readStreams(streamTicks, { sentAt, number: frame, bytes: data.byteLength, period: whole }, receivedAt);
    }
    for (let at = 0; at < ticks.length; at += TICK_NUMBERS) {
      const slot = slots.get(ticks[at]);
      if (slot === undefined) {
        this.#fault("granted", `a tick of handle ${ticks[at]}, which was not granted`);
        continue;
      }
      const seq = ticks[at + 1];
      const before = seqs[slot];
      const age = receivedAt + clockOffset - ticks[at + 2] / 1_000;
      if (age < youngest) this.#fault("delay", `${this.#symbols[slot]} is ${age.toFixed(1)} ms old`);
      if (ticks[at + 3] !== fields) this.#fault("whole", `${ticks[at + 3]} of ${fields} fields`);
      if (frames[slot] === frame) this.#fault("once", this.#symbols[slot]);
      else if (sentAt - sentAts[slot] < interval) this.#fault("interval", `${(sentAt - sentAts[slot]) / 1_000} ms`);
      const isFollowing = periods[slot] === period;
      seqs[slot] = seq;
      sentAts[slot] = sentAt;
      frames[slot] = frame;
      periods[slot] = period;
      if (before === 0) {
        // A snapshot has no age.
        if (--this.#missingSnapshots === 0) metrics.snapshotTime.add(receivedAt - this.#startedAt);
        continue;
      }
      if (hasGaps && this.#gaps.has(slot)) {
        if (seq < before && !this.#gaps.get(slot)) this.#fault("seq", `${before} to ${seq} after a gap`);
        this.#gaps.delete(slot);
        continue;
      }
      if (seq <= before) this.#fault("seq", `${before} to ${seq}`);
      else if (isFollowing) {
        counts.following++;
        counts.conflated += seq - before - 1;
      }
      if (at % ageEvery === 0) metrics.tickAge.add(age, tags);
    }
  }

  /** Checks trades, books and bars; the age of the last one is measured. */
  #readStreams(ticks: readonly StreamTick[], frame: StreamFrame, receivedAt: number): void {
    const { clockOffset, youngest } = this.#context;
    let isAged = false;
    let age = 0;
    for (const tick of ticks) {
      isAged = this.#streams?.tick(tick, frame) ?? false;
      age = receivedAt + clockOffset - tick.eventTime / 1_000;
      if (age < youngest) this.#fault("delay", `handle ${tick.handle} is ${age.toFixed(1)} ms old`);
    }
    if (isAged) metrics.tickAge.add(age, this.#context.tags(this.#isInStorm));
  }

  #end(code: number): void {
    if (this.#openedAt === 0) {
      if (!this.#isClosing) metrics.refused.add(1);
      return this.#ended(true);
    }
    if (!this.#isClosing) this.#fault("open", `closed with ${code}`);
    this.#checkEnd();
    this.#streams?.addTo(this.#context.counts);
    check(this, { "every promise kept": (client) => client.#faults.length === 0 });
    this.#ended(false);
    if (this.#faults.length > 0) this.#context.reportFaults(`connection ${this.#index}: ${this.#faults.join("; ")}`);
  }

  /** Checks that each symbol was granted and has its snapshot. */
  #checkEnd(): void {
    const symbols = this.#symbols.length;
    const isGranted = this.#streams?.isGranted !== false;
    if (this.#slots.size === symbols && this.#missingSnapshots === 0 && isGranted) return;
    const duration = Date.now() - this.#openedAt;
    if (duration < TIME_TO_ANSWER || this.#context.counts.maxDelay > MAX_OWN_DELAY) metrics.unfinished.add(1);
    else if (this.#slots.size < symbols) this.#fault("granted", `${this.#slots.size} of ${symbols} symbols`);
    else if (!isGranted) this.#fault("granted", "the trades, the book or the bars were not");
    else this.#fault("snapshot", `${symbols - this.#missingSnapshots} of ${symbols} symbols`);
  }

  #fault(promise: Promised, detail: string): void {
    metrics.broken.add(1, { promise });
    if (this.#faults.length < MAX_FAULTS) this.#faults.push(`${promise}: ${detail}`);
  }
}

/** The fields of `subscribed` that are used. */
interface Granted {
  readonly interval: number;
  readonly fields: readonly string[];
  readonly symbols: readonly (readonly [symbol: string, handle: number])[];
  readonly rejected: readonly { readonly symbol: string; readonly code: string }[];
  /** In ms. */
  readonly delayed?: readonly (readonly [symbol: string, delay: number])[];
}

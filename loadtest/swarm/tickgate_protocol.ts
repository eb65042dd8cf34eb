/**
 * Tickgate's protocol, with a check of its promises (docs/protocol.md) on every message. The state of all slots is in
 * typed arrays: a tick allocates nothing.
 */
import { pack, unpack } from "msgpackr";
import type { Target } from "../../src/msgpack/msgpack.ts";
import type { Resolution } from "../../src/protocol/messages.ts";
import { type ChannelAnswer, ChannelStreams } from "./channel_streams.ts";
import { FAULTS } from "./faults.ts";
import type { Decoder, Protocol, ProtocolPlan, StreamChannel, StreamState, Wire } from "./protocol.ts";
import { arrayHeadBytes, arrayLength, isControl, numberAt, TICK_HEADER, VALUE_BYTES } from "./tick_bytes.ts";

const MAX_FRAME_BYTES = 65_536;
const MAX_CONTROL_BYTES = 16_384;
const ALL_FIELDS = 10;
/** Symbols per subscribe command: fits into the largest message that the gateway accepts. */
const SYMBOLS_PER_MESSAGE = 1_000;
/** The longest silence: this share of the heartbeat interval plus these microseconds, for timers of a busy machine. */
const SILENCE_SHARE = 1.5;
const SILENCE_MICROS = 1_000_000;

/** Late values may seem younger by this, microseconds: processes read the clock at different times. */
const CLOCK_READINGS = 1_000;

/** Flags of a slot. */
const GRANTED = 1;
const GAP = 2;
const RESET = 4;
const ENDED = 8;

interface Settings {
  /** ms */
  readonly interval: number;
  readonly path: string;
  /** How late every symbol must be, ms. */
  readonly delay: number;
  /** How precisely the gateway's clock is known, microseconds. */
  readonly clockError: number;
  /** To the trades, the books and the bars of how many of its symbols each connection subscribes too. */
  readonly trades: number;
  readonly books: number;
  readonly bars: number;
  readonly resolution: Resolution;
}

/** What a connection asks for and expects. */
type Expected = Pick<Settings, "interval" | "delay" | "trades" | "books" | "bars" | "resolution"> & {
  /** No value is younger, microseconds. */
  readonly youngest: number;
};

/**
 * Settings: `interval` (ms, default 100), `path` (default `/v1/stream`), `resolution` (default `1s`); the others are 0
 * by default.
 */
export function createProtocol(plan: ProtocolPlan): Protocol {
  const settings = plan.settings as Partial<Settings>;
  const { interval = 100, path = "/v1/stream", delay = 0, clockError = 0 } = settings;
  const { trades = 0, books = 0, bars = 0, resolution = "1s" } = settings;
  const youngest = delay > 0 ? delay * 1_000 - CLOCK_READINGS - clockError : Number.NEGATIVE_INFINITY;
  const slots = new SlotTable(plan);
  return {
    upgrade: { path, subprotocol: "tickgate.v1.msgpack" },
    decoder: (wire) => new TickgateDecoder(wire, slots, { interval, delay, youngest, trades, books, bars, resolution }),
  };
}

/** The state of the slots of all connections of a process. */
class SlotTable {
  readonly perConnection: number;
  /** The market index of each symbol. */
  readonly symbols: ReadonlyMap<string, number>;
  readonly flags: Uint8Array;
  /** `sentAt` (microseconds) and number of the last frame with a tick of the slot. */
  readonly sentAt: Float64Array;
  readonly frame: Uint32Array;
  /**
   * Handles to slots: per connection a hash table with open addressing, with at least twice as many buckets as slots.
   */
  readonly #buckets: number;
  readonly #handles: Int32Array;
  readonly #slotAt: Int32Array;

  constructor({ market, connections, perConnection }: ProtocolPlan) {
    const count = connections * perConnection;
    this.perConnection = perConnection;
    this.symbols = new Map(market.map((symbol, place) => [symbol, place]));
    this.flags = new Uint8Array(count);
    this.sentAt = new Float64Array(count);
    this.frame = new Uint32Array(count);
    this.#buckets = 2 ** Math.ceil(Math.log2(perConnection * 2));
    this.#handles = new Int32Array(connections * this.#buckets).fill(-1);
    this.#slotAt = new Int32Array(connections * this.#buckets);
  }

  /** The bucket of a handle in a connection's table, or the free bucket for it; -1 if the table is full. */
  #bucketOf(local: number, handle: number): number {
    const mask = this.#buckets - 1;
    const first = local * this.#buckets;
    let place = handle & mask;
    for (let tried = 0; tried <= mask; tried++, place = (place + 1) & mask) {
      const found = this.#handles[first + place];
      if (found === handle || found === -1) return first + place;
    }
    return -1;
  }

  slotOf(local: number, handle: number): number {
    const place = this.#bucketOf(local, handle);
    return place >= 0 && this.#handles[place] === handle ? this.#slotAt[place] : -1;
  }

  /** Stores the slot of a handle. Returns whether it is valid: a connection has one handle per slot. */
  setHandle(local: number, handle: number, slot: number): boolean {
    const place = this.#bucketOf(local, handle);
    if (place < 0 || (this.#handles[place] === handle && this.#slotAt[place] !== slot)) return false;
    this.#handles[place] = handle;
    this.#slotAt[place] = slot;
    return true;
  }
}

class TickgateDecoder implements Decoder {
  readonly #wire: Wire;
  readonly #slots: SlotTable;
  readonly #base: number;
  readonly #expected: Expected;
  /** The granted interval, microseconds. */
  #interval = 0;
  #fields = ALL_FIELDS;
  #hasHello = false;
  #frame = 0;
  /** The longest allowed silence, microseconds. */
  #maxSilence = Number.POSITIVE_INFINITY;
  #lastMessageAt = 0;
  #resubscribing: string[] = [];
  /** Trades, books and bars; undefined where there are none. */
  readonly #streams: ChannelStreams | undefined;
  /** The bytes of the last tick of each slot, after {@link keepValues}. */
  #lastTicks: (Buffer | undefined)[] | undefined;

  constructor(wire: Wire, slots: SlotTable, expected: Expected) {
    this.#wire = wire;
    this.#slots = slots;
    this.#base = wire.localIndex * slots.perConnection;
    this.#expected = expected;
    if (expected.trades + expected.books + expected.bars > 0) this.#streams = new ChannelStreams(wire, expected);
  }

  opened(): void {
    this.#lastMessageAt = this.#wire.now;
    const names = this.#wire.selection.names();
    for (let first = 0; first < names.length; first += SYMBOLS_PER_MESSAGE)
      this.#subscribe(names.slice(first, first + SYMBOLS_PER_MESSAGE));
    this.#streams?.subscribe();
  }

  /** Unsubscribes half of the symbols, and subscribes again after the answer. */
  resubscribe(): void {
    if (!this.#hasHello || this.#resubscribing.length > 0) return;
    const { selection } = this.#wire;
    const half = Math.min(SYMBOLS_PER_MESSAGE, Math.ceil(selection.count / 2));
    this.#resubscribing = Array.from({ length: half }, (_, slot) => selection.nameAt(slot));
    this.#wire.send(pack({ op: "unsubscribe", symbols: this.#resubscribing }));
    this.#streams?.resubscribe();
  }

  keepValues(): void {
    this.#lastTicks = [];
    this.#streams?.keepValues();
  }

  valuesOf(slot: number): readonly (number | null)[] | undefined {
    const bytes = this.#lastTicks?.[slot];
    return bytes && (unpack(bytes) as (number | null)[]).slice(TICK_HEADER);
  }

  streamsOf(channel: StreamChannel): Iterable<StreamState> {
    return this.#streams?.all(channel) ?? [];
  }

  message(target: Target, start: number, end: number, isText: boolean): void {
    const { now, reader, ownDelay } = this.#wire;
    // A slow or stalled client causes its own silence.
    if (reader === "healthy" && now - this.#lastMessageAt > this.#maxSilence + ownDelay)
      this.#wire.reportFault(FAULTS.silent, `${((now - this.#lastMessageAt) / 1_000).toFixed(0)} ms`);
    this.#lastMessageAt = now;
    if (isText) return this.#wire.reportFault(FAULTS.text);
    const size = end - start;
    if (isControl(target.bytes[start])) {
      if (size > MAX_CONTROL_BYTES) this.#wire.reportFault(FAULTS.controlTooLarge, `${size} bytes`);
      return this.#control(target.bytes.subarray(start, end));
    }
    if (size > MAX_FRAME_BYTES) this.#wire.reportFault(FAULTS.tooLarge, `${size} bytes`);
    if (!this.#hasHello) this.#wire.reportFault(FAULTS.hello);
    if (!this.#readDataFrame(target, start, end)) this.#wire.reportFault(FAULTS.unreadable, `${size} bytes`);
  }

  /** Returns whether the whole message is a valid data frame. */
  #readDataFrame(target: Target, start: number, end: number): boolean {
    const { bytes } = target;
    const elements = arrayLength(target, start);
    if (elements < 1) return false;
    let at = start + arrayHeadBytes(target, start);
    const sentAt = numberAt(target, at);
    if (!(sentAt >= 0)) return false;
    at += VALUE_BYTES[bytes[at]];
    this.#frame++;
    for (let tick = 1; tick < elements; tick++) {
      if (at >= end) return false;
      const first = at;
      const length = arrayLength(target, at);
      if (length < TICK_HEADER) return false;
      at += arrayHeadBytes(target, at);
      const handle = numberAt(target, at);
      at += VALUE_BYTES[bytes[at]];
      const seq = numberAt(target, at);
      at += VALUE_BYTES[bytes[at]];
      const eventTime = numberAt(target, at);
      at += VALUE_BYTES[bytes[at]];
      const stream = this.#streams?.of(handle);
      if (stream) {
        if (!(eventTime >= 0)) return false;
        this.#checkAge(eventTime, stream.slot);
        at = stream.read(target, at, { length, seq, eventTime, sentAt, frame: this.#frame, bytes: end - start });
        if (at < 0 || at > end) return false;
        continue;
      }
      for (let value = TICK_HEADER; value < length; value++) {
        const size = VALUE_BYTES[bytes[at]];
        if (size === 0) return this.#isUnknown(handle);
        at += size;
      }
      if (at > end || !(handle >= 0) || !(eventTime >= 0)) return false;
      this.#tick(handle, seq, eventTime, sentAt, length - TICK_HEADER);
      if (this.#lastTicks)
        this.#lastTicks[this.#slots.slotOf(this.#wire.localIndex, handle)] = Buffer.from(bytes.subarray(first, at));
    }
    return at === end;
  }

  #tick(handle: number, seq: number, eventTime: number, sentAt: number, fields: number): void {
    const slots = this.#slots;
    const wire = this.#wire;
    const slot = slots.slotOf(wire.localIndex, handle);
    if (slot < 0) return wire.reportFault(FAULTS.notGranted, `handle ${handle}`);
    const at = this.#base + slot;
    const flags = slots.flags[at];
    if (flags !== GRANTED) {
      if ((flags & ENDED) !== 0) return this.#reportSlotFault(FAULTS.unsubscribed, slot, "");
      slots.flags[at] = GRANTED;
    }
    if (fields !== this.#fields) this.#reportSlotFault(FAULTS.notWhole, slot, `${fields} of ${this.#fields}`);
    if (slots.frame[at] === this.#frame) this.#reportSlotFault(FAULTS.twice, slot, "");
    else if (sentAt - slots.sentAt[at] < this.#interval)
      this.#reportSlotFault(FAULTS.tooSoon, slot, `${((sentAt - slots.sentAt[at]) / 1_000).toFixed(3)} ms`);
    slots.frame[at] = this.#frame;
    slots.sentAt[at] = sentAt;
    this.#checkAge(eventTime, slot);
    if (!(seq >= 1) || !Number.isInteger(seq)) return this.#reportSlotFault(FAULTS.notCounted, slot, String(seq));
    const before = wire.seqOf(slot);
    if ((flags & (GAP | RESET)) !== 0) {
      if ((flags & RESET) === 0 && seq < before) this.#reportSlotFault(FAULTS.wentBack, slot, `${before} to ${seq}`);
      wire.resetSeq(slot);
    } else if (seq <= before)
      this.#reportSlotFault(seq < before ? FAULTS.wentBack : FAULTS.repeated, slot, `${before} to ${seq}`);
    wire.tick(slot, seq, eventTime);
  }

  /** A tick of a handle that was not granted may have anything in it. @returns whether it is one */
  #isUnknown(handle: number): boolean {
    if (!(handle >= 0) || this.#slots.slotOf(this.#wire.localIndex, handle) >= 0) return false;
    this.#wire.reportFault(FAULTS.notGranted, `handle ${handle}`);
    return true;
  }

  #checkAge(eventTime: number, slot: number): void {
    const age = this.#wire.now - eventTime;
    if (age < this.#expected.youngest)
      this.#reportSlotFault(FAULTS.tooYoung, slot, `${(age / 1_000).toFixed(3)} ms old`);
  }

  #reportSlotFault(name: string, slot: number, detail: string): void {
    this.#wire.reportFault(name, `${this.#wire.selection.nameAt(slot)} ${detail}`.trimEnd());
  }

  #control(bytes: Uint8Array): void {
    const message = unpack(bytes) as Record<string, unknown>;
    if (!this.#hasHello && message.op !== "hello") this.#wire.reportFault(FAULTS.hello, String(message.op));
    if (message.channel !== undefined) {
      if (message.op === "status") this.#countStatus(message);
      return this.#streams?.control(message as unknown as ChannelAnswer);
    }
    switch (message.op) {
      case "hello":
        this.#hasHello = true;
        this.#maxSilence = Number(message.heartbeat) * 1_000 * SILENCE_SHARE + SILENCE_MICROS;
        return;
      case "subscribed":
        return this.#subscribed(message as unknown as Granted);
      case "unsubscribed":
        return this.#unsubscribed(message.symbols as string[], message.more === true);
      case "status":
        this.#countStatus(message);
        if (message.state === "gap") this.#gap(message.symbols as string[], message.reason === "reset");
        return;
      case "quality":
        return this.#wire.countNote(`quality ${message.state}, ${message.reason}`);
      case "bye":
        return this.#wire.countNote(`bye ${message.code}`);
      case "error":
        return this.#wire.reportFault(`error ${message.code}`, String(message.message));
    }
  }

  #countStatus({ channel, state, reason }: Record<string, unknown>): void {
    const which = channel === undefined ? "" : ` of a ${channel}`;
    this.#wire.countNote(`status${which} ${state}${reason === undefined ? "" : `, ${reason}`}`);
  }

  #subscribed({ interval, fields, symbols, rejected, delayed = [] }: Granted): void {
    if (interval < this.#expected.interval) this.#wire.reportFault(FAULTS.interval, `${interval} ms`);
    if (fields.length !== ALL_FIELDS) this.#wire.reportFault(FAULTS.fields, fields.join(" "));
    this.#interval = interval * 1_000;
    this.#fields = fields.length;
    for (const { symbol, code } of rejected) this.#wire.reportFault(FAULTS.rejected, `${symbol} ${code}`);
    const delays = new Map(delayed);
    for (const [symbol, handle] of symbols) {
      const slot = this.#slotOf(symbol);
      if (slot < 0) continue;
      if ((delays.get(symbol) ?? 0) < this.#expected.delay)
        this.#reportSlotFault(FAULTS.notLate, slot, `${delays.get(symbol) ?? 0} ms`);
      if (!this.#slots.setHandle(this.#wire.localIndex, handle, slot))
        this.#reportSlotFault(FAULTS.moved, slot, `handle ${handle}`);
      const at = this.#base + slot;
      // The next tick is a snapshot: it may repeat the last tick, and starts a new interval.
      this.#slots.flags[at] = GRANTED | GAP;
      this.#slots.sentAt[at] = 0;
    }
  }

  /** @param more whether another part of the same answer follows */
  #unsubscribed(symbols: readonly string[], more: boolean): void {
    for (const symbol of symbols) {
      const slot = this.#slotOf(symbol);
      if (slot >= 0) this.#slots.flags[this.#base + slot] = ENDED;
    }
    if (more || this.#resubscribing.length === 0) return;
    this.#subscribe(this.#resubscribing);
    this.#resubscribing = [];
  }

  #gap(symbols: readonly string[], isReset: boolean): void {
    for (const symbol of symbols) {
      const slot = this.#slotOf(symbol);
      if (slot >= 0) this.#slots.flags[this.#base + slot] |= isReset ? RESET : GAP;
    }
  }

  #slotOf(symbol: string): number {
    const place = this.#slots.symbols.get(symbol);
    return place === undefined ? -1 : this.#wire.selection.slotOf(place);
  }

  #subscribe(symbols: readonly string[]): void {
    this.#wire.send(pack({ op: "subscribe", symbols, interval: this.#expected.interval }));
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

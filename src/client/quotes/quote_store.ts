/**
 * The book: an entry for each symbol that is granted or wanted, and the check that the gateway keeps its promises. What
 * is granted belongs to one connection and is gone with it; entries live on.
 */

import { FIELDS, fieldIndex } from "../../base/tick.ts";
import { NOBODY_PUBLISHES, type Status, type Subscribed, type Unsubscribed } from "../../protocol/messages.ts";
import { type FrameReader, readFrame } from "../connection/codec.ts";
import type { ClientTime } from "../connection/time.ts";
import type { Violation, ViolationCounter } from "../connection/violations.ts";
import { Ages } from "./ages.ts";
import type { Quote } from "./quote.ts";
import { type GatewayTime, NO_LINK, QuoteRecord } from "./quote_record.ts";

export interface QuoteStoreOptions {
  readonly time: ClientTime;
  readonly sync: GatewayTime;
  /** How much less than the interval may be between two ticks, ms. */
  readonly tolerance: number;
  readonly violations: ViolationCounter;
  /** A symbol was granted. */
  readonly granted: (entry: QuoteRecord) => void;
  /** A tick has come of a symbol that is wanted. */
  readonly ticked: (quote: Quote, conflated: number) => void;
  /** All ticks of a frame have been told. */
  readonly frame: (sentAt: number, ticks: number) => void;
}

export class QuoteStore implements FrameReader {
  /** By symbol: those that are granted, and those that are wanted. */
  readonly entries = new Map<string, QuoteRecord>();
  readonly ages = new Ages();
  readonly counts = { frames: 0, ticks: 0, conflated: 0, lost: 0, gaps: 0, resets: 0 };
  readonly #options: QuoteStoreOptions;
  readonly #byHandle = new Map<number, QuoteRecord>();
  /** The connection; {@link NO_LINK} where there is none: within a frame an owner may have ended it. */
  #link = NO_LINK;
  /** Of the frame that is read. */
  #sentAt = 0;
  #ticks = 0;
  /** When the last message came that told something, ms. */
  #now = 0;
  #micros = 0;
  #gatewayMicros = 0;

  constructor(options: QuoteStoreOptions) {
    this.#options = options;
  }

  /** The entry of a symbol; a new one where there is none. */
  entry(symbol: string): QuoteRecord {
    const entry = this.entries.get(symbol) ?? new QuoteRecord(symbol, this.#options.sync);
    this.entries.set(symbol, entry);
    return entry;
  }

  /** A new connection: nothing is granted on it yet. */
  connected(): void {
    this.#link = { current: true, reason: "", since: 0 };
  }

  /** The connection is silent, or is heard again. */
  setCurrent(current: boolean, reason: string): void {
    const link = this.#link;
    if (link.current === current) return;
    link.current = current;
    link.reason = reason;
    link.since = this.#options.sync.micros();
    this.#now = this.#options.time.millis();
    for (const entry of this.entries.values())
      if (entry.link === link && entry.seq > 0 && (entry.told ?? "live") === "live") this.#changed(entry, true);
  }

  /** The connection is lost. */
  disconnected(reason: string): void {
    this.setCurrent(false, reason);
    this.#link.reason = reason;
    this.#link = NO_LINK;
    for (const entry of this.entries.values()) this.#end(entry);
  }

  granted({ symbols, interval, fields }: Subscribed): void {
    const positions = fields.map(fieldIndex);
    const missing = [...FIELDS.keys()].filter((position) => !positions.includes(position));
    for (const [symbol, handle] of symbols) {
      const entry = this.entry(symbol);
      const holder = this.#byHandle.get(handle);
      if (holder !== entry) {
        if (holder || entry.handle >= 0) this.#broken("handleChanged", `${symbol}: ${handle}`);
        if (holder) this.#end(holder);
        this.#end(entry);
        this.entries.set(symbol, entry);
        this.#byHandle.set(handle, entry);
        entry.handle = handle;
        entry.isNew = true;
        entry.hasGap = entry.hasReset = false;
      }
      entry.isSnapshotDue = entry.isUntold = true;
      entry.interval = interval;
      entry.fields = fields;
      entry.positions = positions;
      // What is not granted will not be told any more.
      for (const position of missing) entry.values[position] = NaN;
      this.#options.granted(entry);
    }
  }

  ended({ symbols }: Unsubscribed): void {
    for (const symbol of symbols) {
      const entry = this.entries.get(symbol);
      if (entry) this.#end(entry);
    }
  }

  /** Drops an entry that is neither wanted nor granted. */
  release(entry: QuoteRecord): void {
    if (entry.quotes.length > 0 || entry.handle >= 0) return;
    this.entries.delete(entry.symbol);
    // Who still has its quote sees that it is nobody's any more.
    entry.link = NO_LINK;
  }

  status({ symbols, state, reason = "", since }: Status): void {
    this.#now = this.#options.time.millis();
    for (const symbol of symbols) {
      const entry = this.entries.get(symbol);
      if (!entry || entry.handle < 0) continue;
      const before = entry.state;
      if (state === "gap") {
        const isReset = reason === "reset";
        entry.hasGap = true;
        entry.hasReset ||= isReset;
        this.counts[isReset ? "resets" : "gaps"]++;
      } else {
        entry.isUntold = false;
        entry.told = state;
        entry.since = since;
        entry.reason = reason;
      }
      for (const quote of entry.quotes) quote.listener.status(quote, state === "gap" ? state : entry.state, reason);
      if (entry.state !== before) this.#changed(entry, true);
    }
  }

  /** @throws Error where it is malformed */
  frame(data: unknown): void {
    const link = this.#link;
    readFrame(data, this);
    if (link === this.#link) this.#options.frame(this.#sentAt, this.#ticks);
  }

  begin(sentAt: number): void {
    const { time, sync } = this.#options;
    this.counts.frames++;
    this.#sentAt = sentAt;
    this.#ticks = 0;
    this.#now = time.millis();
    this.#micros = time.micros();
    this.#gatewayMicros = sync.micros();
  }

  tick(handle: number, seq: number, eventTime: number, values: Float64Array, count: number): void {
    const link = this.#link;
    if (link === NO_LINK) return;
    this.#ticks++;
    const entry = this.#byHandle.get(handle);
    if (!entry) return this.#broken("notGranted", `handle ${handle}`);
    const { positions, hasGap } = entry;
    if (count !== positions.length) return this.#broken("wrongLength", `${entry.symbol}: ${count} values`);
    if (!entry.isNew) this.#check(entry, seq);
    const missed = entry.isNew || entry.hasReset ? 0 : Math.max(0, seq - entry.seq - 1);
    const conflated = hasGap ? 0 : missed;
    const before = entry.state;
    let isNews = seq !== entry.seq || eventTime !== entry.eventTime;
    for (let index = 0; index < count; index++) {
      const at = positions[index];
      if (Object.is(entry.values[at], values[index])) continue;
      entry.values[at] = values[index];
      isNews = true;
    }
    this.counts.ticks++;
    this.counts.conflated += conflated;
    this.counts.lost += missed - conflated;
    entry.ticks++;
    entry.conflated += conflated;
    entry.lost += missed - conflated;
    // The age of a snapshot is that of the market's rest, not of the way.
    if (!entry.isSnapshotDue) this.ages.add(this.#gatewayMicros - eventTime);
    // The first tick of a symbol that nobody published makes it live, as a snapshot without a status does.
    if (entry.isUntold || entry.reason === NOBODY_PUBLISHES) {
      entry.told = undefined;
      entry.reason = "";
      entry.since = 0;
    }
    entry.seq = seq;
    entry.eventTime = eventTime;
    entry.sentAt = this.#sentAt;
    entry.receivedAt = this.#micros;
    entry.link = link;
    entry.frame = this.counts.frames;
    entry.isNew = entry.isSnapshotDue = entry.isUntold = entry.hasGap = entry.hasReset = false;
    if (entry.quotes.length > 0) this.#options.ticked(entry.quotes[0], conflated);
    const isTurn = entry.state !== before;
    if (isNews || isTurn) this.#changed(entry, isTurn);
  }

  /** @param isTurn whether its state is another */
  #changed(entry: QuoteRecord, isTurn: boolean): void {
    for (const quote of entry.quotes) quote.listener.changed(quote, this.#now, isTurn);
  }

  /** Compares a tick with the one before it. */
  #check(entry: QuoteRecord, seq: number): void {
    const { symbol, interval } = entry;
    const detail = `${symbol}: ${seq} after ${entry.seq}`;
    if (entry.frame === this.counts.frames) this.#broken("twiceInFrame", detail);
    if (seq < entry.seq && !entry.hasReset) this.#broken("seqBack", detail);
    if (entry.isSnapshotDue) return;
    if (seq === entry.seq && !entry.hasGap) this.#broken("seqRepeated", detail);
    const apart = (this.#sentAt - entry.sentAt) / 1_000;
    if (apart < interval - this.#options.tolerance) this.#broken("tooOften", `${symbol}: after ${apart} ms`);
  }

  #broken(violation: Violation, detail: string): void {
    this.#options.violations.add(violation, detail);
  }

  /** It is not granted any more. */
  #end(entry: QuoteRecord): void {
    this.#byHandle.delete(entry.handle);
    entry.handle = -1;
    this.release(entry);
  }
}

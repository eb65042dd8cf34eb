/**
 * The records of all symbols that are granted or wanted, and the checks that the gateway keeps the protocol. A grant
 * belongs to one connection and ends with it; records remain.
 */

import {
  type ChannelSubscribed,
  NOBODY_PUBLISHES,
  type Status,
  type Subscribed,
  type Unsubscribed,
} from "../../protocol/messages.ts";
import { type FrameReader, readFrame } from "../connection/codec.ts";
import type { ClientTime } from "../connection/time.ts";
import type { ViolationListener } from "../connection/violations.ts";
import { Ages } from "./ages.ts";
import {
  type GapListener,
  type GatewayTime,
  NO_LINK,
  type RecordChannel,
  type TickRecord,
  type TickValues,
} from "./tick_record.ts";

export interface TickStoreOptions {
  readonly time: ClientTime;
  readonly sync: GatewayTime;
  readonly channels: ReadonlyMap<unknown, RecordChannel>;
  /** How much shorter than the interval the time between two ticks may be, ms. */
  readonly intervalTolerance: number;
  readonly violated: ViolationListener;
  /** Is called when all ticks of a frame have been read. */
  emit(event: "frame", sentAt: number, ticks: number): void;
}

export class TickStore implements FrameReader, GapListener {
  readonly ages = new Ages();
  readonly counts = { frames: 0, ticks: 0, conflated: 0, lost: 0, gaps: 0, resets: 0 };
  readonly #options: TickStoreOptions;
  readonly #byHandle = new Map<number, TickRecord>();
  /** The connection; {@link NO_LINK} without one: a callback may end it within a frame. */
  #link = NO_LINK;
  /** Of the frame that is being read. */
  #sentAt = 0;
  #ticks = 0;
  /** When the last data frame or status arrived, ms; in a frame also by both clocks, microseconds. */
  #now = 0;
  #micros = 0;
  #gatewayMicros = 0;

  constructor(options: TickStoreOptions) {
    this.#options = options;
  }

  /** A new connection: nothing is granted on it yet. */
  connected(): void {
    this.#link = { current: true, reason: "", since: 0 };
  }

  /** The connection has become silent, or has received a message again. */
  setCurrent(current: boolean, reason: string): void {
    const link = this.#link;
    if (link.current === current) return;
    link.current = current;
    link.reason = reason;
    link.since = this.#options.sync.micros();
    this.#now = this.#options.time.millis();
    for (const record of this.#records())
      if (record.link === link && record.seq > 0 && (record.reported ?? "live") === "live") this.#changed(record, true);
  }

  /** The connection is lost. */
  disconnected(reason: string): void {
    this.setCurrent(false, reason);
    this.#link.reason = reason;
    this.#link = NO_LINK;
    for (const record of this.#records()) this.#end(record);
  }

  granted(channel: RecordChannel, message: Subscribed | ChannelSubscribed): void {
    const { interval, symbols } = message;
    const delays = new Map((message as Subscribed).delayed);
    for (const [symbol, handle, count = 0] of symbols as ChannelSubscribed["symbols"]) {
      const record = channel.record(symbol);
      const holder = this.#byHandle.get(handle);
      if (holder !== record) {
        if (holder || record.handle >= 0) this.#options.violated("handleChanged", `${symbol}: ${handle}`);
        if (holder) this.#end(holder);
        this.#end(record);
        channel.records.set(symbol, record);
        this.#byHandle.set(handle, record);
        record.handle = handle;
        record.isNew = true;
        record.hasGap = record.hasReset = false;
      }
      record.isSnapshotDue = record.isStatusDue = true;
      record.interval = interval;
      record.delay = delays.get(symbol) ?? 0;
      channel.kind.granted(record, message, count);
      channel.granted(record);
    }
  }

  ended({ records }: RecordChannel, { symbols, reason }: Unsubscribed): void {
    for (const symbol of symbols) {
      const record = records.get(symbol);
      if (!record) continue;
      // The gateway sends no more: its last price is not live.
      if (reason) record.link = { current: false, reason, since: this.#options.sync.micros() };
      this.#end(record);
      if (reason) this.#changed(record, true);
    }
  }

  /** Drops a record that is neither wanted nor granted. */
  release(record: TickRecord): void {
    if (record.views.length > 0 || record.handle >= 0) return;
    record.channel.records.delete(record.symbol);
    // Its views may still be referenced: they show that it is not subscribed.
    record.link = NO_LINK;
  }

  status({ records }: RecordChannel, { symbols, state, reason = "", since }: Status): void {
    this.#now = this.#options.time.millis();
    for (const symbol of symbols) {
      const record = records.get(symbol);
      if (!record || record.handle < 0) continue;
      if (state === "gap") {
        this.gap(record, reason);
        continue;
      }
      const before = record.state;
      record.isStatusDue = false;
      record.reported = state;
      record.since = since;
      record.reason = reason;
      for (const view of record.views) view.listener.status(view, record.state, reason);
      if (record.state !== before) this.#changed(record, true);
    }
  }

  /** @throws Error where it is malformed */
  frame(data: unknown): void {
    const link = this.#link;
    readFrame(data, this);
    if (link === this.#link) this.#options.emit("frame", this.#sentAt, this.#ticks);
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

  tick(handle: number, seq: number, eventTime: number, values: TickValues): void {
    const { violated } = this.#options;
    const link = this.#link;
    if (link === NO_LINK) return;
    this.#ticks++;
    const record = this.#byHandle.get(handle);
    if (!record) return violated("notGranted", `${handle}`);
    const { channel } = record;
    const { kind } = channel;
    if (!kind.fits(record, values)) return violated("wrongLength", `${record.symbol}: ${values.length} values`);
    const isKept = !kind.judge || kind.judge(record, values, seq, eventTime, violated, this);
    if (!kind.judge && !record.isNew) this.#check(record, seq);
    const missed = record.isNew || record.hasReset ? 0 : Math.max(0, seq - record.seq - 1);
    const conflated = record.hasGap ? 0 : missed;
    const before = record.state;
    let hasChanged = false;
    if (isKept) {
      hasChanged = kind.take(record, values, seq, eventTime) || seq !== record.seq || eventTime !== record.eventTime;
      this.counts.ticks++;
      this.counts.conflated += conflated;
      this.counts.lost += missed - conflated;
      record.ticks++;
      record.conflated += conflated;
      record.lost += missed - conflated;
      // The age of a snapshot is the time since the last trade, not the latency.
      if (!record.isSnapshotDue && !record.delay) this.ages.add(this.#gatewayMicros - eventTime);
      record.seq = seq;
      record.eventTime = eventTime;
      record.sentAt = this.#sentAt;
      record.receivedAt = this.#micros;
      record.hasGap = record.hasReset = false;
    }
    // The first tick of a symbol that no feed published makes it live, like a snapshot without a status.
    if (record.isStatusDue || record.reason === NOBODY_PUBLISHES) {
      record.reported = undefined;
      record.reason = "";
      record.since = 0;
    }
    record.link = link;
    record.frame = this.counts.frames;
    record.isNew = record.isSnapshotDue = record.isStatusDue = false;
    if (isKept && record.views.length > 0) channel.ticked(record.views[0], conflated);
    const isNewState = record.state !== before;
    if (hasChanged || isNewState) this.#changed(record, isNewState || kind.judge !== undefined);
  }

  *#records(): Iterable<TickRecord> {
    for (const { records } of this.#options.channels.values()) yield* records.values();
  }

  /** The gateway has missed ticks, or `seq` starts again. */
  gap(record: TickRecord, reason: string): void {
    const isReset = reason === "reset";
    record.hasGap = true;
    record.hasReset ||= isReset;
    this.counts[isReset ? "resets" : "gaps"]++;
    for (const view of record.views) view.listener.status(view, "gap", reason);
  }

  /** @param isUrgent whether it does not wait for the interval, as a new state */
  #changed(record: TickRecord, isUrgent: boolean): void {
    for (const view of record.views) view.listener.changed(view, this.#now, isUrgent);
  }

  /** Compares a tick with the one before it. */
  #check(record: TickRecord, seq: number): void {
    const { symbol, interval } = record;
    const detail = `${symbol}: ${seq} after ${record.seq}`;
    if (record.frame === this.counts.frames) this.#options.violated("twiceInFrame", detail);
    if (seq < record.seq && !record.hasReset) this.#options.violated("seqBack", detail);
    if (record.isSnapshotDue) return;
    if (seq === record.seq && !record.hasGap) this.#options.violated("seqRepeated", detail);
    const apart = (this.#sentAt - record.sentAt) / 1_000;
    if (apart < interval - this.#options.intervalTolerance)
      this.#options.violated("tooOften", `${symbol}: after ${apart} ms`);
  }

  /** Ends the grant of a record. */
  #end(record: TickRecord): void {
    this.#byHandle.delete(record.handle);
    record.handle = -1;
    this.release(record);
  }
}

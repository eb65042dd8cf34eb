/**
 * Follows one shard for a gateway: notes which batches came and which are missing, and decides when the last-value hash
 * must be read. No input or output here: batches and values of the hash come in, records go to the listener.
 */

import { UNKNOWN_CLOCK } from "../../../base/clock_offset.ts";
import { SYMBOL_LENGTH } from "../../../base/tick.ts";
import type { BusRecord } from "../../../market/bus_record.ts";
import type { HeardStream } from "../../bus.ts";
import { UNKNOWN_FEED } from "../../wire/malformed.ts";
import { WireError } from "../../wire/unpack.ts";
import { type BatchHead, isMarkField } from "../../wire/wire.ts";
import type { FeedStream } from "./feed_stream.ts";
import type { FollowerOptions, LeftOut } from "./follower_options.ts";
import { KeptBatches } from "./kept_batches.ts";
import { ReadMarks } from "./read_marks.ts";
import { ReadSchedule } from "./read_schedule.ts";
import { MAX_STREAMS, ShardStreams } from "./shard_streams.ts";

/**
 * A feed that has been silent for so many milliseconds is forgotten if the hash has no value of it. A Redis without
 * data is filled again by then.
 */
const FORGET_AFTER = 600_000;
export class ShardFollower {
  readonly shard: number;
  readonly #options: FollowerOptions;
  readonly #record: BusRecord;
  readonly #streams: ShardStreams;
  #isLoaded = false;
  #loadedAt = 0;
  /** The number of the current read, 0 for none. */
  #reading = 0;
  #lastRead = 0;
  readonly #schedule = new ReadSchedule();
  /** The marks of the current read. */
  readonly #marks = new ReadMarks();
  readonly #kept = new KeptBatches();
  /** Of a series: what the current read has brought, until its end. */
  #pastEntries: (readonly Buffer[])[] = [];

  constructor(options: FollowerOptions, shard: number) {
    this.#options = options;
    this.#streams = new ShardStreams(options, shard);
    this.#record = options.decoder.createRecord();
    this.shard = shard;
  }

  /** Whether the hash has been read since the shard was subscribed. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Whether its rows are series. */
  get isSeries(): boolean {
    return this.#options.decoder.isSeries;
  }

  /** Whether no feed is known on the shard, and the hash was read less than `patience` ms ago: one may just start. */
  isEmpty(now: number, patience: number): boolean {
    return this.#streams.size === 0 && now - this.#loadedAt < patience;
  }

  knows(feed: string): boolean {
    return this.#streams.has(feed);
  }

  get hasSilence(): boolean {
    return this.#streams.hasSilence;
  }

  heard(): HeardStream[] {
    return this.#streams.describe();
  }

  /** Whether each feed of the hash is known to be alive or silent. @param patience see {@link FeedStream.isDecided} */
  isDecided(now: number, patience: number): boolean {
    return this.#streams.isDecided(now, patience);
  }

  /** Whether the hash should be read now: call {@link beginRead}, then {@link endRead} or {@link failRead}. */
  wantsRead(now: number): boolean {
    return this.#reading === 0 && this.#schedule.isDue(now, this.#streams.isMissing);
  }

  /** Batches may have been missed, after a lost connection for example: the hash has their values. */
  requireRead(): void {
    for (const stream of this.#streams.values()) stream.isMissed = true;
    this.#schedule.requireNow();
  }

  /** Takes in a batch. The bytes are not used after this returns. */
  batch(message: Buffer): void {
    const { decoder, counts, listener, shards, clock, offset } = this.#options;
    counts.bytes += message.length;
    let head: BatchHead;
    try {
      head = decoder.begin(message);
    } catch (error) {
      return this.#leaveOutBatch(error);
    }
    if (head.shards !== shards) {
      counts.mismatched++;
      this.#leaveOut({
        reason: "shards",
        symbol: "",
        from: "batch",
        detail: `${head.shards} shards instead of ${shards}`,
      });
      return;
    }
    if (!this.#streams.has(head.feed) && decoder.countMalformed(this.#record) === head.records)
      return this.#skipUnknown(head);
    const stream = this.#heard(head);
    if (!stream) {
      counts.ignored++;
      return;
    }
    counts.batches++;
    counts.records += head.records;
    const { feed } = stream;
    if (decoder.isSeries && (this.#reading > 0 || stream.isIncomplete)) {
      if (this.#reading > 0 && !this.#kept.add(message)) this.#missAll();
      return;
    }
    // The times of the first batch need its clock reading; for later ones the reading of the batch before is enough.
    if (Number.isNaN(feed.skew)) feed.compare(decoder.peekEnd() ?? UNKNOWN_CLOCK, offset);
    if (this.#apply(head, stream)) feed.compare(decoder.end() ?? UNKNOWN_CLOCK, offset);
    listener?.batchEnd();
    feed.transit.observe(clock.micros() - head.sentAt + feed.correction);
    if (this.#reading > 0 && !this.#kept.add(message)) this.#schedule.require();
  }

  /**
   * Begins a read of the hash: its marks ({@link takeMarks}), then its records in slices ({@link takeValues}), then
   * {@link endRead}. In this order, the values are at least as new as the marks.
   * @returns the number of the read, an argument of these calls
   */
  beginRead(): number {
    this.#reading = ++this.#lastRead;
    this.#schedule.begin(this.#options.clock.millis());
    this.#marks.clear();
    for (const stream of this.#streams.values()) stream.beginRead(this.#options.decoder.keepsEach);
    this.#options.counts.reads++;
    return this.#reading;
  }

  failRead(read: number): void {
    if (read !== this.#reading) return;
    this.#reading = 0;
    this.#schedule.fail(this.#options.clock.millis());
    this.#kept.take();
    if (this.isSeries) this.#missAll();
  }

  /** Batches were put aside, and are given up: the hash has them. */
  #missAll(): void {
    this.#pastEntries = [];
    for (const stream of this.#streams.values()) stream.miss();
    this.#schedule.require();
  }

  /** Whether this is the current read. */
  isReading(read: number): boolean {
    return read === this.#reading;
  }

  /** @param entries fields and values of the hash, alternating, with the marks */
  takeMarks(read: number, entries: readonly Buffer[]): void {
    if (read !== this.#reading) return;
    this.#marks.take(
      entries,
      (feed, count) => count < MAX_STREAMS || this.#streams.has(feed),
      (feed) => this.#leaveOut({ reason: "mark", symbol: "", from: "store" }, feed),
    );
  }

  /** Of a series, after the records: as {@link takeMarks}. */
  takeEndMarks(read: number, entries: readonly Buffer[]): void {
    if (read === this.#reading) this.#marks.takeLast(entries, (feed) => this.#streams.has(feed));
  }

  /**
   * @param entries fields and values of the hash, alternating, with the records
   * @throws what the listener throws; the hash will be read again
   */
  takeValues(read: number, entries: readonly Buffer[]): void {
    if (read !== this.#reading) return;
    if (this.isSeries) this.#pastEntries.push(entries);
    else this.#applyEntries([entries]);
  }

  #applyEntries(slices: readonly (readonly Buffer[])[]): void {
    const { clock } = this.#options;
    const startedAt = clock.millis();
    const read = this.#reading;
    try {
      for (const entries of slices)
        for (let index = 0; index + 1 < entries.length; index += 2)
          if (!isMarkField(entries[index])) this.#applyValue(entries[index], entries[index + 1]);
      this.#applyKept();
      this.#options.listener?.batchEnd();
      this.#schedule.spend(clock.millis() - startedAt);
    } catch (error) {
      this.failRead(read);
      throw error;
    }
  }

  /** @param except those that are settled */
  #settle(except?: ReadonlySet<string>): void {
    for (const [feed, stream] of this.#streams) if (!except?.has(feed)) this.#marks.settle(feed, stream);
  }

  /** Ends a read. @param isWhole whether all of the hash was read */
  endRead(read: number, isWhole = true): void {
    if (read !== this.#reading) return;
    const slices = this.#pastEntries;
    this.#pastEntries = [];
    if (this.isSeries) {
      // Where something is missing still, all waits for the next read.
      this.#settle();
      for (const [feed, stream] of this.#streams) if (this.#mustWait(stream, feed)) stream.miss();
      const known = new Set(this.#streams.feeds());
      this.#applyEntries(slices);
      this.#settle(known);
    } else this.#settle();
    const now = this.#options.clock.millis();
    for (const stream of this.#streams.values()) {
      stream.isMissed &&= stream.isIncomplete || this.#schedule.isRequired;
      if (!this.#isLoaded) stream.awaitFrom(now);
    }
    if (!this.#isLoaded) this.#loadedAt = now;
    this.#isLoaded = true;
    this.#reading = 0;
    this.#kept.take();
    for (const [feed, stream] of this.#streams) {
      if (isWhole && stream.namedBy !== read && now - stream.quietFrom >= FORGET_AFTER) {
        this.#streams.delete(feed);
        this.#options.forgotten(feed, this.shard);
        continue;
      }
      this.#streams.reportSpeaking(stream, this.#isLoaded);
      if (!stream.isSpeaking && stream.aliveAt !== stream.toldAliveAt) this.#streams.reportSilent(stream);
    }
    this.#schedule.end(now, this.#streams.isMissing);
  }

  /** Detects silent streams. Call it several times per silence time. */
  check(now: number): void {
    if (this.#schedule.isReviewDue(now) && this.hasSilence) this.#schedule.require();
    for (const stream of this.#streams.values()) {
      if (stream.isSilent || now - stream.quietFrom < this.#options.silence) continue;
      stream.isSilent = true;
      stream.isHeard = false;
      if (stream.isSpeaking) this.#streams.reportSilent(stream);
      // The last batch before the silence may have been lost, and no later one shows it.
      this.requireRead();
    }
  }

  /** The shard is no longer subscribed. */
  leave(): void {
    for (const stream of this.#streams.values()) {
      if (stream.isSpeaking) this.#streams.reportSilent(stream);
      stream.leave();
    }
    this.#isLoaded = false;
    this.#reading = 0;
    this.#kept.take();
    this.requireRead();
  }

  /** Notes a batch in its stream; undefined for one to be ignored. */
  #heard(head: BatchHead): FeedStream | undefined {
    const { clock, counts } = this.#options;
    const now = clock.millis();
    const stream = this.#streams.get(head.feed) ?? this.#streams.join(head.feed, true);
    const heard = stream?.hear(head.epoch, head.number, now, clock.microsAt(now)) ?? "late";
    // Late batches of the previous leader come at once, not after a silence.
    if (stream?.isSilent && head.epoch < stream.epoch) this.#options.outranked(head.feed, head.epoch, stream.epoch);
    if (!stream || heard === "late") return undefined;
    if (heard === "gap" && this.#isLoaded) counts.gaps++;
    this.#streams.reportSpeaking(stream, this.#isLoaded);
    return stream;
  }

  /** Gives the records of a batch to the listener. @returns false where the rest of the batch is unreadable */
  #apply(head: BatchHead, stream: FeedStream, isAgain = false): boolean {
    const { decoder, listener } = this.#options;
    const record = this.#record;
    record.stream = stream.id;
    record.feed = stream.feed;
    record.sentAt = head.sentAt;
    try {
      for (let left = head.records; left > 0; left--) {
        const reason = decoder.next(record);
        if (reason !== undefined) {
          if (!isAgain) this.#leaveOut({ reason, symbol: decoder.leftOutSymbol, from: "batch" });
          continue;
        }
        record.epoch = head.epoch;
        record.healed = this.#isLoaded && stream.isMissed;
        // The element is optional.
        if (Number.isNaN(record.receivedAt)) record.receivedAt = head.sentAt;
        if (listener) decoder.keepRow(listener.record(record));
      }
      return true;
    } catch (error) {
      if (!(error instanceof WireError)) {
        stream.miss();
        throw error;
      }
      // The hash may have the values of the unreadable rest.
      this.#schedule.suspect();
      stream.isUnreadable = true;
      if (!isAgain) this.#leaveOutBatch(error);
      return false;
    }
  }

  /** Leaves out a batch without a good record from an unknown feed: it stays unknown, so that no client waits. */
  #skipUnknown(head: BatchHead): void {
    const { decoder, counts } = this.#options;
    counts.ignored++;
    // Earlier batches of it may have been missed.
    this.#schedule.suspect();
    try {
      for (let left = head.records; left > 0; left--) {
        const reason = decoder.next(this.#record);
        if (reason !== undefined) this.#leaveOut({ reason, symbol: decoder.leftOutSymbol, from: "batch" });
      }
    } catch (error) {
      this.#leaveOutBatch(error);
    }
  }

  #applyValue(field: Buffer, value: Buffer): void {
    const { decoder, listener } = this.#options;
    const record = this.#record;
    let feed: string;
    try {
      feed = decoder.value(value, record);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      const symbol = field.toString("utf8", 0, SYMBOL_LENGTH);
      return this.#leaveOut({ reason: error.reason, symbol, from: "store", detail: error.message });
    }
    const known = this.#streams.get(feed);
    const stream = known ?? this.#streams.join(feed, false);
    if (!stream) return;
    if (known && this.#mustWait(known, feed)) {
      known.namedBy = this.#reading;
      return;
    }
    if (!stream.isSpeaking) this.#marks.noteAlive(feed, stream, record, this.#options.clock.micros());
    if (!known) this.#streams.reportSilent(stream);
    stream.namedBy = this.#reading;
    if (stream.isSpared) return;
    record.stream = stream.id;
    record.feed = stream.feed;
    record.sentAt = Number.NaN;
    record.healed = this.#isLoaded && stream.isMissed;
    listener?.record(record);
  }

  /**
   * Applies again the batches that came while a slice of the hash was read: the slice may have an older state of a
   * symbol. (Older values it cannot have applied: they have a smaller `seq`.)
   */
  #applyKept(): void {
    const { decoder } = this.#options;
    for (const message of this.#kept.take()) {
      const head = decoder.begin(message);
      const stream = this.#streams.get(head.feed);
      const mark = this.#marks.of(head.feed);
      if (!stream || head.epoch !== stream.epoch || this.#mustWait(stream, head.feed)) continue;
      if (mark && mark.epoch === head.epoch && mark.number >= head.number) continue;
      this.#apply(head, stream, true);
    }
  }

  #mustWait(stream: FeedStream, feed: string): boolean {
    return this.isSeries && this.#marks.mustWait(stream, feed);
  }

  /** Counts and logs a batch that is unreadable from some point on. */
  #leaveOutBatch(error: unknown): void {
    if (!(error instanceof WireError)) throw error;
    this.#leaveOut({ reason: error.reason, symbol: "", from: "batch", detail: error.message });
  }

  #leaveOut(what: Omit<LeftOut, "feed" | "shard">, feed = this.#options.decoder.head.feed): void {
    const known = this.#streams.get(feed)?.feed.name;
    this.#options.counts.malformed.add(known ?? UNKNOWN_FEED, what.reason);
    this.#options.leftOut({ feed, shard: this.shard, ...what });
  }
}

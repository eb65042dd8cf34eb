/**
 * How a gateway follows one shard: what it has heard, what it has missed, and when the last-value hash must be read to
 * heal. No input or output here: batches and the hash's values come in, records go out to the listener.
 */
import type { Clock } from "../../base/clock.ts";
import { type ClockReading, UNKNOWN_CLOCK } from "../../base/clock_offset.ts";
import { SYMBOL_LENGTH } from "../../base/tick.ts";
import { BusRecord } from "../../market/bus_record.ts";
import type { HeardFeed } from "../../market/heard_feed.ts";
import type { BusListener, HeardStream } from "../bus.ts";
import { MalformedCounts, type MalformedReason, UNKNOWN_FEED } from "../wire/malformed.ts";
import { WireError } from "../wire/unpack.ts";
import { type BatchDecoder, type BatchHead, feedOfMark, isMarkField, type Mark, parseMark } from "../wire/wire.ts";
import { FeedStream } from "./feed_stream.ts";

/** What all shards of a gateway have heard, for the metrics. */
export class ReaderCounts {
  batches = 0;
  records = 0;
  bytes = 0;
  /** Batches that were there twice, late, or of a leader that has been replaced. */
  ignored = 0;
  /** Times that batches were missing. */
  gaps = 0;
  /** What was left out since it is not as docs/bus.md says. */
  readonly malformed = new MalformedCounts();
  /** Times that a shard was read from the last-value store. */
  reads = 0;
  /** Batches of a publisher with another number of shards. */
  mismatched = 0;
}

/** Something that was left out, as it is logged. */
export interface LeftOut {
  /** Whose it says that it is; empty where that cannot be read. */
  readonly feed: string;
  readonly shard: number;
  readonly reason: MalformedReason;
  /** The symbol, or what stands in its place; empty where there is none. */
  readonly symbol: string;
  readonly from: "batch" | "store";
  /** What exactly is wrong, where there is more to say. */
  readonly detail?: string;
}

/** What the shards of one gateway share. */
export interface FollowerOptions {
  readonly shards: number;
  readonly decoder: BatchDecoder;
  /** Who is told; nothing is before there is one. */
  listener: BusListener | undefined;
  readonly clock: Clock;
  readonly counts: ReaderCounts;
  /** How long a stream may say nothing before it counts as silent, in milliseconds. */
  readonly silence: number;
  /** The number of a feed's stream on a shard, the same each time it is asked for. */
  streamOf(feed: string, shard: number): number;
  /** The feed of a name, the same for all shards. */
  feedOf(feed: string): HeardFeed;
  /** How our own clock stands. */
  readonly offset: ClockReading;
  /** A publisher speaks whose epoch is earlier than that of one which was heard and is silent: nobody hears it. */
  outranked(feed: string, epoch: number, known: number): void;
  /** Something was left out since it is not as docs/bus.md says; it is counted already. */
  leftOut(what: LeftOut): void;
  /** Nothing is left of a feed on a shard: it is silent, and the store has no value of it. */
  forgotten(feed: string, shard: number): void;
}

/** The most that is kept while a slice of the hash is read, in bytes; beyond it the hash is read once more. */
const MAX_KEPT_BYTES = 8_388_608;
/** The most feeds on one shard; more are ignored. */
const MAX_STREAMS = 1_000;
/** Waits between reads that did not heal, in milliseconds: the store may be behind until its publisher writes. */
const FIRST_RETRY = 200;
const MAX_RETRY = 5_000;
/**
 * Waits between reads for what could not be read of a batch, in milliseconds. One read may bring it; but a publisher that is broken
 * writes such batches all the time, and a large hash is dear to read.
 */
const FIRST_SUSPICION = 1_000;
const MAX_SUSPICION = 60_000;
/** How often the hash is read for whether it still has values of feeds that are silent, in milliseconds. */
const REVIEW_INTERVAL = 300_000;
/** How long a feed must have been silent to be forgotten when the hash has no value of it, in milliseconds: a Redis that was lost is filled again by then. */
const FORGET_AFTER = 600_000;
/**
 * After a read that took longer than this, in milliseconds, no other begins for four times as long as it took longer: a gateway that misses
 * batches all the time must have time for ticks.
 */
const SHORT_READ = 100;
const REST_AFTER_READ = 4;

export class ShardFollower {
  readonly shard: number;
  readonly #options: FollowerOptions;
  readonly #record = new BusRecord();
  readonly #streams = new Map<string, FeedStream>();
  #isLoaded = false;
  #loadedAt = 0;
  /** Which read is under way, 0 for none. */
  #reading = 0;
  #lastRead = 0;
  /** Whether the hash must be read though nothing is known to be missing. */
  #isRequired = true;
  /** What the marks of the read under way tell, by feed. */
  readonly #marks = new Map<string, Mark>();
  readonly #unreadableMarks = new Set<string>();
  /** Streams that the read under way has told to have been alive later than was known. */
  readonly #renewed = new Set<FeedStream>();
  /** Batches that came while a slice of the hash was read. */
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #retryDelay = 0;
  #retryAt = Number.NEGATIVE_INFINITY;
  #readAt = 0;
  /** Whether something has come that could not be read, and that the hash may have. */
  #isSuspicious = false;
  #suspicionDelay = 0;
  #suspicionAt = Number.NEGATIVE_INFINITY;
  #reviewAt = 0;

  constructor(options: FollowerOptions, shard: number) {
    this.#options = options;
    this.shard = shard;
  }

  /** Whether the hash has been read since the shard is followed. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Whether no feed is known on the shard, and it has been read for less than so many milliseconds: one may just begin. */
  isEmpty(now: number, patience: number): boolean {
    return this.#streams.size === 0 && now - this.#loadedAt < patience;
  }

  knows(feed: string): boolean {
    return this.#streams.has(feed);
  }

  get hasSilence(): boolean {
    for (const stream of this.#streams.values()) if (stream.isSilent) return true;
    return false;
  }

  /** What is heard of each feed. */
  heard(): HeardStream[] {
    const { clock } = this.#options;
    const [now, micros] = [clock.millis(), clock.micros()];
    return Array.from(this.#streams, ([feed, stream]) => ({
      stream: stream.id,
      feed,
      shard: this.shard,
      epoch: stream.epoch,
      batch: stream.number,
      heardAt: stream.isHeard ? stream.quietFrom : now - (micros - stream.aliveAt) / 1_000,
      isSilent: stream.isSilent,
      isMissing: stream.isIncomplete,
    }));
  }

  /**
   * Whether it is known of each feed that the hash names whether it lives.
   * @param patience how long a feed may say nothing before it is taken for dead, in milliseconds
   */
  isDecided(now: number, patience: number): boolean {
    for (const stream of this.#streams.values()) if (!stream.isDecided(now, patience)) return false;
    return true;
  }

  /** Whether the hash should be read now: {@link beginRead}, and then {@link endRead} or {@link failRead}. */
  wantsRead(now: number): boolean {
    if (this.#reading > 0 || now < this.#retryAt) return false;
    return this.#isRequired || this.#isMissing() || (this.#isSuspicious && now >= this.#suspicionAt);
  }

  /** The connection was lost meanwhile, or is new: whatever was said then is in the hash. */
  requireRead(): void {
    for (const stream of this.#streams.values()) stream.isMissed = true;
    this.#isRequired = true;
    this.#retryAt = Number.NEGATIVE_INFINITY;
    this.#retryDelay = 0;
  }

  /** A batch has come. The bytes are read before this returns. */
  batch(message: Buffer): void {
    const { decoder, counts, listener, shards, clock, offset } = this.#options;
    counts.bytes += message.length;
    let head: BatchHead;
    try {
      head = decoder.begin(message);
    } catch (error) {
      return this.#broken(error);
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
      return this.#strange(head);
    const stream = this.#heard(head);
    if (!stream) {
      counts.ignored++;
      return;
    }
    counts.batches++;
    counts.records += head.records;
    const { feed } = stream;
    // From the first batch on its times are to be right; later what the one before told will do.
    if (Number.isNaN(feed.skew)) feed.compare(decoder.peekEnd() ?? UNKNOWN_CLOCK, offset);
    if (this.#apply(head, stream)) feed.compare(decoder.end() ?? UNKNOWN_CLOCK, offset);
    listener?.batchEnd();
    feed.transit.observe(clock.micros() - head.sentAt + feed.correction);
    if (this.#reading > 0) this.#keep(message);
  }

  /**
   * The hash is about to be read: its marks ({@link takeMarks}), then its records in slices ({@link takeValues}), then
   * {@link endRead}. In this order, since a mark tells of values that are read after it: those may be newer, never older.
   * @returns the read's number, which goes with each of these calls
   */
  beginRead(): number {
    const now = this.#options.clock.millis();
    this.#reading = ++this.#lastRead;
    this.#readAt = now;
    this.#isRequired = false;
    if (this.#isSuspicious) {
      const isLongAgo = now - this.#suspicionAt > MAX_SUSPICION;
      this.#suspicionDelay = isLongAgo ? FIRST_SUSPICION : Math.min(MAX_SUSPICION, this.#suspicionDelay * 2);
      this.#suspicionAt = now + this.#suspicionDelay;
      this.#isSuspicious = false;
    }
    this.#marks.clear();
    this.#unreadableMarks.clear();
    this.#renewed.clear();
    this.#options.counts.reads++;
    return this.#reading;
  }

  failRead(read: number): void {
    if (read !== this.#reading) return;
    this.#reading = 0;
    this.#isRequired = true;
    this.#forget();
    this.#backOff();
  }

  /** Whether this read still counts: one from before the shard was left does not. */
  isReading(read: number): boolean {
    return read === this.#reading;
  }

  /** Fields and values of the hash, one after the other, among them marks. */
  takeMarks(read: number, entries: readonly Buffer[]): void {
    if (read !== this.#reading) return;
    for (let index = 0; index + 1 < entries.length; index += 2) {
      if (!isMarkField(entries[index])) continue;
      const feed = feedOfMark(entries[index]);
      if (this.#marks.size + this.#unreadableMarks.size >= MAX_STREAMS && !this.#streams.has(feed)) continue;
      const mark = parseMark(entries[index + 1]);
      if (mark?.feed === feed) this.#marks.set(feed, mark);
      else {
        this.#unreadableMarks.add(feed);
        this.#leaveOut({ reason: "mark", symbol: "", from: "store" }, feed);
      }
    }
  }

  /**
   * Fields and values of the hash, one after the other, among them records.
   * @throws what the listener throws; the hash will be read again
   */
  takeValues(read: number, entries: readonly Buffer[]): void {
    if (read !== this.#reading) return;
    try {
      for (let index = 0; index + 1 < entries.length; index += 2)
        if (!isMarkField(entries[index])) this.#applyValue(entries[index], entries[index + 1]);
      this.#applyKept();
      this.#options.listener?.batchEnd();
    } catch (error) {
      this.failRead(read);
      throw error;
    }
  }

  /**
   * The hash has been given.
   * @param isWhole whether all of it was
   */
  endRead(read: number, isWhole = true): void {
    if (read !== this.#reading) return;
    const now = this.#options.clock.millis();
    for (const [feed, stream] of this.#streams) {
      if (this.#unreadableMarks.has(feed)) stream.settleUnmarked();
      else stream.settle(this.#marks.get(feed));
      stream.isMissed &&= stream.isIncomplete || this.#isRequired;
      if (!this.#isLoaded) stream.awaitFrom(now);
    }
    if (!this.#isLoaded) this.#loadedAt = now;
    this.#isLoaded = true;
    this.#reading = 0;
    this.#retryAt = now + REST_AFTER_READ * Math.max(0, now - this.#readAt - SHORT_READ);
    this.#forget();
    for (const [feed, stream] of this.#streams) {
      if (isWhole && stream.namedBy !== read && now - stream.quietFrom >= FORGET_AFTER) {
        this.#streams.delete(feed);
        this.#options.forgotten(feed, this.shard);
        continue;
      }
      this.#speakUp(stream);
      if (!stream.isSpeaking && stream.aliveAt !== stream.toldAliveAt) this.#tellSilent(stream);
    }
    if (this.#isMissing()) this.#backOff();
    else this.#retryDelay = 0;
  }

  /** Looks for streams that have gone silent; to be called several times in the time that a silence takes. */
  check(now: number): void {
    if (now >= this.#reviewAt) {
      this.#reviewAt = now + REVIEW_INTERVAL;
      this.#isRequired ||= this.hasSilence;
    }
    for (const stream of this.#streams.values()) {
      if (stream.isSilent || now - stream.quietFrom < this.#options.silence) continue;
      stream.isSilent = true;
      stream.isHeard = false;
      if (stream.isSpeaking) this.#tellSilent(stream);
      // The last batch before the silence may have been lost: nothing would ever tell.
      this.requireRead();
    }
  }

  /** The shard is not listened to any more: from now on nothing is known of it. */
  leave(): void {
    for (const stream of this.#streams.values()) {
      if (stream.isSpeaking) this.#tellSilent(stream);
      stream.leave();
    }
    this.#isLoaded = false;
    this.#reading = 0;
    this.#forget();
    this.requireRead();
  }

  #tellSilent(stream: FeedStream): void {
    stream.isSpeaking = false;
    stream.toldAliveAt = stream.aliveAt;
    this.#options.listener?.silent(stream.id, stream.aliveAt);
  }

  /**
   * A stream that was silent, or not listened to, is heard: its symbols stand as they say once nothing is missing. Before that they
   * would be live with the values from before.
   */
  #speakUp(stream: FeedStream): void {
    if (stream.isSpeaking || !stream.isHeard || !this.#isLoaded || stream.isIncomplete) return;
    stream.isSpeaking = true;
    this.#options.listener?.speaking(stream.id);
  }

  #isMissing(): boolean {
    for (const stream of this.#streams.values()) if (stream.isIncomplete) return true;
    return false;
  }

  /** Notes a batch in its stream; undefined when it is to be ignored. */
  #heard(head: BatchHead): FeedStream | undefined {
    const { clock, counts } = this.#options;
    const now = clock.millis();
    const stream = this.#streams.get(head.feed) ?? this.#join(head.feed, true);
    const heard = stream?.hear(head.epoch, head.number, now, clock.microsAt(now)) ?? "late";
    // What the leader before still had on its way comes at once, not after a silence.
    if (stream?.isSilent && head.epoch < stream.epoch) this.#options.outranked(head.feed, head.epoch, stream.epoch);
    if (!stream || heard === "late") return undefined;
    if (heard === "gap" && this.#isLoaded) counts.gaps++;
    this.#speakUp(stream);
    return stream;
  }

  /**
   * A stream that was not known.
   * @param isHeard whether it speaks; one that the hash names has not been heard yet, and may be dead
   */
  #join(feed: string, isHeard: boolean): FeedStream | undefined {
    if (this.#streams.size >= MAX_STREAMS) return undefined;
    const { clock, streamOf, feedOf } = this.#options;
    const stream = new FeedStream(streamOf(feed, this.shard), feedOf(feed), clock.millis(), isHeard);
    this.#streams.set(feed, stream);
    return stream;
  }

  /** Gives a batch's records to the listener. Returns whether all could be read, be it that some are left out. */
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
        // An older publisher does not tell it, nor does one in another language that is not asked when.
        if (Number.isNaN(record.receivedAt)) record.receivedAt = head.sentAt;
        if (listener) decoder.keepRow(listener.record(record));
      }
      return true;
    } catch (error) {
      if (!(error instanceof WireError)) {
        stream.miss();
        throw error;
      }
      // What could not be read of it may be in the hash all the same.
      this.#isSuspicious = true;
      if (!isAgain) this.#broken(error);
      return false;
    }
  }

  /** A feed that is not known has written no good record: it is not known now either, so that nobody waits for it. */
  #strange(head: BatchHead): void {
    const { decoder, counts } = this.#options;
    counts.ignored++;
    // It may have published before, and that was missed.
    this.#isSuspicious = true;
    try {
      for (let left = head.records; left > 0; left--) {
        const reason = decoder.next(this.#record);
        if (reason !== undefined) this.#leaveOut({ reason, symbol: decoder.leftOutSymbol, from: "batch" });
      }
    } catch (error) {
      this.#broken(error);
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
    const stream = known ?? this.#join(feed, false);
    if (!stream) return;
    if (!stream.isSpeaking) this.#noteAlive(feed, stream, record);
    if (!known) this.#tellSilent(stream);
    stream.namedBy = this.#reading;
    record.stream = stream.id;
    record.feed = stream.feed;
    record.sentAt = Number.NaN;
    record.healed = this.#isLoaded && stream.isMissed;
    listener?.record(record);
  }

  /**
   * The store tells when a stream was alive that is not heard: when it published what has not been heard here. By the publisher's
   * clock, so not later than ours.
   */
  #noteAlive(feed: string, stream: FeedStream, record: BusRecord): void {
    const mark = this.#marks.get(feed);
    if (stream.aliveAt > 0 && !this.#renewed.has(stream) && !stream.isBehind(mark)) return;
    const receivedAt = Number.isNaN(record.receivedAt) ? record.eventTime : record.receivedAt;
    const time = Math.min(Math.max(receivedAt, record.since), this.#options.clock.micros());
    if (time <= stream.aliveAt) return;
    stream.aliveAt = time;
    this.#renewed.add(stream);
  }

  /**
   * Applies again what came while a slice of the hash was read, where the slice may be older: the values cannot have gone back, for
   * `seq` guards them, but the state of a symbol that had no tick can.
   */
  #applyKept(): void {
    const { decoder } = this.#options;
    const kept = this.#kept;
    this.#forget();
    for (const message of kept) {
      const head = decoder.begin(message);
      const stream = this.#streams.get(head.feed);
      const mark = this.#marks.get(head.feed);
      if (!stream || head.epoch !== stream.epoch) continue;
      if (mark && mark.epoch === head.epoch && mark.number >= head.number) continue;
      this.#apply(head, stream, true);
    }
  }

  #keep(message: Buffer): void {
    this.#keptBytes += message.length;
    if (this.#keptBytes > MAX_KEPT_BYTES) {
      this.#forget();
      this.#isRequired = true;
    } else this.#kept.push(Buffer.from(message));
  }

  #forget(): void {
    this.#kept = [];
    this.#keptBytes = 0;
  }

  #backOff(): void {
    this.#retryDelay = Math.min(MAX_RETRY, Math.max(FIRST_RETRY, this.#retryDelay * 2));
    this.#retryAt = Math.max(this.#retryAt, this.#options.clock.millis() + this.#retryDelay);
  }

  /** A batch, or what is left of it, cannot be read. */
  #broken(error: unknown): void {
    if (!(error instanceof WireError)) throw error;
    this.#leaveOut({ reason: error.reason, symbol: "", from: "batch", detail: error.message });
  }

  #leaveOut(what: Omit<LeftOut, "feed" | "shard">, feed = this.#options.decoder.head.feed): void {
    const known = this.#streams.get(feed)?.feed.name;
    this.#options.counts.malformed.add(known ?? UNKNOWN_FEED, what.reason);
    this.#options.leftOut({ feed, shard: this.shard, ...what });
  }
}

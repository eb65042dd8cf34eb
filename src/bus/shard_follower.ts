/**
 * How a gateway follows one shard: what it has heard, what it has missed, and when the last-value hash must be read to
 * heal. No input or output here: batches and the hash's values come in, records go out to the listener.
 */
import type { Clock } from "../clock.ts";
import { type BusListener, BusRecord, type HeardStream } from "./bus.ts";
import { type ClockReading, UNKNOWN_CLOCK } from "./clock_offset.ts";
import { FeedStream } from "./feed_stream.ts";
import type { HeardFeed } from "./heard_feed.ts";
import { WireError } from "./unpack.ts";
import { type BatchDecoder, type BatchHead, type Mark, parseMark } from "./wire.ts";

/** What all shards of a gateway have heard, for the metrics. */
export class ReaderCounts {
  batches = 0;
  records = 0;
  bytes = 0;
  /** Batches that were there twice, late, or of a leader that has been replaced. */
  ignored = 0;
  /** Times that batches were missing. */
  gaps = 0;
  /** Batches and values that could not be read. */
  malformed = 0;
  /** Times that a shard was read from the last-value store. */
  reads = 0;
  /** Batches of a publisher with another number of shards. */
  mismatched = 0;
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
}

/** The most that is kept while the hash is read, in bytes; beyond it the hash is read once more. */
const MAX_KEPT_BYTES = 8_388_608;
/** The most feeds on one shard; more are ignored. */
const MAX_STREAMS = 1_000;
/** Waits between reads that did not heal, in milliseconds: the store may be behind until its publisher writes. */
const FIRST_RETRY = 200;
const MAX_RETRY = 5_000;

export class ShardFollower {
  readonly shard: number;
  readonly #options: FollowerOptions;
  readonly #record = new BusRecord();
  readonly #streams = new Map<string, FeedStream>();
  #isLoaded = false;
  /** Which read is under way, 0 for none. */
  #reading = 0;
  #lastRead = 0;
  /** Whether the hash must be read though nothing is known to be missing. */
  #isRequired = true;
  /** Batches that came while the hash was read. */
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #retryDelay = 0;
  #retryAt = Number.NEGATIVE_INFINITY;

  constructor(options: FollowerOptions, shard: number) {
    this.#options = options;
    this.shard = shard;
  }

  /** Whether the hash has been read since the shard is followed. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  get hasSilence(): boolean {
    for (const stream of this.#streams.values()) if (stream.isSilent) return true;
    return false;
  }

  /** What is heard of each feed. */
  heard(): HeardStream[] {
    return Array.from(this.#streams, ([feed, stream]) => ({
      stream: stream.id,
      feed,
      shard: this.shard,
      epoch: stream.epoch,
      batch: stream.number,
      heardAt: stream.heardAt,
      isSilent: stream.isSilent,
      isMissing: stream.isIncomplete,
    }));
  }

  /** Whether the hash should be read now: {@link beginRead}, and then {@link endRead} or {@link failRead}. */
  wantsRead(now: number): boolean {
    if (this.#reading > 0 || now < this.#retryAt) return false;
    return this.#isRequired || this.#isMissing();
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
      return this.#malformed(error);
    }
    if (head.shards !== shards) {
      counts.mismatched++;
      return;
    }
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

  /** The hash is about to be read. Returns the read's number, with which it ends. */
  beginRead(): number {
    this.#reading = ++this.#lastRead;
    this.#isRequired = false;
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

  /**
   * The hash's values have come: records and marks. A read from before the shard was left counts for nothing.
   * @throws what the listener throws; the hash will be read again
   */
  endRead(read: number, values: readonly Buffer[]): void {
    if (read !== this.#reading) return;
    try {
      this.#take(values);
    } catch (error) {
      this.failRead(read);
      throw error;
    }
    this.#reading = 0;
    if (this.#isMissing()) this.#backOff();
    else this.#retryDelay = 0;
  }

  /** Looks for streams that have gone silent; to be called several times in the time that a silence takes. */
  check(now: number): void {
    const { silence, listener, clock } = this.#options;
    for (const stream of this.#streams.values()) {
      const quiet = now - stream.heardAt;
      if (stream.isSilent || quiet < silence) continue;
      stream.isSilent = true;
      listener?.silent(stream.id, clock.micros() - quiet * 1_000);
      // The last batch before the silence may have been lost: nothing would ever tell.
      this.requireRead();
    }
  }

  /** The shard is not listened to any more: from now on nothing is known of it. */
  leave(): void {
    const { listener, clock } = this.#options;
    for (const stream of this.#streams.values()) {
      if (!stream.isSilent) listener?.silent(stream.id, clock.micros());
      stream.isSilent = true;
      stream.miss();
    }
    this.#isLoaded = false;
    this.#reading = 0;
    this.#forget();
    this.requireRead();
  }

  #take(values: readonly Buffer[]): void {
    const marks = new Map<string, Mark>();
    for (const value of values) {
      const mark = parseMark(value);
      if (mark) marks.set(mark.feed, mark);
      else this.#applyValue(value);
    }
    for (const [feed, stream] of this.#streams) {
      stream.settle(marks.get(feed));
      stream.isMissed &&= stream.isIncomplete || this.#isRequired;
    }
    if (!this.#isLoaded) this.#rejoin();
    this.#isLoaded = true;
    this.#applyKept(marks);
    this.#options.listener?.batchEnd();
  }

  /** Streams that were known before the shard was left have as long to speak as new ones. */
  #rejoin(): void {
    const { clock, listener } = this.#options;
    for (const stream of this.#streams.values()) {
      if (!stream.isSilent) continue;
      stream.isSilent = false;
      stream.heardAt = clock.millis();
      listener?.speaking(stream.id);
    }
  }

  #isMissing(): boolean {
    for (const stream of this.#streams.values()) if (stream.isIncomplete) return true;
    return false;
  }

  /** Notes a batch in its stream; undefined when it is to be ignored. */
  #heard(head: BatchHead): FeedStream | undefined {
    const { clock, counts, listener } = this.#options;
    const stream = this.#streams.get(head.feed) ?? this.#join(head.feed);
    const heard = stream?.hear(head.epoch, head.number, clock.millis()) ?? "late";
    // What the leader before still had on its way comes at once, not after a silence.
    if (stream?.isSilent && head.epoch < stream.epoch) this.#options.outranked(head.feed, head.epoch, stream.epoch);
    if (!stream || heard === "late") return undefined;
    if (heard === "gap" && this.#isLoaded) counts.gaps++;
    if (stream.isSilent) {
      stream.isSilent = false;
      listener?.speaking(stream.id);
    }
    return stream;
  }

  /** A stream that was not known: one that the hash tells of, or that begins to speak. It has as long to speak as any. */
  #join(feed: string): FeedStream | undefined {
    if (this.#streams.size >= MAX_STREAMS) return undefined;
    const { clock, streamOf, feedOf } = this.#options;
    const stream = new FeedStream(streamOf(feed, this.shard), feedOf(feed), clock.millis());
    this.#streams.set(feed, stream);
    return stream;
  }

  /** Gives a batch's records to the listener. Returns whether all could be read. */
  #apply(head: BatchHead, stream: FeedStream): boolean {
    const { decoder, listener } = this.#options;
    const record = this.#record;
    record.stream = stream.id;
    record.feed = stream.feed;
    record.sentAt = head.sentAt;
    try {
      for (let left = head.records; left > 0; left--) {
        decoder.next(record);
        record.epoch = head.epoch;
        record.healed = this.#isLoaded && stream.isMissed;
        // An older publisher does not tell it, nor does one in another language that is not asked when.
        if (Number.isNaN(record.receivedAt)) record.receivedAt = head.sentAt;
        listener?.record(record);
        decoder.keepRow(record.row);
      }
      return true;
    } catch (error) {
      stream.miss();
      this.#malformed(error);
      return false;
    }
  }

  #applyValue(value: Buffer): void {
    const { decoder, listener } = this.#options;
    const record = this.#record;
    try {
      const feed = decoder.value(value, record);
      const stream = this.#streams.get(feed) ?? this.#join(feed);
      if (!stream) return;
      record.stream = stream.id;
      record.feed = stream.feed;
      record.sentAt = Number.NaN;
      record.healed = this.#isLoaded && stream.isMissed;
      listener?.record(record);
    } catch (error) {
      this.#malformed(error);
    }
  }

  /**
   * Applies again what came while the hash was read, where the hash is older: the values cannot have gone back, for
   * `seq` guards them, but the state of a symbol that had no tick can.
   */
  #applyKept(marks: ReadonlyMap<string, Mark>): void {
    const { decoder } = this.#options;
    const kept = this.#kept;
    this.#forget();
    for (const message of kept) {
      const head = decoder.begin(message);
      const stream = this.#streams.get(head.feed);
      const mark = marks.get(head.feed);
      if (!stream || head.epoch !== stream.epoch) continue;
      if (mark && mark.epoch === head.epoch && mark.number >= head.number) continue;
      this.#apply(head, stream);
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
    this.#retryAt = this.#options.clock.millis() + this.#retryDelay;
  }

  #malformed(error: unknown): void {
    if (!(error instanceof WireError)) throw error;
    this.#options.counts.malformed++;
  }
}

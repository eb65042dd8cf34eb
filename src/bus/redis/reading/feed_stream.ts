/** One feed on one shard, as a gateway hears it: which of its batches are there, and which may be missing. */
import type { HeardFeed } from "../../../market/heard_feed.ts";
import type { HeardStream } from "../../bus.ts";
import type { Mark } from "../../wire/wire.ts";

/** What a batch is to its stream. */
export type Heard = "next" | "gap" | "late";

export class FeedStream {
  readonly id: number;
  readonly feed: HeardFeed;
  /**
   * Whether the listener takes its records as they are. It does not from when it is told that the stream is silent,
   * until it is told that the stream speaks: what is applied in between is stale.
   */
  isSpeaking: boolean;
  /** Whether a batch has come since the shard is listened to, and since the last silence. */
  isHeard: boolean;
  /** Whether nothing has come for as long as makes a silence. */
  isSilent = false;
  /**
   * When the feed was last known to be alive, in whole microseconds since the Unix epoch: when it was heard here, or
   * the newest time that the store has of it.
   */
  aliveAt = 0;
  /** What was last reported to the listener of {@link aliveAt}, with the stream's silence. */
  toldAliveAt = 0;
  /** The last read of the hash that had a value of the feed. */
  namedBy = 0;
  /**
   * From when its silence is counted, on the monotonic clock, in milliseconds: its last batch, or when the hash was
   * read.
   */
  quietFrom: number;
  /** From when it could have been heard, on the same clock: when the hash was read that names it. */
  awaitedFrom: number;
  /** Whether something may have been missed, and not only not been there yet: ticks until it is healed say so. */
  isMissed = false;
  #epoch = 0;
  /** The last batch heard. */
  #number = 0;
  /** All batches from this one to the last are applied, and those before may not be; 0: nothing is missing. */
  #from = 1;

  /**
   * A stream begins as missing, until the hash's mark says how far the hash goes.
   * @param isHeard whether a batch makes it known, and not the hash
   */
  constructor(id: number, feed: HeardFeed, now: number, isHeard: boolean) {
    this.id = id;
    this.feed = feed;
    this.isSpeaking = this.isHeard = isHeard;
    this.quietFrom = this.awaitedFrom = now;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** The number of the last batch heard. */
  get number(): number {
    return this.#number;
  }

  /** Whether the hash must be read to have everything. */
  get isIncomplete(): boolean {
    return this.#from > 0;
  }

  /** @param now on the monotonic clock, in milliseconds @param micros since the Unix epoch */
  describe(feed: string, shard: number, now: number, micros: number): HeardStream {
    return {
      stream: this.id,
      feed,
      shard,
      epoch: this.#epoch,
      batch: this.#number,
      heardAt: this.isHeard ? this.quietFrom : now - (micros - this.aliveAt) / 1_000,
      isSilent: this.isSilent,
      isMissing: this.isIncomplete,
    };
  }

  /** Notes a batch: `late` is one to be ignored, `gap` one before which others are missing. */
  hear(epoch: number, number: number, now: number, nowMicros: number): Heard {
    if (epoch < this.#epoch || (epoch === this.#epoch && number <= this.#number)) return "late";
    this.quietFrom = now;
    this.aliveAt = nowMicros;
    this.isHeard = true;
    this.isSilent = false;
    const isNext = epoch === this.#epoch && number === this.#number + 1;
    const isGap = epoch === this.#epoch && !isNext;
    if (!isNext) {
      // The last words of the leader before may have been missed; of a feed that was not known there were none.
      this.isMissed ||= this.#epoch > 0;
      this.#from = number;
    }
    this.#epoch = epoch;
    this.#number = number;
    return isGap ? "gap" : "next";
  }

  /**
   * Whether it is known how its symbols stand: it speaks, or it has had so many milliseconds to do so. A feed that
   * lives says something every 500 ms.
   */
  isDecided(now: number, patience: number): boolean {
    return this.isSpeaking || this.isSilent || now - this.awaitedFrom >= patience;
  }

  /** The shard is not listened to any more: it is waited for again once the hash has been read. */
  leave(): void {
    this.isSpeaking = this.isHeard = this.isSilent = false;
    this.quietFrom = this.awaitedFrom = Number.POSITIVE_INFINITY;
    this.miss();
  }

  /** The shard is listened to and its hash has been read: from now on the stream could be heard. */
  awaitFrom(now: number): void {
    this.awaitedFrom = Math.min(this.awaitedFrom, now);
    this.quietFrom = Math.min(this.quietFrom, now);
  }

  /** The last batch was not taken in, or what comes next is not known to follow it. */
  miss(): void {
    this.#from = this.#number + 1;
    this.isMissed = true;
  }

  /** Whether the hash has batches that have not been heard. */
  isBehind(mark: Mark | undefined): boolean {
    if (!mark || mark.epoch < this.#epoch) return false;
    return mark.epoch > this.#epoch || mark.number > this.#number;
  }

  /** The hash was read, and its mark cannot be: what is there has to do, for reading it again would bring no more. */
  settleUnmarked(): void {
    this.#from = 0;
  }

  /** The hash was read: its mark tells how far its values go. */
  settle(mark: Mark | undefined): void {
    if (!mark || mark.epoch < this.#epoch) return;
    if (mark.epoch > this.#epoch) {
      this.#epoch = mark.epoch;
      this.#number = mark.number;
      this.#from = 0;
    } else if (mark.number >= this.#from - 1) {
      this.#number = Math.max(this.#number, mark.number);
      this.#from = 0;
    }
  }
}

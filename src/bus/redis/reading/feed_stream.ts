/** One feed on one shard, as a gateway receives it: which batches have arrived, and which may be missing. */
import type { HeardFeed } from "../../../market/heard_feed.ts";
import type { HeardStream } from "../../bus.ts";
import type { Mark } from "../../wire/wire.ts";

/** How a batch follows those before it. */
export type Heard = "next" | "gap" | "late";

export class FeedStream {
  readonly id: number;
  readonly feed: HeardFeed;
  /**
   * Whether the listener applies its records with their own state. From the report that the stream is silent until the
   * report that it is active again, they are applied as stale.
   */
  isSpeaking: boolean;
  /** Whether a batch has arrived since the shard was subscribed, and since the last silence. */
  isHeard: boolean;
  /** Whether nothing has arrived for the time that counts as silence. */
  isSilent = false;
  /**
   * When the feed was last known to be active, in whole microseconds since the Unix epoch: its last batch here, or the
   * newest time of it in the store.
   */
  aliveAt = 0;
  /** The value of {@link aliveAt} that the listener got with the last report of a silence. */
  toldAliveAt = 0;
  /** The last read of the hash that contained a value of the feed. */
  namedBy = 0;
  /**
   * The start of its silence on the monotonic clock, in milliseconds: its last batch, or the read of the hash.
   */
  quietFrom: number;
  /** From when on a batch could arrive, on the same clock: the read of the hash that contains the feed. */
  awaitedFrom: number;
  /** Whether batches may have been lost, not only not arrived yet: ticks until it is healed are marked so. */
  isMissed = false;
  /** Whether a part of a batch was unreadable since the last read of the hash. */
  isUnreadable = false;
  /**
   * Whether the current read of the hash is not for it. Where each record counts, a value of the hash would overtake
   * those that are still on their way: so it is not used where all batches have come, or will come.
   */
  isSpared = false;
  #epoch = 0;
  /** The number of the last received batch. */
  #number = 0;
  /** All batches from this one to the last are applied, and those before may not be; 0: nothing is missing. */
  #from = 1;

  /**
   * A stream begins as incomplete, until the hash's mark shows which batches the hash contains.
   * @param isHeard whether a batch, and not the hash, made it known
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

  /** The number of the last received batch. */
  get number(): number {
    return this.#number;
  }

  /** Whether the hash must be read to be complete. */
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

  /** Records a batch: `late` must be ignored; before a `gap`, others are missing. */
  hear(epoch: number, number: number, now: number, nowMicros: number): Heard {
    if (epoch < this.#epoch || (epoch === this.#epoch && number <= this.#number)) return "late";
    this.quietFrom = now;
    this.aliveAt = nowMicros;
    this.isHeard = true;
    this.isSilent = false;
    const isNext = epoch === this.#epoch && number === this.#number + 1;
    const isGap = epoch === this.#epoch && !isNext;
    if (!isNext) {
      // The last batches of the previous leader may have been lost; a feed that was unknown had none.
      this.isMissed ||= this.#epoch > 0;
      this.#from = number;
    }
    this.#epoch = epoch;
    this.#number = number;
    return isGap ? "gap" : "next";
  }

  /**
   * Whether the state of its symbols is known: it is active or silent, or has had so many milliseconds to send a
   * batch. An active feed sends one at least every 500 ms.
   */
  isDecided(now: number, patience: number): boolean {
    return this.isSpeaking || this.isSilent || now - this.awaitedFrom >= patience;
  }

  /** The shard's subscription has ended: its silence is counted again once the hash has been read. */
  leave(): void {
    this.isSpeaking = this.isHeard = this.isSilent = false;
    this.quietFrom = this.awaitedFrom = Number.POSITIVE_INFINITY;
    this.miss();
  }

  /** The shard is subscribed and its hash has been read: from now on batches can arrive. */
  awaitFrom(now: number): void {
    this.awaitedFrom = Math.min(this.awaitedFrom, now);
    this.quietFrom = Math.min(this.quietFrom, now);
  }

  /** The last batch was not applied, or the next one may not follow it. */
  miss(): void {
    this.#from = this.#number + 1;
    this.isMissed = true;
  }

  /** Whether the hash contains batches that have not arrived. */
  isBehind(mark: Mark | undefined): boolean {
    if (!mark || mark.epoch < this.#epoch) return false;
    return mark.epoch > this.#epoch || mark.number > this.#number;
  }

  /** A read of the hash begins. @param keepsEach whether each record counts */
  beginRead(keepsEach: boolean): void {
    this.isSpared = keepsEach && this.isSpeaking && !this.isMissed && !this.isUnreadable && !this.isIncomplete;
  }

  /** The read ends. @param mark of the feed in the hash */
  endRead(mark: Mark | "unreadable" | undefined): void {
    if (this.isSpared) return;
    this.isUnreadable = false;
    if (mark === "unreadable") this.#settleUnmarked();
    else this.#settle(mark);
  }

  /** The hash was read and its mark is unreadable: its values are used, since another read would give no more. */
  #settleUnmarked(): void {
    this.#from = 0;
  }

  /** The hash was read: its mark shows which batches it contains. */
  #settle(mark: Mark | undefined): void {
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

/** One feed on one shard, as a gateway hears it: which of its batches are there, and which may be missing. */
import type { HeardFeed } from "./heard_feed.ts";
import type { Mark } from "./wire.ts";

/** What a batch is to its stream. */
export type Heard = "next" | "gap" | "late";

export class FeedStream {
  readonly id: number;
  readonly feed: HeardFeed;
  /** When a batch was heard last, on the monotonic clock, in milliseconds. */
  heardAt: number;
  isSilent = false;
  /** Whether something may have been missed, and not only not been there yet: ticks until it is healed say so. */
  isMissed = false;
  #epoch = 0;
  /** The last batch heard. */
  #number = 0;
  /** All batches from this one to the last are applied, and those before may not be; 0: nothing is missing. */
  #from = 1;

  /** A stream begins as missing, until the hash's mark says how far the hash goes. */
  constructor(id: number, feed: HeardFeed, now: number) {
    this.id = id;
    this.feed = feed;
    this.heardAt = now;
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

  /** Notes a batch: `late` is one to be ignored, `gap` one before which others are missing. */
  hear(epoch: number, number: number, now: number): Heard {
    if (epoch < this.#epoch || (epoch === this.#epoch && number <= this.#number)) return "late";
    this.heardAt = now;
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

  /** The last batch was not taken in, or what comes next is not known to follow it. */
  miss(): void {
    this.#from = this.#number + 1;
    this.isMissed = true;
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

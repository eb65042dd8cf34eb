/** When a gateway reads the last-value hash of a shard: at once where it must, and not too often. */

/** Waits between reads that did not heal, in milliseconds: the store may be behind until its publisher writes. */
const FIRST_RETRY = 200;
const MAX_RETRY = 5_000;
/**
 * Waits between reads for what was unreadable in a batch, in milliseconds. One read may bring it; but a faulty
 * publisher writes such batches all the time, and reading a large hash is expensive.
 */
const FIRST_SUSPICION = 1_000;
const MAX_SUSPICION = 60_000;
/** How often the hash is read to see whether it still has values of silent feeds, in milliseconds. */
const REVIEW_INTERVAL = 300_000;
/**
 * A read whose values took longer than `SHORT_READ` milliseconds to apply is followed by a rest of four times the
 * excess: a gateway that misses batches all the time must have time for ticks. The time that Redis takes does not
 * count: one that hangs must be read again as soon as another has taken its place.
 */
const SHORT_READ = 100;
const REST_AFTER_READ = 4;

export class ReadSchedule {
  #isRequired = true;
  /** How long the values of the current read took to apply, ms. */
  #spent = 0;
  #retryDelay = 0;
  #retryAt = Number.NEGATIVE_INFINITY;
  #isSuspicious = false;
  #suspicionDelay = 0;
  #suspicionAt = Number.NEGATIVE_INFINITY;
  #reviewAt = 0;

  /** Whether the hash must be read although no batch is known to be missing. */
  get isRequired(): boolean {
    return this.#isRequired;
  }

  /** @param isMissing whether batches are known to be missing */
  isDue(now: number, isMissing: boolean): boolean {
    if (now < this.#retryAt) return false;
    return this.#isRequired || isMissing || (this.#isSuspicious && now >= this.#suspicionAt);
  }

  /** Requires a read, after the current wait. */
  require(): void {
    this.#isRequired = true;
  }

  /** Requires a read without a wait. */
  requireNow(): void {
    this.#isRequired = true;
    this.#retryAt = Number.NEGATIVE_INFINITY;
    this.#retryDelay = 0;
  }

  /** A batch was unreadable; the hash may have its values. */
  suspect(): void {
    this.#isSuspicious = true;
  }

  /** Whether it is time to look for feeds that the hash no longer has; true once per interval. */
  isReviewDue(now: number): boolean {
    if (now < this.#reviewAt) return false;
    this.#reviewAt = now + REVIEW_INTERVAL;
    return true;
  }

  /** A read begins. */
  begin(now: number): void {
    this.#spent = 0;
    this.#isRequired = false;
    if (!this.#isSuspicious) return;
    const isLongAgo = now - this.#suspicionAt > MAX_SUSPICION;
    this.#suspicionDelay = isLongAgo ? FIRST_SUSPICION : Math.min(MAX_SUSPICION, this.#suspicionDelay * 2);
    this.#suspicionAt = now + this.#suspicionDelay;
    this.#isSuspicious = false;
  }

  /** Values of the current read took so long to apply, ms. */
  spend(millis: number): void {
    this.#spent += millis;
  }

  /** The read failed. */
  fail(now: number): void {
    this.#isRequired = true;
    this.#backOff(now);
  }

  /** The read is complete. @param isMissing whether batches are still missing */
  end(now: number, isMissing: boolean): void {
    this.#retryAt = now + REST_AFTER_READ * Math.max(0, this.#spent - SHORT_READ);
    if (isMissing) this.#backOff(now);
    else this.#retryDelay = 0;
  }

  #backOff(now: number): void {
    this.#retryDelay = Math.min(MAX_RETRY, Math.max(FIRST_RETRY, this.#retryDelay * 2));
    this.#retryAt = Math.max(this.#retryAt, now + this.#retryDelay);
  }
}

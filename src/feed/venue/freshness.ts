/**
 * Prevents prices from going back after a reconnect: the new server may lag behind the previous one, or repeat known
 * messages.
 */
import type { Clock } from "../../base/clock.ts";

/**
 * How long after a new connection a message may count as old, in milliseconds. Servers lag less than this; after it, a
 * venue that restarted its count is accepted.
 */
export const GUARD_MILLIS = 2_000;

export class Freshness {
  readonly #clock: Clock;
  /** The last order of each source. */
  #latest = new Map<string, number>();
  /** The last order on the previous connection, of each source that has not caught up with it. */
  #before = new Map<string, number>();
  #guardUntil = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A new connection was opened. */
  connected(): void {
    // Sources that had not caught up on the lost connection must still reach their order from before it.
    this.#before = new Map([...this.#latest, ...this.#before]);
    this.#latest = new Map();
    this.#guardUntil = this.#clock.millis() + GUARD_MILLIS;
  }

  /**
   * Whether a message is older than the last one of the previous connection. Within one connection the venue's order
   * holds.
   * @param source the counted item, such as a product
   * @param order its count or time: larger is newer; undefined counts as new
   */
  isOld(source: string, order: number | undefined): boolean {
    if (order === undefined) return false;
    const before = this.#before.get(source);
    if (before !== undefined) {
      if (order < before && this.#clock.millis() < this.#guardUntil) return true;
      this.#before.delete(source);
    }
    this.#latest.set(source, order);
    return false;
  }
}

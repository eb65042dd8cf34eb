/**
 * Keeps prices from going back when a connection is made again: the server that answers may lag behind the one that was
 * lost, or say again what is known.
 */
import type { Clock } from "../../base/clock.ts";

/**
 * How long after a new connection something may be held to be old, in milliseconds. Servers lag less behind; and a
 * venue that counts anew is believed after it.
 */
export const GUARD_MILLIS = 2_000;

export class Freshness {
  readonly #clock: Clock;
  /** Where each source stands. */
  #latest = new Map<string, number>();
  /** Where each source that has not caught up yet stood on the connection before. */
  #before = new Map<string, number>();
  #guardUntil = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Another connection begins. */
  connected(): void {
    // What had not caught up on the connection that was lost is still to be caught up with.
    this.#before = new Map([...this.#latest, ...this.#before]);
    this.#latest = new Map();
    this.#guardUntil = this.#clock.millis() + GUARD_MILLIS;
  }

  /**
   * Whether this is older than what the connection before has told. Within one connection the venue's order holds.
   * @param source what is counted, such as a product
   * @param order its count or time: larger is newer; undefined is taken for new
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

/**
 * Estimates how far the gateway's clock is from this one: the recent ping with the shortest round trip is the most
 * exact.
 */

import type { ClientTime } from "../connection/time.ts";
import type { GatewayTime } from "../records/tick_record.ts";

/** The number of pings for which a shortest round trip is kept. */
const BEST_FOR = 8;

export class ClockSync implements GatewayTime {
  /** The last measured round trip, ms; undefined before the first. */
  roundTrip: number | undefined;
  /** How far the gateway's clock is ahead, microseconds. */
  offset = 0;
  readonly #time: ClientTime;
  /** The shortest recent round trip, ms, and for how many more pings it is kept. */
  #best = 0;
  #bestFor = 0;

  constructor(time: ClientTime) {
    this.#time = time;
  }

  micros(): number {
    return this.#time.micros() + this.offset;
  }

  /**
   * Takes the time in `hello`, which is late by the latency of the message.
   * @param time microseconds since the Unix epoch
   */
  greeted(time: number): void {
    this.#bestFor = 0;
    this.offset = time - this.#time.micros();
  }

  /** Takes the gateway's time in the answer to a ping. @param sentAt when the ping was sent, ms */
  ponged(sentAt: number, time: number): void {
    const roundTrip = this.#time.millis() - sentAt;
    this.roundTrip = roundTrip;
    if (this.#bestFor-- > 0 && roundTrip > this.#best) return;
    this.#best = roundTrip;
    this.#bestFor = BEST_FOR;
    this.offset = time + roundTrip * 500 - this.#time.micros();
  }
}

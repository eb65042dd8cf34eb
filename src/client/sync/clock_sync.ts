/** How far the gateway's clock is from this one: as pings tell it, the quickest of late being the truest. */

import type { ClientTime } from "../connection/time.ts";
import type { GatewayTime } from "../quotes/quote_record.ts";

/** Pings. */
const STANDS_FOR = 8;

export class ClockSync implements GatewayTime {
  /** The last measured round trip, ms; undefined before the first. */
  roundTrip: number | undefined;
  /** How far the gateway's clock is ahead, microseconds. */
  offset = 0;
  readonly #time: ClientTime;
  /** The shortest round trip of late, and for how many pings that stands. */
  #best = 0;
  #standsFor = 0;

  constructor(time: ClientTime) {
    this.#time = time;
  }

  micros(): number {
    return this.#time.micros() + this.offset;
  }

  /** A new gateway has told its time: right but for the way here. @param time microseconds since the Unix epoch */
  greeted(time: number): void {
    this.#standsFor = 0;
    this.offset = time - this.#time.micros();
  }

  /** A ping that was sent then, ms, was answered with the gateway's time. */
  ponged(sentAt: number, time: number): void {
    const roundTrip = this.#time.millis() - sentAt;
    this.roundTrip = roundTrip;
    if (this.#standsFor-- > 0 && roundTrip > this.#best) return;
    this.#best = roundTrip;
    this.#standsFor = STANDS_FOR;
    this.offset = time + roundTrip * 500 - this.#time.micros();
  }
}

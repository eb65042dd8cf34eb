/** The gateway's clock, estimated from pings. */

import { ClockOffset } from "../../base/clock_offset.ts";
import type { ClientTime } from "../connection/time.ts";
import type { GatewayTime } from "../quotes/quote_record.ts";

/** Pings that count, so that a clock that drifts or a way that becomes longer is followed. */
const SAMPLES = 9;
/** Of a browser's clock, microseconds. */
const RESOLUTION = 1_000;

export class ClockSync implements GatewayTime {
  /** The last measured round trip, ms; undefined before the first. */
  roundTrip: number | undefined;
  /** How far the gateway's clock is ahead, microseconds. */
  offset = 0;
  readonly #time: ClientTime;
  readonly #ours = new ClockOffset(SAMPLES, RESOLUTION);

  constructor(time: ClientTime) {
    this.#time = time;
  }

  micros(): number {
    return this.#time.micros() + this.offset;
  }

  /** The hello of a new gateway has its time, without the time that the message took. @param time microseconds */
  greeted(time: number): void {
    this.#ours.forget();
    this.offset = time - this.#time.micros();
  }

  /** A ping that was sent at `sentAt`, ms, was answered with the gateway's time, microseconds since the Unix epoch. */
  ponged(sentAt: number, time: number): void {
    this.roundTrip = this.#time.millis() - sentAt;
    const now = this.#time.micros();
    this.#ours.add(now - this.roundTrip * 1_000, time, now);
    this.offset = -this.#ours.offset;
  }
}

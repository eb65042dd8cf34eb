/** Says what is wrong, but not again and again: a fault that lasts comes with every try. */
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";
import { RedisDownError } from "../bus/redis/connection/link.ts";

/** How long a complaint is not repeated, in milliseconds. */
const INTERVAL = 10_000;

export class Complaint {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #text: string;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(text: string, clock: Clock, log: Logger) {
    this.#text = text;
    this.#clock = clock;
    this.#log = log;
  }

  /** Logs the reason, unless it is that Redis is away: its connection says that itself. */
  about(error: Error): void {
    const now = this.#clock.millis();
    if (error instanceof RedisDownError || error.message === "Connection is closed.") return;
    if (now - this.#saidAt < INTERVAL) return;
    this.#saidAt = now;
    this.#log.warn({ reason: error.message }, this.#text);
  }
}

/** Notices that nothing is heard of a source: the one limit on silence that every kind of feed has. */
import type { Clock } from "../base/clock.ts";

/** How often it is checked: a silence is noticed a quarter late at most. */
const CHECKS_PER_LIMIT = 4;

export class SilenceDetector {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #onSilent: () => void;
  #heardAt = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param limit ms; 0 for none
   * @param onSilent called when nothing has been heard for so long, and again at each check while that lasts
   */
  constructor(clock: Clock, limit: number, onSilent: () => void) {
    this.#clock = clock;
    this.#limit = limit;
    this.#onSilent = onSilent;
  }

  /** Begins to count, from now. */
  start(): void {
    this.stop();
    this.heard();
    if (this.#limit > 0) this.#timer = setInterval(() => this.check(), this.#limit / CHECKS_PER_LIMIT);
  }

  /** Something was heard. */
  heard(): void {
    this.#heardAt = this.#clock.millis();
  }

  check(): void {
    if (this.#clock.millis() - this.#heardAt >= this.#limit) this.#onSilent();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

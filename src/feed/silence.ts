/** Detects a silent source, with the same limit on silence for every kind of feed. */
import type { Clock } from "../base/clock.ts";

/** Checks per limit: a silence is detected at most a quarter of the limit late. */
const CHECKS_PER_LIMIT = 4;

export class SilenceDetector {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #onSilent: () => void;
  #heardAt = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param limit ms; 0 for none
   * @param onSilent called when nothing was received for so long, and again at each check during the silence
   */
  constructor(clock: Clock, limit: number, onSilent: () => void) {
    this.#clock = clock;
    this.#limit = limit;
    this.#onSilent = onSilent;
  }

  /** Starts to measure the silence from now. */
  start(): void {
    this.stop();
    this.heard();
    if (this.#limit > 0) this.#timer = setInterval(() => this.check(), this.#limit / CHECKS_PER_LIMIT);
  }

  /** Something was received. */
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

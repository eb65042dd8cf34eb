/** A log of what is wrong with a source's input that the input cannot flood: so many lines a second, then a count. */
import type { Logger } from "pino";

/** Complaints logged in one second; the rest are counted. */
export const COMPLAINTS_PER_SECOND = 5;
const WINDOW_MILLIS = 1_000;

export class Complaints {
  readonly #log: Logger;
  #logged = 0;
  #leftOut = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Logs a warning, or counts it when there have been too many in this second. */
  add(details: Record<string, unknown>, message: string): void {
    this.#timer ??= setTimeout(() => this.#windowEnd(), WINDOW_MILLIS).unref();
    if (this.#logged === COMPLAINTS_PER_SECOND) {
      this.#leftOut++;
      return;
    }
    this.#logged++;
    this.#log.warn(details, message);
  }

  /** Says how many were left out, now. */
  close(): void {
    clearTimeout(this.#timer);
    this.#windowEnd();
  }

  #windowEnd(): void {
    if (this.#leftOut > 0) this.#log.warn({ count: this.#leftOut }, "more such warnings were left out");
    this.#timer = undefined;
    this.#logged = 0;
    this.#leftOut = 0;
  }
}

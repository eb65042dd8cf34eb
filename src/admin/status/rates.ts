/** The rates of counters over the last seconds. They are the same for all readers, however often they read. */
import type { Clock } from "../../base/clock.ts";

/** How often the counters are read, ms. */
const SAMPLE_TIME = 1_000;
/** Readings that are kept; rates are over as many seconds. */
const SAMPLES = 5;

interface Sample {
  readonly at: number;
  readonly values: Readonly<Record<string, number>>;
}

export class Rates {
  readonly #clock: Clock;
  readonly #read: () => Readonly<Record<string, number>>;
  /** The oldest first. */
  readonly #samples: Sample[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param read returns the counters by name; a name that appears later began at 0 */
  constructor(clock: Clock, read: () => Readonly<Record<string, number>>) {
    this.#clock = clock;
    this.#read = read;
    this.sample();
  }

  start(): void {
    this.#timer ??= setInterval(() => this.sample(), SAMPLE_TIME).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Reads the counters, and drops readings that are too old. */
  sample(): void {
    this.#samples.push({ at: this.#clock.millis(), values: this.#read() });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }

  /** The increase of each counter per second, from the oldest reading until now. */
  perSecond(): Record<string, number> {
    const [oldest] = this.#samples;
    const seconds = (this.#clock.millis() - oldest.at) / 1_000;
    const rates: Record<string, number> = {};
    for (const [name, value] of Object.entries(this.#read()))
      rates[name] = seconds > 0 ? (value - (oldest.values[name] ?? 0)) / seconds : 0;
    return rates;
  }
}

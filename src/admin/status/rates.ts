/** How fast counters go, over the last seconds: whoever looks gets the same answer, whether he looks once or always. */
import type { Clock } from "../../base/clock.ts";

/** How often the counters are read, ms. */
const SAMPLE_TIME = 1_000;
/** Readings that are kept: what is told is over as many seconds. */
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

  /** @param read gives the counters by name; a name that comes later began at 0 */
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

  /** Reads the counters; what is older than it is told of is forgotten. */
  sample(): void {
    this.#samples.push({ at: this.#clock.millis(), values: this.#read() });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }

  /** What each counter has gained a second, from the oldest reading that is kept until now. */
  perSecond(): Record<string, number> {
    const [oldest] = this.#samples;
    const seconds = (this.#clock.millis() - oldest.at) / 1_000;
    const rates: Record<string, number> = {};
    for (const [name, value] of Object.entries(this.#read()))
      rates[name] = seconds > 0 ? (value - (oldest.values[name] ?? 0)) / seconds : 0;
    return rates;
  }
}

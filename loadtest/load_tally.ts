/** What the load has received. Slow connections are told apart: their ages are another matter. */
import { Ages } from "./ages.ts";

/** Ages, in milliseconds. */
export interface AgeSummary {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

export interface LoadResult {
  readonly seconds: number;
  /** Of the load's own process. */
  readonly cpuSeconds: number;
  /** How late its timers were at p99, ms: on a machine with company every process waits, the gateway as well. */
  readonly timerLate: number;
  readonly frames: number;
  readonly ticks: number;
  readonly bytes: number;
  /** Messages that are neither data frames nor control messages. */
  readonly malformed: number;
  /** `error` messages and rejected symbols, since the start. */
  readonly errors: number;
  /** `quality` messages, since the start. */
  readonly quality: number;
  /** Connections that the other side has closed, since the start. */
  readonly closed: number;
  readonly age: AgeSummary;
  readonly slowAge: AgeSummary;
  /** A data frame that came, of about the mean size. */
  readonly sample: Uint8Array;
}

export class LoadTally {
  readonly ages = new Ages();
  readonly slowAges = new Ages();
  frames = 0;
  ticks = 0;
  bytes = 0;
  malformed = 0;
  errors = 0;
  quality = 0;
  closed = 0;
  counting = false;
  #sample: Uint8Array = new Uint8Array(0);

  begin(): void {
    this.ages.clear();
    this.slowAges.clear();
    this.frames = this.ticks = this.bytes = this.malformed = 0;
    this.counting = true;
  }

  /** Keeps the frame if it is nearer to the mean size than the one that is kept. */
  sample(bytes: Uint8Array, start: number, end: number): void {
    const mean = this.bytes / this.frames;
    if (Math.abs(end - start - mean) < Math.abs(this.#sample.length - mean)) this.#sample = bytes.slice(start, end);
  }

  result(millis: number, cpuMicros: number, timerLate: number): LoadResult {
    const { frames, ticks, bytes, malformed, errors, quality, closed } = this;
    return {
      seconds: millis / 1_000,
      cpuSeconds: cpuMicros / 1_000_000,
      timerLate,
      ...{ frames, ticks, bytes, malformed, errors, quality, closed },
      age: summary(this.ages),
      slowAge: summary(this.slowAges),
      sample: this.#sample,
    };
  }
}

function summary(ages: Ages): AgeSummary {
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => ages.quantile(share) / 1_000);
  return { count: ages.count, p50, p99, p999 };
}

/**
 * A file that is read again when it changes. Content that cannot be used is reported, and the last that could be stays.
 */
import type { Clock } from "../base/clock.ts";
import { ReadCounts } from "./read_counts.ts";
import { WatchedFile } from "./watched_file.ts";

/** How often it is checked, ms: a change takes effect within a second or so. */
const CHECK_INTERVAL = 1_000;
/** A file that cannot be used is read again after so many checks, so that alerts see that this goes on. */
const CHECKS_UNTIL_RETRY = 60;

export interface ReloadListener {
  changed(): void;
  /** Called again only where the reason is another one. */
  failed(reason: string): void;
}

export class ReloadedFile<T> {
  readonly path: string;
  readonly #file: WatchedFile;
  readonly #parse: (text: string, before: T | undefined) => T;
  readonly #clock: Clock;
  readonly counts: ReadCounts;
  #value: T;
  #failure = "";
  #checksUntilRetry = 0;
  #timer: NodeJS.Timeout | undefined;
  #listener: ReloadListener | undefined;
  /**
   * @param parse throws where the text cannot be used
   * @throws Error says why the file cannot be used
   */
  constructor(
    path: string,
    clock: Clock,
    parse: (text: string, before: T | undefined) => T,
    counts = new ReadCounts(),
  ) {
    this.path = path;
    this.#file = new WatchedFile(path);
    this.#clock = clock;
    this.#parse = parse;
    this.counts = counts;
    this.#value = parse(this.#file.read(), undefined);
    counts.succeeded(clock.millis());
  }

  get value(): T {
    return this.#value;
  }

  /** @param listener hears of each change until {@link close} */
  watch(listener: ReloadListener): void {
    this.#listener = listener;
    this.#timer ??= setInterval(() => this.check(), CHECK_INTERVAL).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Reads it again when that is due. */
  check(): void {
    const isRetried = this.counts.failingSince !== undefined && --this.#checksUntilRetry <= 0;
    if (!this.#file.hasChanged() && !isRetried) return;
    try {
      this.#value = this.#parse(this.#file.read(), this.#value);
    } catch (error) {
      this.#fail((error as Error).message);
      return;
    }
    this.counts.succeeded(this.#clock.millis());
    this.#failure = "";
    this.#listener?.changed();
  }

  #fail(reason: string): void {
    this.counts.failed(this.#clock.millis());
    this.#checksUntilRetry = CHECKS_UNTIL_RETRY;
    if (reason === this.#failure) return;
    this.#failure = reason;
    this.#listener?.failed(reason);
  }
}

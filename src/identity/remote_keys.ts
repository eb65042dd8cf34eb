/** The keys at an address. */
import { errors, type JWSHeaderParameters } from "jose";
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";
import { type Key, type KeySet, type KeySource, KeysUnavailable, readKeySet } from "./key_source.ts";
import type { ReadCounts } from "./read_counts.ts";

/** A set of keys is fetched again after so long, ms: keys that were withdrawn are gone then. */
const REFRESH_INTERVAL = 600_000;
/**
 * The shortest time between two fetches, ms: a token with an unknown key causes one, and anybody can send such tokens.
 * After failures the time doubles, up to the longest.
 */
const FETCH_INTERVAL = 2_000;
const LONGEST_FETCH_INTERVAL = 60_000;
/**
 * The most tokens that wait for a fetch: anybody can send tokens with unknown keys, and those with known ones must not
 * find the verifier full of them.
 */
const MOST_WAITING = 100;

export class RemoteKeys implements KeySource {
  readonly #fetchSet: () => Promise<string>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #counts: ReadCounts;
  #keys: KeySet | undefined;
  #fetching: Promise<void> | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #failed = 0;
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param fetchSet fetches the set of keys */
  constructor(fetchSet: () => Promise<string>, clock: Clock, log: Logger, counts: ReadCounts) {
    this.#fetchSet = fetchSet;
    this.#clock = clock;
    this.#log = log;
    this.#counts = counts;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => void this.maintain(), FETCH_INTERVAL);
    this.#timer.unref();
    await this.#fetch();
  }

  async find(header: JWSHeaderParameters): Promise<Key> {
    if (!this.#keys) await this.#fetchSoon();
    try {
      return await this.#findNow(header);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !(await this.#fetchSoon())) throw error;
      return this.#findNow(header);
    }
  }

  /** Fetches the keys when that is due; to be called every few seconds. */
  async maintain(): Promise<void> {
    const due = this.#failed > 0 || !this.#keys ? this.#pause : REFRESH_INTERVAL;
    if (this.#clock.millis() - this.#fetchedAt >= due) await this.#fetch();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #findNow(header: JWSHeaderParameters): Promise<Key> {
    if (!this.#keys) throw new KeysUnavailable("the keys of tokens have not been read yet");
    return (await this.#keys(header)) as Key;
  }

  /** How long it waits after the last fetch, ms. */
  get #pause(): number {
    return Math.min(LONGEST_FETCH_INTERVAL, FETCH_INTERVAL * 2 ** Math.max(0, this.#failed - 1));
  }

  /** Fetches the keys, unless that was done a moment ago. @returns whether it did */
  async #fetchSoon(): Promise<boolean> {
    if (!this.#fetching && this.#clock.millis() - this.#fetchedAt < this.#pause) return false;
    if (this.#waiting >= MOST_WAITING) throw new KeysUnavailable("too many tokens wait for keys");
    this.#waiting++;
    try {
      await this.#fetch();
    } finally {
      this.#waiting--;
    }
    return true;
  }

  /** One fetch at a time: others wait for it. */
  #fetch(): Promise<void> {
    this.#fetching ??= this.#fetchNow().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchNow(): Promise<void> {
    this.#fetchedAt = this.#clock.millis();
    try {
      this.#keys = readKeySet(await this.#fetchSet());
      this.#counts.succeeded(this.#clock.millis());
      if (this.#failed > 0) this.#log.info({ failed: this.#failed }, "the keys of tokens are fetched again");
      this.#failed = 0;
    } catch (error) {
      this.#failed++;
      this.#counts.failed(this.#clock.millis());
      this.#log.error(
        { reason: messageOf(error), failed: this.#failed },
        this.#keys
          ? "the keys of tokens cannot be fetched: the last ones stay"
          : "the keys of tokens cannot be fetched",
      );
    }
  }
}

function messageOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}

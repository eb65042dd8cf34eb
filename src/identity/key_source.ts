/** The keys that tokens are verified with: a shared secret, or the public keys of a file or an address. */
import { type CryptoKey, createLocalJWKSet, errors, type JSONWebKeySet, type JWSHeaderParameters } from "jose";
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";
import { WatchedFile } from "./watched_file.ts";

/** A set of keys is fetched again after so long, ms: keys that were withdrawn are gone then. */
const REFRESH_INTERVAL = 600_000;
/**
 * The shortest time between two fetches, ms: a token with an unknown key causes one, and anybody can send such tokens.
 * After failures the time doubles, up to the longest.
 */
const FETCH_INTERVAL = 2_000;
const LONGEST_FETCH_INTERVAL = 60_000;
/** An answer must have come after so long, ms, and have so many bytes at most: a key has 1 to 2 KB. */
const FETCH_TIME = 5_000;
const MOST_BYTES = 1_048_576;

/**
 * The most tokens that wait for a fetch: anybody can send tokens with unknown keys, and those with known ones must not
 * find the verifier full of them.
 */
const MOST_WAITING = 100;

/** The key of a token cannot be found now, but perhaps later. */
export class KeysUnavailable extends Error {
  override name = "KeysUnavailable";
}

export type Key = CryptoKey | Uint8Array;

export interface KeySource {
  /** Reads the keys for the first time. Without an address that can be reached it goes on without keys. */
  start(): Promise<void>;
  /** @throws KeysUnavailable, or an error of jose where there is no such key */
  find(header: JWSHeaderParameters): Promise<Key>;
  close(): void;
}

export class SecretKey implements KeySource {
  readonly #secret: Uint8Array;

  constructor(secret: string) {
    this.#secret = new TextEncoder().encode(secret);
  }

  async start(): Promise<void> {}

  async find(): Promise<Key> {
    return this.#secret;
  }

  close(): void {}
}

/** What all sets of keys count. */
export class KeyCounts {
  /** When the keys in use were read, ms of the clock; undefined before the first. */
  readAt: number | undefined;
  failures = 0;
}

type KeySet = ReturnType<typeof createLocalJWKSet>;

/** The keys in a file; it is read again when it changes, and a bad one is not taken over. */
export class KeyFile implements KeySource {
  readonly #file: WatchedFile;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #counts: KeyCounts;
  #keys: KeySet;

  /** @throws Error says why the file cannot be used */
  constructor(path: string, clock: Clock, log: Logger, counts: KeyCounts) {
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
    this.#counts = counts;
    this.#file = new WatchedFile(path);
    this.#keys = this.#read();
  }

  async start(): Promise<void> {
    this.#file.watch(() => this.#readAgain());
  }

  find(header: JWSHeaderParameters): Promise<Key> {
    return this.#keys(header) as Promise<Key>;
  }

  close(): void {
    this.#file.close();
  }

  #read(): KeySet {
    const keys = readKeySet(this.#file.read());
    this.#counts.readAt = this.#clock.millis();
    return keys;
  }

  #readAgain(): void {
    try {
      this.#keys = this.#read();
      this.#log.info({ file: this.#path }, "the keys of tokens have been read again");
    } catch (error) {
      this.#counts.failures++;
      this.#log.error(
        { file: this.#path, reason: messageOf(error) },
        "the keys of tokens cannot be read: the last ones stay",
      );
    }
  }
}

/** The keys at an address, or at the address that the OpenID configuration of an issuer names. */
export class RemoteKeys implements KeySource {
  readonly #addressOf: () => Promise<string>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #counts: KeyCounts;
  #keys: KeySet | undefined;
  #fetching: Promise<void> | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #failed = 0;
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param addressOf says where the keys are */
  constructor(addressOf: () => Promise<string>, clock: Clock, log: Logger, counts: KeyCounts) {
    this.#addressOf = addressOf;
    this.#clock = clock;
    this.#log = log;
    this.#counts = counts;
  }

  async start(): Promise<void> {
    await this.#fetch();
    this.#timer = setInterval(() => this.maintain(), FETCH_INTERVAL);
    this.#timer.unref();
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
  maintain(): void {
    const due = this.#failed > 0 || !this.#keys ? this.#pause : REFRESH_INTERVAL;
    if (this.#clock.millis() - this.#fetchedAt >= due) void this.#fetch();
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
      this.#keys = readKeySet(await fetchText(await this.#addressOf()));
      this.#failed = 0;
      this.#counts.readAt = this.#clock.millis();
    } catch (error) {
      this.#failed++;
      this.#counts.failures++;
      this.#log.error(
        { reason: messageOf(error), failed: this.#failed },
        this.#keys
          ? "the keys of tokens cannot be fetched: the last ones stay"
          : "the keys of tokens cannot be fetched",
      );
    }
  }
}

/**
 * The address of an issuer's keys by OpenID Connect Discovery 1.0.
 * @throws Error where the answer is of another issuer, or has no address
 */
export async function discoverKeys(issuer: string): Promise<string> {
  const text = await fetchText(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  const { issuer: named, jwks_uri: address } = JSON.parse(text) as Record<string, unknown>;
  if (named !== issuer) throw new Error(`the OpenID configuration is of another issuer than ${issuer}`);
  if (typeof address !== "string" || !/^https?:\/\//.test(address))
    throw new Error("the OpenID configuration has no jwks_uri");
  return address;
}

async function fetchText(address: string): Promise<string> {
  const response = await fetch(address, { redirect: "error", signal: AbortSignal.timeout(FETCH_TIME) });
  if (!response.ok || !response.body) throw new Error(`the answer has the status ${response.status}`);
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body) {
    length += part.length;
    if (length > MOST_BYTES) throw new Error(`the answer has more than ${MOST_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

/** @throws Error where it is no JSON Web Key Set, or has keys that are not public */
function readKeySet(text: string): KeySet {
  const set = JSON.parse(text) as JSONWebKeySet;
  const keys = createLocalJWKSet(set);
  if (set.keys.some(({ kty, d }) => kty === "oct" || d !== undefined))
    throw new Error("a set of public keys must not have secret or private keys");
  return keys;
}

function messageOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}

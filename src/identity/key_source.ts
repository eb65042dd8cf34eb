/** The keys that tokens are verified with: a shared secret, or public keys (key_file.ts, remote_keys.ts). */
import { type CryptoKey, createLocalJWKSet, type JSONWebKeySet, type JWSHeaderParameters } from "jose";

/** The most keys of a set: an issuer has two or three, and a token without a key id may fit many. */
const MOST_KEYS = 100;

/** The key of a token cannot be found now, but perhaps later. */
export class KeysUnavailable extends Error {
  override name = "KeysUnavailable";
}

export type Key = CryptoKey | Uint8Array;

export interface KeySource {
  /** Reads the keys for the first time. Without an address that can be reached it goes on without keys. */
  start(): Promise<void>;
  /** @throws KeysUnavailable, or an error of jose where there is no such key, or more than one */
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

export type KeySet = ReturnType<typeof createLocalJWKSet>;

/** @throws Error where it is no JSON Web Key Set, or has keys that are not public */
export function readKeySet(text: string): KeySet {
  const set = JSON.parse(text) as JSONWebKeySet;
  const keys = createLocalJWKSet(set);
  if (set.keys.length > MOST_KEYS) throw new Error(`a set of keys has at most ${MOST_KEYS}`);
  if (set.keys.some(({ kty, d }) => kty === "oct" || d !== undefined))
    throw new Error("a set of public keys must not have secret or private keys");
  return keys;
}

/**
 * Counts the sockets of the clients' port, upgraded or not. A process at its limit on open files cannot accept a
 * connection and retries without end; so new sockets above a limit are closed at once. uWebSockets.js itself closes a
 * socket that has not sent a whole request within its idle limit. It reports each socket that opens, and each that
 * closes without an upgrade.
 */
import type { HttpResponse } from "uWebSockets.js";
import { addressKey } from "./address.ts";
import { peerOf } from "./request_headers.ts";

/** The longest time a socket is idle before its first request: uWebSockets.js allows 10 s and checks every 4 s. */
const IDLE_SECONDS = 14;
/** The part of the sockets without an upgrade that one address may open at once. */
const ADDRESS_PART = 1 / 2;
/** Addresses with an allowance of their own; further ones are limited only in total. */
const MOST_ADDRESSES = 16_384;

/** Why a new socket is closed: all are in use, or its address opens too many without an upgrade. */
export const SHED_REASONS = ["sockets", "address"] as const;
export type ShedReason = (typeof SHED_REASONS)[number];

/** What the count of sockets needs from the server. */
export interface SocketLimits {
  /** Called for each new socket that is closed. */
  shed(reason: ShedReason, address: string): void;
  /** Whether the address is that of a balancer, which opens sockets for many clients. */
  isBalancer(address: string): boolean;
  now(): number;
}

/**
 * Sockets that an address may still open. One returns when a socket is upgraded or closed, or after {@link
 * IDLE_SECONDS}.
 */
interface OpenAllowance {
  left: number;
  at: number;
}

export class OpenSockets {
  /** Sockets without an upgrade. */
  notUpgraded = 0;
  upgraded = 0;
  /** The most sockets at once. */
  readonly limit: number;
  readonly #perAddress: number;
  readonly #limits: SocketLimits;
  readonly #allowances = new Map<string, OpenAllowance>();

  /** @param limit the most at once @param others the part of them that is kept for sockets without an upgrade */
  constructor(limit: number, others: number, watch: SocketLimits) {
    this.limit = limit;
    this.#perAddress = Math.max(1, Math.floor(others * ADDRESS_PART));
    this.#limits = watch;
  }

  /** All open sockets. */
  get count(): number {
    return this.notUpgraded + this.upgraded;
  }

  /** The handler for `app.filter`. */
  filter(res: HttpResponse, change: number): void {
    this.notUpgraded += change;
    if (change < 0) return;
    const address = peerOf(res);
    const reason = this.#refusal(address);
    if (reason !== undefined) {
      this.#limits.shed(reason, address);
      // This calls the filter again, with -1, before it returns.
      res.close();
      return;
    }
    // For a socket that closes before its first request. The handler of a request replaces this one.
    res.onAborted(() => this.#release(address));
  }

  /** Counts a socket that became a WebSocket. */
  countUpgrade(address: string): void {
    this.notUpgraded--;
    this.upgraded++;
    this.#release(address);
  }

  /** Counts a WebSocket that closed. */
  countClose(): void {
    this.upgraded--;
  }

  #refusal(address: string): ShedReason | undefined {
    if (this.count > this.limit) return "sockets";
    if (this.#limits.isBalancer(address)) return undefined;
    const allowance = this.#allowanceOf(addressKey(address));
    if (allowance === undefined) return undefined;
    this.#refill(allowance);
    if (allowance.left < 1) return "address";
    allowance.left--;
    return undefined;
  }

  #allowanceOf(key: string): OpenAllowance | undefined {
    const found = this.#allowances.get(key);
    if (found) return found;
    if (this.#allowances.size >= MOST_ADDRESSES)
      for (const [other, allowance] of this.#allowances) {
        this.#refill(allowance);
        if (allowance.left === this.#perAddress) this.#allowances.delete(other);
      }
    if (this.#allowances.size >= MOST_ADDRESSES) return undefined;
    const allowance = { left: this.#perAddress, at: this.#limits.now() };
    this.#allowances.set(key, allowance);
    return allowance;
  }

  #refill(allowance: OpenAllowance): void {
    const now = this.#limits.now();
    const returned = (Math.max(0, now - allowance.at) / 1_000 / IDLE_SECONDS) * this.#perAddress;
    allowance.left = Math.min(this.#perAddress, allowance.left + returned);
    allowance.at = now;
  }

  #release(address: string): void {
    const allowance = this.#allowances.get(addressKey(address));
    if (allowance) allowance.left = Math.min(this.#perAddress, allowance.left + 1);
  }
}

/**
 * The sockets of the clients' port, upgraded or not. At its limit on open files a process cannot accept a connection, and tries
 * without end; so new sockets above a limit are closed as they come. uWebSockets.js closes one that has not sent a whole request
 * within its idle limit by itself. It tells of sockets that open, and of those that close and were not upgraded.
 */
import type { HttpResponse } from "uWebSockets.js";
import { addressKey } from "./address.ts";
import { peerOf } from "./request_headers.ts";

/** uWebSockets.js's limit of 10 s, which it checks every 4 s: no socket is idle for longer before its first request. */
const IDLE_SECONDS = 14;
/** Of the sockets that are not upgraded, what one address may open at once. */
const ADDRESS_PART = 1 / 2;
/** Addresses that are told apart; others are not limited by themselves. */
const MOST_ADDRESSES = 16_384;

/** Why a new socket is closed: all are in use, or its address opens too many that it does not upgrade. */
export const SHED_REASONS = ["sockets", "address"] as const;
export type ShedReason = (typeof SHED_REASONS)[number];

export interface SocketWatch {
  /** A new socket was closed. */
  shed(reason: ShedReason, address: string): void;
  /** Whether an address is a balancer's, which opens sockets for others. */
  isBalancer(address: string): boolean;
  now(): number;
}

/** What an address may still open. It is given back when a socket is upgraded or closed, and after {@link IDLE_SECONDS}. */
interface Opens {
  left: number;
  at: number;
}

export class OpenSockets {
  /** Sockets that are not upgraded. */
  plain = 0;
  upgraded = 0;
  /** The most at once. */
  readonly limit: number;
  readonly #perAddress: number;
  readonly #watch: SocketWatch;
  readonly #opens = new Map<string, Opens>();

  /** @param limit the most at once @param others those of them that are kept for sockets that are not upgraded */
  constructor(limit: number, others: number, watch: SocketWatch) {
    this.limit = limit;
    this.#perAddress = Math.max(1, Math.floor(others * ADDRESS_PART));
    this.#watch = watch;
  }

  /** All that are open. */
  get count(): number {
    return this.plain + this.upgraded;
  }

  /** To be called with what `app.filter` tells. */
  filter(res: HttpResponse, change: number): void {
    this.plain += change;
    if (change < 0) return;
    const address = peerOf(res);
    const reason = this.#refusal(address);
    if (reason !== undefined) {
      this.#watch.shed(reason, address);
      // Its closing is told at once.
      res.close();
      return;
    }
    // Of one that closes before its first request: a request's own handler takes the place of this one.
    res.onAborted(() => this.#giveBack(address));
  }

  /** A socket of an address has become a WebSocket. */
  upgrade(address: string): void {
    this.plain--;
    this.upgraded++;
    this.#giveBack(address);
  }

  /** A WebSocket has closed. */
  close(): void {
    this.upgraded--;
  }

  #refusal(address: string): ShedReason | undefined {
    if (this.count > this.limit) return "sockets";
    if (this.#watch.isBalancer(address)) return undefined;
    const opens = this.#of(addressKey(address));
    if (opens === undefined) return undefined;
    this.#renew(opens);
    if (opens.left < 1) return "address";
    opens.left--;
    return undefined;
  }

  #of(key: string): Opens | undefined {
    const found = this.#opens.get(key);
    if (found) return found;
    if (this.#opens.size >= MOST_ADDRESSES)
      for (const [other, opens] of this.#opens) {
        this.#renew(opens);
        if (opens.left === this.#perAddress) this.#opens.delete(other);
      }
    if (this.#opens.size >= MOST_ADDRESSES) return undefined;
    const opens = { left: this.#perAddress, at: this.#watch.now() };
    this.#opens.set(key, opens);
    return opens;
  }

  #renew(opens: Opens): void {
    const now = this.#watch.now();
    const back = (Math.max(0, now - opens.at) / 1_000 / IDLE_SECONDS) * this.#perAddress;
    opens.left = Math.min(this.#perAddress, opens.left + back);
    opens.at = now;
  }

  #giveBack(address: string): void {
    const opens = this.#opens.get(addressKey(address));
    if (opens) opens.left = Math.min(this.#perAddress, opens.left + 1);
  }
}

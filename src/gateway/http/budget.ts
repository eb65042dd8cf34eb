/**
 * What HTTP may cost: work, and bytes that clients have not read, each for one address and in total. A unit of work is one
 * request or 4 KB of an answer, about 0.1 ms of CPU. It is charged when it is done, so an account may be below zero: a large
 * answer is paid for afterwards, by the requests that follow it.
 */

/** How much of an answer costs as much as a request, bytes. */
export const BYTES_PER_UNIT = 4_096;
/** How long an account collects units that nobody uses, seconds: a script that starts may ask for several things at once. */
const COLLECTED = 2;
/**
 * Addresses that are told apart, at about 200 bytes each. Those that come while so many are in use share one account: many
 * addresses get an attacker no more memory than this.
 */
const MOST_ACCOUNTS = 16_384;
const SHARED_ACCOUNT = "others";

/** Why a request is refused. `address`: one address has what it may have; `total`: all have it together. */
export const HTTP_REFUSALS = ["address_rate", "total_rate", "address_unread", "total_unread", "host"] as const;
export type HttpRefusal = (typeof HTTP_REFUSALS)[number];

export interface HttpLimits {
  /** Units a second for one address, and for all. */
  readonly httpRatePerAddress: number;
  readonly httpRate: number;
  /** Bytes that the clients of one address, and all clients, may leave unread. */
  readonly httpUnreadPerAddress: number;
  readonly httpUnread: number;
}

/** A refusal that will not be one for long. */
export interface Refused {
  readonly reason: HttpRefusal;
  /** When to come back, seconds. */
  readonly retryAfter: number;
}

export class HttpBudget {
  readonly #limits: HttpLimits;
  readonly #all: Account;
  readonly #accounts = new Map<string, Account>();

  /** @param now ms, as in all methods */
  constructor(limits: HttpLimits, now: number) {
    this.#limits = limits;
    this.#all = new Account(limits.httpRate, now);
  }

  /** How many addresses have an account. */
  get size(): number {
    return this.#accounts.size;
  }

  /** The account of an address: to be asked for once a request, since it may be forgotten while it is not used. */
  of(address: string, now: number): Account {
    const found = this.#accounts.get(address);
    if (found) return found;
    if (this.#accounts.size >= MOST_ACCOUNTS) this.#forgetUnused(now);
    const name = this.#accounts.size >= MOST_ACCOUNTS ? SHARED_ACCOUNT : address;
    let account = this.#accounts.get(name);
    if (!account) {
      account = new Account(this.#limits.httpRatePerAddress, now);
      this.#accounts.set(name, account);
    }
    return account;
  }

  /** Charges what a request costs by itself. @returns why it is refused, and then it costs nothing */
  admit(account: Account, now: number): Refused | undefined {
    const total = this.#all.wait(now);
    if (total > 0) return { reason: "total_rate", retryAfter: total };
    const own = account.wait(now);
    if (own > 0) return { reason: "address_rate", retryAfter: own };
    this.charge(account, 1);
    return undefined;
  }

  charge(account: Account, units: number): void {
    account.units -= units;
    this.#all.units -= units;
  }

  /** Reserves room for bytes that a client may leave unread. @returns why there is none */
  reserve(account: Account, bytes: number): Refused | undefined {
    if (this.#all.unread + bytes > this.#limits.httpUnread) return { reason: "total_unread", retryAfter: 1 };
    if (account.unread + bytes > this.#limits.httpUnreadPerAddress) return { reason: "address_unread", retryAfter: 1 };
    account.unread += bytes;
    this.#all.unread += bytes;
    return undefined;
  }

  release(account: Account, bytes: number): void {
    account.unread -= bytes;
    this.#all.unread -= bytes;
  }

  #forgetUnused(now: number): void {
    for (const [address, account] of this.#accounts) if (account.isUnused(now)) this.#accounts.delete(address);
  }
}

/** What one address has left. */
export class Account {
  units: number;
  unread = 0;
  readonly #perSecond: number;
  #at: number;

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.units = perSecond * COLLECTED;
    this.#at = now;
  }

  /** How long it takes until there is a unit, whole seconds; 0 where there is one. */
  wait(now: number): number {
    this.#earn(now);
    return this.units >= 1 ? 0 : Math.ceil((1 - this.units) / this.#perSecond);
  }

  /** Whether it is as it was when it was new. */
  isUnused(now: number): boolean {
    this.#earn(now);
    return this.unread === 0 && this.units >= this.#perSecond * COLLECTED;
  }

  #earn(now: number): void {
    const earned = (Math.max(0, now - this.#at) * this.#perSecond) / 1_000;
    this.units = Math.min(this.#perSecond * COLLECTED, this.units + earned);
    this.#at = now;
  }
}

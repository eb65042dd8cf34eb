/**
 * Limits what HTTP costs: work, and bytes that clients have not read, for each address and in total. A unit of work is
 * one request or 4 KB of an answer, about 0.1 ms of CPU. Work is charged after it is done, so an account can be below
 * zero: the requests that follow a large answer wait for it.
 */

/** How much of an answer costs as much as a request, bytes. */
export const BYTES_PER_UNIT = 4_096;
/** An account holds the units of so many seconds: a script that starts may send several requests at once. */
const BURST_SECONDS = 2;
/**
 * Addresses with an account of their own, at about 200 bytes each. Further addresses share one account, so that an
 * attacker with many addresses takes no more memory than this.
 */
const MOST_ACCOUNTS = 16_384;
const SHARED_ACCOUNT = "others";

/** Why a request is refused. `address`: the limit of one address is reached; `total`: the limit of all. */
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

/** A refusal that ends by itself. */
export interface BudgetRefusal {
  readonly reason: HttpRefusal;
  /** Seconds after which the client may try again. */
  readonly retryAfter: number;
}

export class HttpBudget {
  readonly #limits: HttpLimits;
  readonly #all: Account;
  readonly #accounts = new Map<string, Account>();

  /** @param now in milliseconds, as in all methods */
  constructor(limits: HttpLimits, now: number) {
    this.#limits = limits;
    this.#all = new Account(limits.httpRate, now);
  }

  /** The number of accounts. */
  get accountCount(): number {
    return this.#accounts.size;
  }

  /** The account of an address. Get it anew for each request: an unused account is deleted. */
  accountOf(address: string, now: number): Account {
    const found = this.#accounts.get(address);
    if (found) return found;
    if (this.#accounts.size >= MOST_ACCOUNTS) this.#deleteUnused(now);
    const name = this.#accounts.size >= MOST_ACCOUNTS ? SHARED_ACCOUNT : address;
    let account = this.#accounts.get(name);
    if (!account) {
      account = new Account(this.#limits.httpRatePerAddress, now);
      this.#accounts.set(name, account);
    }
    return account;
  }

  /** Charges one request. @returns the reason when it is refused; then nothing is charged */
  admit(account: Account, now: number): BudgetRefusal | undefined {
    const total = this.#all.secondsUntilUnit(now);
    if (total > 0) return { reason: "total_rate", retryAfter: total };
    const own = account.secondsUntilUnit(now);
    if (own > 0) return { reason: "address_rate", retryAfter: own };
    this.charge(account, 1);
    return undefined;
  }

  charge(account: Account, units: number): void {
    account.units -= units;
    this.#all.units -= units;
  }

  /** Reserves memory for bytes that a client may leave unread. @returns the reason when there is none */
  reserve(account: Account, bytes: number): BudgetRefusal | undefined {
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

  #deleteUnused(now: number): void {
    for (const [address, account] of this.#accounts) if (account.isUnused(now)) this.#accounts.delete(address);
  }
}

/** The units that one address may still use, and the bytes that it has not read. */
export class Account {
  units: number;
  unread = 0;
  readonly #perSecond: number;
  #refilledAt: number;

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.units = perSecond * BURST_SECONDS;
    this.#refilledAt = now;
  }

  /** Whole seconds until a unit is available; 0 when one is available now. */
  secondsUntilUnit(now: number): number {
    this.#refill(now);
    return this.units >= 1 ? 0 : Math.ceil((1 - this.units) / this.#perSecond);
  }

  /** Whether the account is in the state of a new one. */
  isUnused(now: number): boolean {
    this.#refill(now);
    return this.unread === 0 && this.units >= this.#perSecond * BURST_SECONDS;
  }

  #refill(now: number): void {
    const earned = (Math.max(0, now - this.#refilledAt) * this.#perSecond) / 1_000;
    this.units = Math.min(this.#perSecond * BURST_SECONDS, this.units + earned);
    this.#refilledAt = now;
  }
}

/**
 * The lease on a feed: of several publishers of one feed, one leads. The lease only decides who writes; that a former
 * leader cannot write is the fence's work, so nothing depends on clocks that agree.
 */
import { randomUUID } from "node:crypto";
import type { RedisLink } from "../connection/link.ts";
import { ACQUIRE, HOLD, RELEASE } from "../script.ts";
import type { RedisKeys } from "../shard.ts";

/**
 * How long a leader that is not heard of is still taken for alive, in milliseconds. A takeover takes this and a bit.
 */
export const LEASE_TIME = 1_500;
/** How often the leader says that it is alive, in milliseconds: three tries in a lease. */
export const HOLD_INTERVAL = 400;
const TIMEOUT = 1_000;

export class Lease {
  readonly #link: RedisLink;
  readonly #lease: string;
  readonly #epoch: string;
  readonly #owner = randomUUID();

  constructor(link: RedisLink, keys: RedisKeys, feed: string) {
    this.#link = link;
    this.#lease = keys.lease(feed);
    this.#epoch = keys.epoch(feed);
  }

  /**
   * Takes the lease if nobody else has it.
   * @param floor the least epoch
   * @returns the new epoch, or undefined when another leads
   * @throws when Redis does not answer
   */
  async acquire(floor: number): Promise<number | undefined> {
    const args = [this.#owner, LEASE_TIME, floor];
    const epoch = Number(await ACQUIRE.run(this.#link, [this.#lease, this.#epoch], args, TIMEOUT));
    return epoch > 0 ? epoch : undefined;
  }

  /** Whether the lease is still ours; if so it is for another while. Throws when Redis does not answer. */
  async hold(epoch: number): Promise<boolean> {
    const args = [this.#owner, LEASE_TIME, epoch];
    return (await HOLD.run(this.#link, [this.#lease, this.#epoch], args, TIMEOUT)) === 1;
  }

  /** Gives the lease back, so that another need not wait for its end. */
  async release(): Promise<void> {
    await RELEASE.run(this.#link, [this.#lease], [this.#owner], TIMEOUT);
  }
}

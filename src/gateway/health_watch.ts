/**
 * Logs the beginning and the end of each problem of a node, once each: the operator acts on these lines. The check runs
 * a few times a second; the log limits the rate of a problem that comes and goes.
 */
import type { HeardStream } from "../bus/bus.ts";
import type { RateLimitedLog } from "../log/rate_limited_log.ts";

/** The state of a node that is checked. */
export interface Health {
  /** Why clients should not be sent here, or undefined when they should. */
  readonly unready: string | undefined;
  /** Connections that get less than granted because the node is late, and how late it is, ms. */
  readonly late: number;
  readonly lag: number;
  readonly connections: number;
  readonly connectionsLimit: number;
  readonly streams: readonly HeardStream[];
  /** Records of symbols that found the market table full, since the start. */
  readonly recordsRefused: number;
}

/** After so long without a late flush, ms, a node is no longer saturated. */
const CALM = 5_000;
/**
 * From which part of the limit on connections on it is told that they run out, and from which down that they do not.
 */
const SCARCE = 0.9;
const ENOUGH = 0.8;

export class HealthWatch {
  readonly #log: RateLimitedLog;
  /** Undefined before the first check. */
  #ready: boolean | undefined;
  #isLate = false;
  /** When it was last late, ms of the clock. */
  #lateAt = 0;
  #isScarce = false;
  #recordsRefused = 0;
  /** Feeds that are silent on some shards. */
  readonly #silent = new Set<string>();

  constructor(log: RateLimitedLog) {
    this.#log = log;
  }

  /** @param now ms of the clock */
  check(health: Health, now: number): void {
    this.#checkReadiness(health.unready);
    this.#checkLateness(health, now);
    this.#checkLimits(health);
    this.#checkFeeds(health.streams);
  }

  #checkReadiness(reason: string | undefined): void {
    const ready = reason === undefined;
    if (ready === this.#ready) return;
    if (ready) this.#log.write("info", {}, "ready");
    // At the start a node is not ready yet: that is not logged.
    else if (this.#ready !== undefined) this.#log.write("warn", { reason }, "not ready");
    if (ready || this.#ready !== undefined) this.#ready = ready;
  }

  #checkLateness({ late, lag, connections }: Health, now: number): void {
    if (late > 0) {
      if (!this.#isLate)
        this.#log.write(
          "warn",
          { connections, late, lag: Math.round(lag) },
          "saturated: clients get less than granted",
        );
      this.#isLate = true;
      this.#lateAt = now;
    } else if (this.#isLate && now - this.#lateAt >= CALM) {
      this.#isLate = false;
      this.#log.write("info", { connections }, "no longer saturated");
    }
  }

  #checkLimits({ connections, connectionsLimit, recordsRefused }: Health): void {
    if (!this.#isScarce && connections >= connectionsLimit * SCARCE) {
      this.#isScarce = true;
      this.#log.write("warn", { connections, connectionsLimit }, "nearly as many connections as are let in");
    } else if (connections < connectionsLimit * ENOUGH) this.#isScarce = false;
    const refused = recordsRefused - this.#recordsRefused;
    this.#recordsRefused = recordsRefused;
    if (refused > 0) this.#log.write("warn", { refused }, "the market table is full: symbols are left out");
  }

  #checkFeeds(streams: readonly HeardStream[]): void {
    for (const [feed, own] of Map.groupBy(streams, (stream) => stream.feed)) {
      const silent = own.filter(({ isSilent }) => isSilent).length;
      if (silent > 0 && !this.#silent.has(feed)) {
        this.#silent.add(feed);
        this.#log.write("warn", { feed, silent, shards: own.length }, "nothing heard from a feed");
      } else if (silent === 0 && this.#silent.delete(feed)) this.#log.write("info", { feed }, "a feed is heard again");
    }
  }
}

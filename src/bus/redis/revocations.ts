/**
 * Revocations of tokens in Redis: one list, and a version that changes with it. A gateway reads the version every
 * second: so a message that is lost, or a connection, needs no care of its own. A version never comes again: a counter
 * would, after Redis has lost it.
 */
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { Clock } from "../../base/clock.ts";
import type { Revocation, Revocations } from "../bus.ts";
import { isConnectionLoss, type RedisLink } from "./connection/link.ts";
import type { RedisKeys } from "./shard.ts";

const READ_INTERVAL = 1_000;
const TIMEOUT = 2_000;
/** The most that are in force at a time: each gateway reads all of them after each change, at some 100 bytes each. */
export const MOST_REVOCATIONS = 10_000;

/**
 * Adds one to the list, without those that have ended. Both keys end with the last of them.
 * KEYS: list, version. ARGV: the revocation, now (microseconds), the most, a new version. Returns 1, or 0 where there
 * is no room.
 */
const ADD = `
local kept, last = {}, 0
local before = redis.call('GET', KEYS[1])
if before then
  for _, each in ipairs(cjson.decode(before)) do
    if each['until'] > tonumber(ARGV[2]) then kept[#kept + 1] = each end
  end
end
if #kept >= tonumber(ARGV[3]) then return 0 end
kept[#kept + 1] = cjson.decode(ARGV[1])
for _, each in ipairs(kept) do last = math.max(last, each['until']) end
redis.call('SET', KEYS[1], cjson.encode(kept), 'PXAT', string.format('%.0f', math.ceil(last / 1000)))
redis.call('SET', KEYS[2], ARGV[4], 'PXAT', string.format('%.0f', math.ceil(last / 1000)))
return 1`;

export class RedisRevocations implements Revocations {
  readonly #link: RedisLink;
  readonly #keys: RedisKeys;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** All that are in force, by what they are about. One that Redis has lost stays in force here. */
  readonly #known = new Map<string, Revocation>();
  #version: string | undefined;
  #isReading = false;
  #timer: NodeJS.Timeout | undefined;
  #failure = "";

  constructor(link: RedisLink, keys: RedisKeys, clock: Clock, log: Logger) {
    this.#link = link;
    this.#keys = keys;
    this.#clock = clock;
    this.#log = log;
  }

  watch(changed: (all: readonly Revocation[]) => void): void {
    this.#link.onUp(() => {
      // It may be another server, or have lost what it had.
      this.#version = undefined;
      void this.#read(changed);
    });
    this.#timer = setInterval(() => void this.#read(changed), READ_INTERVAL);
  }

  async add(revocation: Revocation): Promise<boolean> {
    const { list, version } = this.#keys.revocations();
    const args = [
      ADD,
      2,
      list,
      version,
      JSON.stringify(revocation),
      this.#clock.micros(),
      MOST_REVOCATIONS,
      randomUUID(),
    ];
    return Number(await this.#link.call("eval", args, TIMEOUT)) === 1;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #read(changed: (all: readonly Revocation[]) => void): Promise<void> {
    if (this.#isReading || !this.#link.isUp) return;
    this.#isReading = true;
    try {
      const { list, version } = this.#keys.revocations();
      const found = String((await this.#link.call("get", [version], TIMEOUT)) ?? "");
      if (found === this.#version) return;
      this.#take(await this.#link.call("get", [list], TIMEOUT));
      this.#version = found;
      this.#failure = "";
      changed([...this.#known.values()]);
    } catch (error) {
      this.#logFailure(error as Error);
    } finally {
      this.#isReading = false;
    }
  }

  #take(answer: unknown): void {
    const now = this.#clock.micros();
    for (const [key, { until }] of this.#known) if (until <= now) this.#known.delete(key);
    const all = answer === null ? [] : (JSON.parse(String(answer)) as Revocation[]);
    for (const each of all.slice(0, MOST_REVOCATIONS)) {
      const key = `${each.kind} ${each.value}`;
      const before = this.#known.get(key);
      if (!before && this.#known.size >= MOST_REVOCATIONS) continue;
      // A shorter one does not end a longer one.
      const issuedBefore = Math.max(each.issuedBefore, before?.issuedBefore ?? 0);
      this.#known.set(key, { ...each, issuedBefore, until: Math.max(each.until, before?.until ?? 0) });
    }
  }

  /** The loss of a connection is logged by the link. */
  #logFailure(error: Error): void {
    if (isConnectionLoss(error) || error.message === this.#failure) return;
    this.#failure = error.message;
    this.#log.error({ reason: error.message }, "the revocations of tokens cannot be read: the last ones stay in force");
  }
}

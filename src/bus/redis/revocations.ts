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
const LEFT_OUT = "revocations of tokens are left out: there are more than fit";
/** The most that are in force at a time: each gateway reads all of them after each change, at some 100 bytes each. */
export const MOST_REVOCATIONS = 10_000;

/**
 * Adds one to the list, without those that have ended by Redis' clock. One of the same subject or token becomes part of
 * it: the later and longer counts. Both keys end with the last of the list.
 * KEYS: list, version. ARGV: the revocation, the most, a new version. Returns 1, or 0 where there is no room.
 */
const ADD = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local own, kept = cjson.decode(ARGV[1]), {}
local before = redis.call('GET', KEYS[1])
for _, each in ipairs(before and cjson.decode(before) or {}) do
  if each['kind'] == own['kind'] and each['value'] == own['value'] then
    own['issuedBefore'] = math.max(own['issuedBefore'], each['issuedBefore'])
    own['until'] = math.max(own['until'], each['until'])
  elseif each['until'] > now then kept[#kept + 1] = each end
end
if #kept >= tonumber(ARGV[2]) then return 0 end
kept[#kept + 1] = own
local last = 0
for _, each in ipairs(kept) do last = math.max(last, each['until']) end
redis.call('SET', KEYS[1], cjson.encode(kept), 'PXAT', string.format('%.0f', math.ceil(last / 1000)))
redis.call('SET', KEYS[2], ARGV[3], 'PXAT', string.format('%.0f', math.ceil(last / 1000)))
return 1`;

export class RedisRevocations implements Revocations {
  readonly #link: RedisLink;
  readonly #keys: RedisKeys;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** All that are in force, by what they are about. One that Redis has lost stays in force here. */
  readonly #known = new Map<string, Revocation>();
  #version: string | undefined;
  #isKnown = false;
  #leftOut = 0;
  #isReading = false;
  #timer: NodeJS.Timeout | undefined;
  #failure = "";

  constructor(link: RedisLink, keys: RedisKeys, clock: Clock, log: Logger) {
    this.#link = link;
    this.#keys = keys;
    this.#clock = clock;
    this.#log = log;
  }

  get isKnown(): boolean {
    return this.#isKnown;
  }

  get leftOut(): number {
    return this.#leftOut;
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
    const args = [ADD, 2, list, version, JSON.stringify(revocation), MOST_REVOCATIONS, randomUUID()];
    return Number(await this.#link.call("eval", args, TIMEOUT)) === 1;
  }

  async now(): Promise<number> {
    const [seconds, micros] = (await this.#link.call("time", [], TIMEOUT)) as unknown[];
    return Number(seconds) * 1_000_000 + Number(micros);
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
      this.#isKnown = true;
      this.#failure = "";
      changed([...this.#known.values()]);
    } catch (error) {
      this.#logFailure(error as Error);
    } finally {
      this.#isReading = false;
    }
  }

  #take(answer: unknown): void {
    const all = answer === null ? [] : readList(String(answer));
    // By the clock that tokens expire by.
    const now = this.#clock.micros();
    for (const [key, { until }] of this.#known) if (until <= now) this.#known.delete(key);
    const leftOut = new Set<string>();
    for (const each of all) {
      const key = `${each.kind} ${each.value}`;
      const before = this.#known.get(key);
      if (!before && this.#known.size >= MOST_REVOCATIONS) leftOut.add(key);
      else {
        // A shorter one does not end a longer one.
        const issuedBefore = Math.max(each.issuedBefore, before?.issuedBefore ?? 0);
        this.#known.set(key, { ...each, issuedBefore, until: Math.max(each.until, before?.until ?? 0) });
      }
    }
    this.#leftOut = leftOut.size;
    if (this.#leftOut > 0) this.#log.error({ count: this.#leftOut, most: MOST_REVOCATIONS }, LEFT_OUT);
  }

  /** The loss of a connection is logged by the link. */
  #logFailure(error: Error): void {
    if (isConnectionLoss(error) || error.message === this.#failure) return;
    this.#failure = error.message;
    this.#log.error(
      { reason: error.message },
      this.#isKnown
        ? "the revocations of tokens cannot be read: the last ones stay in force"
        : "the revocations of tokens cannot be read: no token is accepted",
    );
  }
}

/** @throws Error where it is no list of revocations: one that is misread could let all revoked tokens in */
function readList(text: string): Revocation[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list) || !list.every(isRevocation)) throw new Error("Redis has no list of revocations");
  return list;
}

function isRevocation(value: unknown): value is Revocation {
  const { kind, value: what, issuedBefore, until } = Object(value) as Record<string, unknown>;
  const isKind = kind === "subject" || kind === "token" || kind === "all";
  return isKind && typeof what === "string" && Number.isFinite(issuedBefore) && Number.isFinite(until);
}

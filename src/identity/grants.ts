/** What somebody may see: the grants of a policy's role, or those in a token. */
import type { Access, Entitlements } from "./identity.ts";

/** The channels of the protocol, of which some are not served yet: a policy may name them already. */
const CHANNELS = ["quote", "book", "trade", "bar"] as const;
type GrantedChannel = (typeof CHANNELS)[number];

/** Limits of one list of grants: a policy file is written by hand, and a token has a few kilobytes. */
const MOST_GRANTS = 1_000;
const MOST_SYMBOLS = 10_000;
/** The longest interval of the protocol, and the longest delay: a day. */
const LONGEST_INTERVAL = 3_600_000;
const LONGEST_DELAY = 86_400_000;
const SYMBOL = /^(?:[A-Za-z0-9._\-:/=^&+@!$~]{1,64}|[A-Za-z0-9._\-:/=^&+@!$~]{0,63}\*)$/;

export interface Grant extends Access {
  /** Symbols, and prefixes that end with `*`. */
  readonly symbols: readonly string[];
  readonly channels: readonly GrantedChannel[];
}

/** A value that is wrong, with where it is: `roles.desk.grants[0].delay must be …`. */
export class GrantError extends Error {
  override name = "GrantError";
}

/**
 * Reads a list of grants.
 * @param path where it is, for errors
 * @throws GrantError
 */
export function readGrants(value: unknown, path: string): Grant[] {
  if (!Array.isArray(value) || value.length > MOST_GRANTS)
    throw new GrantError(`${path} must be a list of at most ${MOST_GRANTS} grants`);
  return value.map((grant, index) => readGrant(grant, `${path}[${index}]`));
}

function readGrant(value: unknown, path: string): Grant {
  const grant = readObject(value, path, ["symbols", "channels", "interval", "delay"]);
  const { symbols, channels = [...CHANNELS] } = grant;
  if (!Array.isArray(symbols) || symbols.length > MOST_SYMBOLS)
    throw new GrantError(`${path}.symbols must be a list of at most ${MOST_SYMBOLS} symbols or prefixes with *`);
  for (const [index, symbol] of symbols.entries())
    if (typeof symbol !== "string" || !SYMBOL.test(symbol))
      throw new GrantError(`${path}.symbols[${index}] must be a symbol, or a prefix and *`);
  if (!Array.isArray(channels) || channels.some((channel) => !CHANNELS.includes(channel)))
    throw new GrantError(`${path}.channels must be a list of ${CHANNELS.join(", ")}`);
  return {
    symbols,
    channels,
    interval: readNumber(grant.interval, `${path}.interval`, 0, LONGEST_INTERVAL, 0),
    delay: readNumber(grant.delay, `${path}.delay`, 0, LONGEST_DELAY, 0),
  };
}

/** @throws GrantError where it is none, or has other members */
export function readObject(value: unknown, path: string, members: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new GrantError(`${path} must be an object`);
  const unknown = Object.keys(value).find((name) => !members.includes(name));
  if (unknown !== undefined)
    throw new GrantError(
      `${path} has the member ${JSON.stringify(unknown.slice(0, 64))}; there are ${members.join(", ")}`,
    );
  return value as Record<string, unknown>;
}

/** @throws GrantError where it is no whole number from `min` to `max` */
export function readNumber(value: unknown, path: string, min: number, max: number, absent: number): number {
  if (value === undefined) return absent;
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max)
    throw new GrantError(`${path} must be a whole number from ${min} to ${max}`);
  return value;
}

/**
 * The union of some grants. Where several allow a symbol, the one with the smallest delay counts, and of those with the
 * same delay the one with the shortest interval.
 */
export class GrantedSymbols implements Entitlements {
  readonly allowsAll: boolean;
  /** What is granted by channel. */
  readonly #channels = new Map<string, ChannelGrants>();

  constructor(grants: readonly Grant[]) {
    for (const channel of CHANNELS) {
      const own = grants.filter(({ channels }) => channels.includes(channel));
      this.#channels.set(channel, new ChannelGrants(own));
    }
    this.allowsAll = [...this.#channels.values()].every(
      ({ everything }) => everything?.delay === 0 && everything.interval === 0,
    );
  }

  decide(channel: GrantedChannel, symbol: string): Access | undefined {
    return this.#channels.get(channel)?.decide(symbol);
  }

  covering(channel: GrantedChannel, isLive: boolean): readonly string[] {
    const grants = this.#channels.get(channel);
    return (isLive ? grants?.live : grants?.all) ?? [];
  }
}

class ChannelGrants {
  readonly #symbols = new Map<string, Access>();
  readonly #prefixes = new Map<string, Access>();
  /** The lengths of the prefixes: one search for each, instead of a comparison for each prefix. */
  readonly #lengths: readonly number[];
  /** The prefixes, each with `*`, and the symbols that are granted by name; and those that are not only late. */
  readonly all: readonly string[];
  readonly live: readonly string[];

  constructor(grants: readonly Grant[]) {
    for (const { symbols, interval, delay } of grants) {
      for (const text of symbols) {
        const isPrefix = text.endsWith("*");
        const [accesses, key] = isPrefix ? [this.#prefixes, text.slice(0, -1)] : [this.#symbols, text];
        accesses.set(key, better(accesses.get(key), { interval, delay }) as Access);
      }
    }
    this.#lengths = [...new Set([...this.#prefixes.keys()].map(({ length }) => length))];
    const prefixes = [...this.#prefixes].map(([prefix, access]): [string, Access] => [`${prefix}*`, access]);
    const all = [...prefixes, ...this.#symbols];
    this.all = all.map(([text]) => text);
    this.live = all.flatMap(([text, { delay }]) => (delay === 0 ? [text] : []));
  }

  /** How everything may be seen at least. */
  get everything(): Access | undefined {
    return this.#prefixes.get("");
  }

  decide(symbol: string): Access | undefined {
    let best = this.#symbols.get(symbol);
    for (const length of this.#lengths)
      if (length <= symbol.length) best = better(best, this.#prefixes.get(symbol.slice(0, length)));
    return best;
  }
}

function better(one: Access | undefined, other: Access | undefined): Access | undefined {
  if (!one || !other) return one ?? other;
  if (one.delay !== other.delay) return one.delay < other.delay ? one : other;
  return one.interval <= other.interval ? one : other;
}

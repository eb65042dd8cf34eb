/** Parses feed specifications: `ADAPTER:SYMBOLS?option=value&option=value`. */
import type { Channel } from "../protocol/messages.ts";
import { UsageError } from "../settings/option.ts";
import type { Adapter, Feed, FeedContext } from "./adapter.ts";
import { ADAPTERS, SHARED_OPTIONS } from "./adapters.ts";

/** A parsed feed specification. Only the adapter knows whether its target is valid. */
export interface FeedSpec {
  /** The specification's text. */
  readonly text: string;
  /**
   * The feed's name in the log, the metrics and on the bus; the adapter's name unless `?name=` sets another.
   */
  readonly name: string;
  readonly adapter: Adapter;
  /** The part between the colon and the question mark. */
  readonly target: string;
  /** What it publishes. */
  readonly channels: ReadonlySet<Channel>;
  /** A value for every option of the adapter. */
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Parses the feeds of one process.
 * @throws UsageError that names the specification, or the option and its range; or when two feeds have the same name
 */
export function parseFeeds(specs: readonly string[]): FeedSpec[] {
  const feeds = specs.map(parseFeed);
  const byName = new Map<string, FeedSpec>();
  for (const feed of feeds) {
    const other = byName.get(feed.name);
    if (other)
      throw new UsageError(
        `two feeds are named "${feed.name}": "${other.text}" and "${feed.text}"; give one of them another with ?name=`,
      );
    byName.set(feed.name, feed);
  }
  return feeds;
}

/**
 * Parses one feed.
 * @throws UsageError, as {@link parseFeeds}
 */
export function parseFeed(text: string): FeedSpec {
  const [, name, target, query = ""] = /^([^:?]*):([^?]*)(?:\?(.*))?$/s.exec(text) ?? [];
  if (name === undefined) throw wrong(text, "is not of the form ADAPTER:SYMBOLS?option=value");
  const adapter = ADAPTERS.find((candidate) => candidate.name === name);
  if (!adapter) throw wrong(text, `there is no adapter "${name}"; there are ${names(ADAPTERS.map((a) => a.name))}`);
  const known = { ...adapter.options, ...SHARED_OPTIONS };
  const options: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(known)) options[key] = option.default;
  const given = new Set<string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const [key, ...rest] = pair.split("=");
    if (!Object.hasOwn(known, key))
      throw wrong(text, `${name} has no option "${key}"; there are ${names(Object.keys(known))}`);
    if (given.has(key)) throw wrong(text, `the option ${key} is there twice`);
    given.add(key);
    const value = decode(text, rest.join("="));
    options[key] = known[key].kind.read(value);
    if (options[key] === undefined)
      throw wrong(text, `the option ${key} must be ${known[key].kind.range}, not ${JSON.stringify(value)}`);
  }
  const { name: feedName, channels, ...own } = options;
  return {
    text,
    name: String(feedName || name),
    adapter,
    target: decode(text, target),
    channels: channels as ReadonlySet<Channel>,
    options: own,
  };
}

/**
 * Creates the feed; it is not started.
 * @throws UsageError when its target is not valid
 */
export function openFeed(spec: FeedSpec, context: Omit<FeedContext, "channels">): Feed {
  try {
    return spec.adapter.create(spec.target, spec.options, { ...context, channels: sourcesOf(spec.channels) });
  } catch (error) {
    if (error instanceof UsageError) throw wrong(spec.text, error.message, error);
    throw error;
  }
}

/** What the source is asked for: bars are made of trades. */
function sourcesOf(channels: ReadonlySet<Channel>): ReadonlySet<Channel> {
  return channels.has("bar") ? new Set<Channel>([...channels, "trade"]) : channels;
}

/** Spaces, `?`, `&` and `%` are percent-encoded as in a URL: `%20`. */
function decode(spec: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw wrong(spec, `${JSON.stringify(text)} has a % that is no escape such as %20 (a % itself is %25)`, error);
  }
}

function wrong(spec: string, what: string, cause?: unknown): UsageError {
  return new UsageError(`feed "${spec}": ${what}`, { cause });
}

function names(list: readonly string[]): string {
  return list.join(", ");
}

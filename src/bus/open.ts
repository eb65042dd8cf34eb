/** Opens the bus that the settings ask for: within this process, or through Redis. */
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";
import { createHistogram } from "../base/histogram.ts";
import { HeardFeed } from "../market/heard_feed.ts";
import type { MarketName } from "../market/market_name.ts";
import { UsageError } from "../settings/option.ts";
import type { Settings } from "../settings/settings.ts";
import type { BusReader, BusWriter, Revocations } from "./bus.ts";
import { MemoryBus } from "./memory.ts";
import { createClient, redisAccess } from "./redis/connection/client.ts";
import { ClusterSubscriber } from "./redis/connection/cluster_subscriber.ts";
import { RedisLink } from "./redis/connection/link.ts";
import { RedisSubscriber } from "./redis/connection/subscriber.ts";
import { describeTarget } from "./redis/connection/url.ts";
import { RedisReader } from "./redis/reading/reader.ts";
import type { ReaderCounts } from "./redis/reading/reader_counts.ts";
import { RedisRevocations } from "./redis/revocations.ts";
import { RedisKeys } from "./redis/shard.ts";
import { RedisWriter } from "./redis/writing/writer.ts";
import { MAX_FEED_BYTES } from "./wire/wire.ts";

/** The settings that the bus has. */
export type BusSettings = Pick<
  Settings,
  | "redisUrl"
  | "redisUsername"
  | "redisPassword"
  | "redisCa"
  | "redisPrefix"
  | "busShards"
  | "busSilence"
  | "busLinger"
  | "clockSkewWarning"
  | "metrics"
  | "node"
>;

/** What a process holds of the bus. */
export interface Bus {
  /** The gateway's end; one a process. */
  reader(): BusReader;
  /**
   * The publisher's end for one more feed. Its name is what its publishers have in common: of two, one stands by.
   * @throws UsageError when the name is longer than 64 bytes
   */
  writer(feed: string): BusWriter;
  /** Why the bus cannot be reached, for the readiness of a process that only publishes. */
  unready(): string | undefined;
  /** What the reader has heard; undefined without Redis. */
  readerCounts(): ReaderCounts | undefined;
  /** The connections to Redis for commands and, at a gateway, for what is published; none without Redis. */
  links(): readonly RedisLink[];
  /** The feeds that are heard here. */
  heardFeeds(): Iterable<HeardFeed>;
  /** What each feed's writer has done, and whether it leads; empty without Redis. */
  writers(): ReadonlyMap<string, RedisWriter>;
  /** What tokens have been revoked; undefined without Redis. */
  revocations(): Revocations | undefined;
  /** Closes what is left open; reader and writers first. */
  close(): Promise<void>;
}

/**
 * Opens the bus. Returns at once: a Redis that cannot be reached is waited for.
 * @throws UsageError when the settings are wrong
 */
export function openBus(settings: BusSettings, clock: Clock, log: Logger): Bus {
  return settings.redisUrl === ""
    ? openMemory(settings, clock)
    : openRedis(settings, clock, log.child({ part: "bus" }));
}

function openMemory(settings: BusSettings, clock: Clock): Bus {
  const bus = new MemoryBus(clock, feedFactory(settings));
  return {
    reader: () => bus,
    writer: (feed) => bus.writer(feed),
    unready: () => undefined,
    readerCounts: () => undefined,
    links: () => [],
    heardFeeds: () => bus.feeds(),
    writers: () => new Map(),
    revocations: () => undefined,
    close: () => bus.close(),
  };
}

function openRedis(settings: BusSettings, clock: Clock, log: Logger): Bus {
  const access = redisAccess(settings);
  const isSharded = access.target.topology === "cluster";
  const what = describeTarget(access.target);
  const keys = new RedisKeys(settings.redisPrefix, settings.busShards);
  const createFeed = feedFactory(settings);
  const links: RedisLink[] = [];
  const connect = (role: string) => {
    const roundTrip = createHistogram(settings);
    const link = new RedisLink(
      createClient(access, role),
      what,
      clock,
      log.child({ role }),
      role === "commands",
      roundTrip,
    );
    links.push(link);
    return link;
  };
  const link = connect("commands");
  const writers = new Map<string, RedisWriter>();
  /** By channel: each listens on a connection of its own, once a client wants it. */
  const readers = new Map<MarketName, RedisReader>();
  let revocations: RedisRevocations | undefined;
  link.open();
  const readerOf = (channel: MarketName): RedisReader => {
    const found = readers.get(channel);
    if (found) return found;
    const ownKeys = keys.ofMarket(channel);
    const role = channel === "quote" ? "listener" : `listener-${channel}`;
    const reader = new RedisReader({
      keys: ownKeys,
      link,
      clock,
      log,
      silence: settings.busSilence,
      linger: settings.busLinger,
      createFeed,
      skewWarning: settings.clockSkewWarning,
      ofMarket: readerOf,
      subscriber: (events) =>
        isSharded
          ? new ClusterSubscriber(access, link, ownKeys, events, log)
          : new RedisSubscriber(connect(role), ownKeys, events),
    });
    readers.set(channel, reader);
    return reader;
  };
  return {
    reader: () => readerOf("quote"),
    writer(feed) {
      if (Buffer.byteLength(feed) > MAX_FEED_BYTES)
        throw new UsageError(`a feed's name may have ${MAX_FEED_BYTES} bytes: ${JSON.stringify(feed)}`);
      const writer = new RedisWriter({ feed, keys, link, isSharded, clock, log });
      writers.set(feed, writer);
      return writer;
    },
    unready: () => (link.isUp ? undefined : `Redis is not connected: ${link.lastError || "trying"}`),
    readerCounts: () => readers.get("quote")?.counts,
    links: () => links,
    heardFeeds: () => readers.get("quote")?.feeds() ?? [],
    writers: () => writers,
    revocations() {
      revocations ??= new RedisRevocations(link, keys, clock, log);
      return revocations;
    },
    async close() {
      revocations?.close();
      await Promise.all([...readers.values()].map((reader) => reader.close()));
      await Promise.all([...writers.values()].map((writer) => writer.close()));
      link.close();
    },
  };
}

function feedFactory(settings: Pick<Settings, "metrics">): (name: string) => HeardFeed {
  return (name) => new HeardFeed(name, () => createHistogram(settings));
}

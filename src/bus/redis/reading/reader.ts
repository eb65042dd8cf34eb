/**
 * A gateway's end of the Redis bus: listens to the shards that somebody wants, and heals what was missed from the
 * last-value store. shard_follower.ts decides, this file does.
 */
import type { Logger } from "pino";
import type { Clock } from "../../../base/clock.ts";
import { FAULT_LIMIT, RateLimitedLog } from "../../../log/rate_limited_log.ts";
import type { HeardFeed } from "../../../market/heard_feed.ts";
import type { MarketName } from "../../../market/market_name.ts";
import type { BusListener, BusReader, HeardStream } from "../../bus.ts";
import { BatchDecoder } from "../../wire/wire.ts";
import { isConnectionLoss, type RedisLink } from "../connection/link.ts";
import type { Subscriber, SubscriberEvents } from "../connection/subscriber.ts";
import { MAX_FIELDS, scanHash, scanMarks } from "../hash_scan.ts";
import type { RedisKeys } from "../shard.ts";
import type { FollowerOptions } from "./follower_options.ts";
import { ReaderCounts } from "./reader_counts.ts";
import { ShardFollower } from "./shard_follower.ts";
import { SkewWatch } from "./skew_watch.ts";

/** What a reader is made of. */
export interface ReaderOptions {
  readonly keys: RedisKeys;
  readonly link: RedisLink;
  subscriber(events: SubscriberEvents): Subscriber;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long a stream may say nothing before it counts as silent, in milliseconds. */
  readonly silence: number;
  /** How long a shard that nobody wants any more is still listened to, in milliseconds. */
  readonly linger: number;
  /** Makes what is counted of a feed. */
  createFeed(name: string): HeardFeed;
  /** How far a feed's clock may be from ours before the log tells, in milliseconds. */
  readonly skewWarning: number;
  /** The reader of another channel of data. */
  ofMarket(channel: MarketName): BusReader;
}

/** Feeds that are counted by name: a publisher can name any number, so further ones count as one. */
const MAX_FEEDS = 64;
const OTHER_FEEDS = "other";
/**
 * How long a feed that the hash names may say nothing before its symbols are known to be stale for who waits for them,
 * in milliseconds: longer than a feed that lives takes for its next heartbeat (500, and 100 that it may be late), and
 * shorter than the second that an HTTP request waits. It is shown as stale before, too.
 */
const DECISION_TIME = 700;
/** How often silences, retries and lingering shards are looked for, in milliseconds. */
const MAINTENANCE_INTERVAL = 100;
/** How late a look may be and still be trusted: after a longer stall, what was said meanwhile is not read yet. */
const MAX_LATENESS = 400;
/** Hashes read at once: ticks must come through in between. */
const READS_AT_ONCE = 4;
/** How often a silent shard's subscription is looked after, in milliseconds. */
const ENSURE_INTERVAL = 2_000;

/** Redis has lost its data, and with it the last epoch, and the new leader's clock is behind. */
const OUTRANKED = "a feed is left out: its epoch is earlier than one heard before";

const UNREADABLE = "the bus cannot be read; trying again";

const OVERFULL = "a shard has more values than are read; the rest is left out";

const LEFT_OUT = "what a publisher wrote is not as docs/bus.md says; it is left out";

/** What the reader holds of one shard. */
interface Shard {
  readonly follower: ShardFollower;
  /** How many want it. */
  followers: number;
  isWanted: boolean;
  isSubscribed: boolean;
  /** When it was first wanted or last lost, or, once nobody wants it, when it was let go. */
  since: number;
}

export class RedisReader implements BusReader {
  readonly counts = new ReaderCounts();
  readonly #options: ReaderOptions;
  readonly #subscriber: Subscriber;
  readonly #shards: Shard[] = [];
  /** What all followers share; the listener comes with the start. */
  readonly #following: FollowerOptions;
  readonly #streams = new Map<string, number>();
  #nextStream = 0;
  readonly #feeds = new Map<string, HeardFeed>();
  readonly #skews: SkewWatch;
  #isStarted = false;
  #isKnown = false;
  /**
   * Whether it has been known once of all feeds whether they live: before that clients would get values as stale that
   * are not, or none of a feed that starts together with this process.
   */
  #isDecided = false;
  #known: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reads = 0;
  #maintainedAt = 0;
  #ensureAt = 0;
  #loggedMismatch = 0;
  /** The last error of a command; empty while there has been none. */
  #refusal = "";
  /** For events that publishers cause. */
  readonly #events: RateLimitedLog;
  /** For faults that come back with each retry. */
  readonly #faults: RateLimitedLog;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#events = new RateLimitedLog(options.log, options.clock);
    this.#faults = new RateLimitedLog(options.log, options.clock, FAULT_LIMIT);
    this.#skews = new SkewWatch(options.skewWarning, this.#events);
    this.#subscriber = options.subscriber({
      message: (shard, message) => this.#message(shard, message),
      subscribed: (shard) => this.#subscribed(shard),
      lost: (shard) => this.#lost(shard),
      refused: (reason) => this.#refused(new Error(reason)),
    });
    const { keys, clock, silence } = options;
    this.#following = {
      shards: keys.shards,
      decoder: new BatchDecoder(keys.market),
      listener: undefined,
      clock,
      counts: this.counts,
      silence,
      streamOf: (feed, shard) => this.#streamOf(feed, shard),
      feedOf: (name) => this.#feedOf(name),
      offset: options.link.offset,
      outranked: (feed, epoch, known) =>
        this.#faults.write(
          "warn",
          { reason: `feed ${JSON.stringify(feed)}: epoch ${epoch} after ${known}` },
          OUTRANKED,
        ),
      leftOut: (what) => this.#events.write("warn", { ...what }, LEFT_OUT, what.reason),
      forgotten: (feed, shard) => this.#forgotten(feed, shard),
    };
    for (let shard = 0; shard < keys.shards; shard++) {
      const follower = new ShardFollower(this.#following, shard);
      this.#shards.push({ follower, followers: 0, isWanted: false, isSubscribed: false, since: 0 });
    }
  }

  ofMarket(channel: MarketName): BusReader {
    return this.#options.ofMarket(channel);
  }

  start(listener: BusListener): Promise<void> {
    const { clock, link } = this.#options;
    this.#following.listener = listener;
    this.#isStarted = true;
    this.#maintainedAt = clock.millis();
    this.#subscriber.open();
    for (const shard of this.#shards) if (shard.followers > 0) this.#want(shard);
    link.onUp(() => this.#pump());
    this.#timer = setInterval(() => this.#maintain(), MAINTENANCE_INTERVAL);
    return new Promise((resolve) => {
      this.#known = resolve;
      this.#pump();
    });
  }

  follow(symbol?: string): void {
    for (const shard of this.#shardsOf(symbol)) {
      shard.followers++;
      if (this.#isStarted) this.#want(shard);
    }
  }

  unfollow(symbol?: string): void {
    for (const shard of this.#shardsOf(symbol)) {
      if (shard.followers === 0 || --shard.followers > 0) continue;
      shard.since = this.#options.clock.millis();
    }
  }

  isKnown(symbol?: string): boolean {
    const now = this.#options.clock.millis();
    const isKnown = (shard: Shard) =>
      shard.isWanted && this.#isWell(shard) && shard.follower.isDecided(now, DECISION_TIME);
    return this.#shardsOf(symbol).every(isKnown);
  }

  feeds(): Iterable<HeardFeed> {
    return this.#feeds.values();
  }

  heard(): HeardStream[] {
    return this.#shards.flatMap((shard) => (shard.isWanted ? shard.follower.heard() : []));
  }

  unready(): string | undefined {
    if (!this.#isStarted) return "the bus is not started";
    if (!this.#options.link.isUp) return `Redis is not connected: ${this.#options.link.lastError || "trying"}`;
    if (!this.#isKnown) return `the market is being read from Redis${this.#refusal && `: ${this.#refusal}`}`;
    if (!this.#isDecided) return "the feeds have not been heard yet";
    if (this.counts.mismatched > 0 && this.counts.batches === 0) return "the feeds have another number of bus shards";
    const overdue = this.#options.clock.millis() - this.#options.silence;
    const isOverdue = (shard: Shard) => shard.isWanted && !this.#isWell(shard) && shard.since < overdue;
    const count = this.#shards.filter(isOverdue).length;
    if (count === 0) return undefined;
    return `${count} of ${this.#shards.length} bus shards are not heard${this.#refusal && `: ${this.#refusal}`}`;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#isStarted = false;
    this.#subscriber.close();
    this.#events.close();
    this.#faults.close();
    this.#known?.();
  }

  #streamOf(feed: string, shard: number): number {
    const name = `${shard} ${feed}`;
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = this.#nextStream++;
      this.#streams.set(name, stream);
    }
    return stream;
  }

  /** When it comes back it is another stream: symbols that it had before and has no more stay stale. */
  #forgotten(feed: string, shard: number): void {
    this.#streams.delete(`${shard} ${feed}`);
    if (!this.#shards.some(({ follower }) => follower.knows(feed))) this.#feeds.delete(feed);
    this.#options.log.info({ feed, shard }, "a feed is forgotten: it is silent, and the store has no value of it");
  }

  #feedOf(name: string): HeardFeed {
    const known = this.#feeds.get(name);
    if (known) return known;
    if (this.#feeds.size >= MAX_FEEDS && name !== OTHER_FEEDS) return this.#feedOf(OTHER_FEEDS);
    const feed = this.#options.createFeed(name);
    this.#feeds.set(name, feed);
    return feed;
  }

  #shardsOf(symbol: string | undefined): Shard[] {
    return symbol === undefined ? this.#shards : [this.#shards[this.#options.keys.shardOf(symbol)]];
  }

  #refused(error: Error): void {
    this.#refusal = error.message;
    if (!isConnectionLoss(error)) this.#faults.write("warn", { reason: error.message }, UNREADABLE);
  }

  #isWell(shard: Shard): boolean {
    return shard.isSubscribed && shard.follower.isLoaded;
  }

  #want(shard: Shard): void {
    if (shard.isWanted) return;
    shard.isWanted = true;
    shard.since = this.#options.clock.millis();
    this.#subscriber.subscribe(shard.follower.shard);
  }

  #letGo(shard: Shard): void {
    shard.isWanted = shard.isSubscribed = false;
    this.#subscriber.unsubscribe(shard.follower.shard);
    shard.follower.leave();
  }

  #message(index: number, message: Buffer): void {
    const { follower } = this.#shards[index];
    // Whatever goes wrong in here must not reach the client's parser, which would take the connection down.
    try {
      follower.batch(message);
    } catch (error) {
      this.#events.write("error", { err: error, shard: index }, "a batch could not be taken in");
    }
    if (follower.wantsRead(this.#options.clock.millis())) this.#pump();
  }

  #subscribed(index: number): void {
    const shard = this.#shards[index];
    if (!shard.isWanted) return;
    shard.isSubscribed = true;
    shard.follower.requireRead();
    this.#pump();
  }

  #lost(index: number): void {
    const shard = this.#shards[index];
    if (shard.isSubscribed) shard.since = this.#options.clock.millis();
    shard.isSubscribed = false;
  }

  /** Reads the hashes that should be read. */
  #pump(): void {
    const { link, clock } = this.#options;
    if (!this.#isStarted || !link.isUp) return;
    const now = clock.millis();
    for (const shard of this.#shards) {
      if (this.#reads >= READS_AT_ONCE) return;
      if (shard.isSubscribed && shard.follower.wantsRead(now)) this.#read(shard);
    }
    if (!this.#isKnown && this.#shards.every((shard) => !shard.isWanted || this.#isWell(shard))) {
      this.#isKnown = true;
      this.#known?.();
    }
    const { silence } = this.#options;
    const isDecided = ({ isWanted, follower }: Shard) =>
      !isWanted || (follower.isDecided(now, silence) && !follower.isEmpty(now, silence));
    this.#isDecided ||= this.#isKnown && this.#shards.every(isDecided);
  }

  #read({ follower }: Shard): void {
    this.#reads++;
    this.#readInto(follower)
      .catch((error: Error) => this.#events.write("error", { err: error }, "last values could not be taken in"))
      .finally(() => {
        this.#reads--;
        this.#pump();
      });
  }

  async #readInto(follower: ShardFollower): Promise<void> {
    const { link, keys } = this.#options;
    const { shard } = follower;
    const read = follower.beginRead();
    const taking = (take: (read: number, entries: readonly Buffer[]) => void) => (entries: readonly Buffer[]) => {
      take.call(follower, read, entries);
      return follower.isReading(read);
    };
    let isWhole: boolean;
    try {
      isWhole = await scanHash(link, keys.hash(shard), taking(follower.takeMarks), taking(follower.takeValues));
      if (follower.isSeries) {
        await scanMarks(link, keys.hash(shard), taking(follower.takeEndMarks));
        // The batches of these marks may have come, and are to be taken in before.
        await new Promise(setImmediate);
      }
    } catch (error) {
      if (!follower.isReading(read)) throw error;
      this.#refused(error as Error);
      return follower.failRead(read);
    }
    this.#refusal = "";
    if (!isWhole) this.#faults.write("error", { shard, fields: MAX_FIELDS }, OVERFULL, String(shard));
    follower.endRead(read, isWhole);
  }

  #maintain(): void {
    const { clock, linger } = this.#options;
    const now = clock.millis();
    const isLate = now - this.#maintainedAt > MAX_LATENESS;
    this.#maintainedAt = now;
    for (const shard of this.#shards) {
      if (!shard.isWanted) continue;
      if (shard.followers === 0 && now - shard.since >= linger) this.#letGo(shard);
      else if (!isLate) shard.follower.check(now);
    }
    this.#pump();
    if (now >= this.#ensureAt) this.#ensure(now);
  }

  #ensure(now: number): void {
    this.#ensureAt = now + ENSURE_INTERVAL;
    for (const shard of this.#shards)
      if (shard.isWanted && (!shard.isSubscribed || shard.follower.hasSilence))
        this.#subscriber.ensure(shard.follower.shard);
    if (this.counts.mismatched > this.#loggedMismatch && this.#loggedMismatch === 0)
      this.#options.log.error("a feed has another number of bus shards: its ticks are left out; see --bus-shards");
    this.#loggedMismatch = this.counts.mismatched;
    for (const feed of this.#feeds.values()) this.#skews.check(feed);
  }
}

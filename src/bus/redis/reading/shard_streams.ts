/** The feeds on one shard, as a gateway receives them, each as a stream; and what the listener is told of them. */
import type { HeardStream } from "../../bus.ts";
import { FeedStream } from "./feed_stream.ts";
import type { FollowerOptions } from "./follower_options.ts";

/** The most feeds on one shard; more are ignored. */
export const MAX_STREAMS = 1_000;

export class ShardStreams {
  readonly #options: FollowerOptions;
  readonly #shard: number;
  readonly #byFeed = new Map<string, FeedStream>();

  constructor(options: FollowerOptions, shard: number) {
    this.#options = options;
    this.#shard = shard;
  }

  get size(): number {
    return this.#byFeed.size;
  }

  get(feed: string): FeedStream | undefined {
    return this.#byFeed.get(feed);
  }

  has(feed: string): boolean {
    return this.#byFeed.has(feed);
  }

  delete(feed: string): void {
    this.#byFeed.delete(feed);
  }

  feeds(): Iterable<string> {
    return this.#byFeed.keys();
  }

  values(): Iterable<FeedStream> {
    return this.#byFeed.values();
  }

  [Symbol.iterator](): Iterator<[feed: string, stream: FeedStream]> {
    return this.#byFeed[Symbol.iterator]();
  }

  /** Adds a stream. @param isHeard whether a batch has come; a feed of which only the hash has values may be dead */
  join(feed: string, isHeard: boolean): FeedStream | undefined {
    if (this.#byFeed.size >= MAX_STREAMS) return undefined;
    const { clock, streamOf, feedOf } = this.#options;
    const stream = new FeedStream(streamOf(feed, this.#shard), feedOf(feed), clock.millis(), isHeard);
    this.#byFeed.set(feed, stream);
    return stream;
  }

  get hasSilence(): boolean {
    for (const stream of this.#byFeed.values()) if (stream.isSilent) return true;
    return false;
  }

  get isMissing(): boolean {
    for (const stream of this.#byFeed.values()) if (stream.isIncomplete) return true;
    return false;
  }

  /** Whether each feed of the hash is known to be alive or silent. @param patience see {@link FeedStream.isDecided} */
  isDecided(now: number, patience: number): boolean {
    for (const stream of this.#byFeed.values()) if (!stream.isDecided(now, patience)) return false;
    return true;
  }

  describe(): HeardStream[] {
    const { clock } = this.#options;
    const [now, micros] = [clock.millis(), clock.micros()];
    return Array.from(this.#byFeed, ([feed, stream]) => stream.describe(feed, this.#shard, now, micros));
  }

  reportSilent(stream: FeedStream): void {
    stream.isSpeaking = false;
    stream.toldAliveAt = stream.aliveAt;
    this.#options.listener?.silent(stream.id, stream.aliveAt);
  }

  /**
   * Reports that a stream is heard again, once nothing is missing: before, old values would be shown as live.
   * @param isLoaded whether the hash has been read
   */
  reportSpeaking(stream: FeedStream, isLoaded: boolean): void {
    if (stream.isSpeaking || !stream.isHeard || !isLoaded || stream.isIncomplete) return;
    stream.isSpeaking = true;
    this.#options.listener?.speaking(stream.id);
  }
}

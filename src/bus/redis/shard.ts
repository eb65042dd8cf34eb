/**
 * Shards: the fixed number of parts that the bus is cut into. A symbol's shard is the CRC-32 of its characters modulo
 * the number of shards: every language has that function at hand.
 */
import { crc32 } from "node:zlib";

/** The shard that a symbol comes on, from 0. */
export function shardOf(symbol: string, shards: number): number {
  return crc32(symbol) % shards;
}

/** The names of all keys and channels, under one prefix. */
export class RedisKeys {
  readonly shards: number;
  readonly #prefix: string;
  readonly #channels = new Map<string, number>();

  constructor(prefix: string, shards: number) {
    this.#prefix = prefix;
    this.shards = shards;
    for (let shard = 0; shard < shards; shard++) this.#channels.set(this.channel(shard), shard);
  }

  /** The shard that a symbol comes on. */
  shardOf(symbol: string): number {
    return shardOf(symbol, this.shards);
  }

  /** The shard's last-value hash. The braces put it and the channel into one slot of a Cluster. */
  hash(shard: number): string {
    return `${this.#prefix}:{${shard}}:last`;
  }

  /** The shard's channel. */
  channel(shard: number): string {
    return `${this.#prefix}:{${shard}}:ticks`;
  }

  /** The shard of a channel, or -1 when it is none of ours. */
  shardOfChannel(channel: string): number {
    return this.#channels.get(channel) ?? -1;
  }

  /** The list of revoked tokens, and the version that changes with it. */
  revocations(): { readonly list: string; readonly version: string } {
    return { list: `${this.#prefix}:{revoked}:list`, version: `${this.#prefix}:{revoked}:version` };
  }

  /** Who leads a feed: the owner's id, for as long as the lease lasts. */
  lease(feed: string): string {
    return `${this.#prefix}:{feed:${feed}}:lease`;
  }

  /** The epoch that a feed's leader got last. */
  epoch(feed: string): string {
    return `${this.#prefix}:{feed:${feed}}:epoch`;
  }
}

/**
 * Shards: the fixed number of parts that the bus is cut into. A symbol's shard is the CRC-32 of its characters modulo
 * the number of shards: every language has that function at hand.
 */
import { crc32 } from "node:zlib";
import type { MarketName } from "../../market/market_name.ts";

/** The shard that a symbol comes on, from 0. */
export function shardOf(symbol: string, shards: number): number {
  return crc32(symbol) % shards;
}

/** The names of all keys and channels, under one prefix. */
export class RedisKeys {
  readonly shards: number;
  readonly market: MarketName;
  readonly #prefix: string;
  /** What names of this market have in them. */
  readonly #infix: string;
  readonly #channels = new Map<string, number>();

  /** @param market its shards have hashes and channels of their own */
  constructor(prefix: string, shards: number, market: MarketName = "quote") {
    this.#prefix = prefix;
    this.#infix = market === "quote" ? "" : `${market}:`;
    this.market = market;
    this.shards = shards;
    for (let shard = 0; shard < shards; shard++) this.#channels.set(this.channel(shard), shard);
  }

  /** The same for another market. */
  ofMarket(market: MarketName): RedisKeys {
    return new RedisKeys(this.#prefix, this.shards, market);
  }

  /** The shard that a symbol comes on. */
  shardOf(symbol: string): number {
    return shardOf(symbol, this.shards);
  }

  /** The shard's last-value hash. The braces put it and the channel into one slot of a Cluster. */
  hash(shard: number): string {
    return `${this.#prefix}:{${shard}}:${this.#infix}last`;
  }

  /** The shard's channel. */
  channel(shard: number): string {
    return `${this.#prefix}:{${shard}}:${this.#infix}ticks`;
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

/**
 * Listens to the channels of shards, on a connection of its own: Redis cuts off a listener that reads too slowly, and
 * that must not take the commands with it. Here the kind for one server; cluster_subscriber.ts is the other.
 */
import type { Redis } from "ioredis";
import type { RedisKeys } from "../shard.ts";
import type { RedisLink } from "./link.ts";

/** What a subscriber tells. */
export interface SubscriberEvents {
  /** A batch; the bytes are only good until this returns. */
  message(shard: number, message: Buffer): void;
  /** From now on everything that is said on this shard is heard. */
  subscribed(shard: number): void;
  /** What is said on this shard is not heard, until `subscribed` comes again. */
  lost(shard: number): void;
  /** Redis does not let us listen; it is asked again with the next {@link Subscriber.ensure}. */
  refused(reason: string): void;
}

/** Keeps subscriptions, whatever happens to the connections. */
export interface Subscriber {
  open(): void;
  subscribe(shard: number): void;
  unsubscribe(shard: number): void;
  /** Nothing is heard on this shard: see whether it is really listened to. */
  ensure(shard: number): void;
  close(): void;
}

export class RedisSubscriber implements Subscriber {
  readonly #link: RedisLink;
  readonly #keys: RedisKeys;
  readonly #events: SubscriberEvents;
  /** The shards to listen to. */
  readonly #wanted = new Set<number>();
  /** Those that are listened to, on the connection that is there now. */
  readonly #heard = new Set<number>();

  /** @param link a connection of its own, not open yet, to a single server */
  constructor(link: RedisLink, keys: RedisKeys, events: SubscriberEvents) {
    this.#link = link;
    this.#keys = keys;
    this.#events = events;
    const client = link.client as Redis;
    client.on("messageBuffer", (channel: Buffer, message: Buffer) => {
      const shard = keys.shardOfChannel(channel.toString("latin1"));
      if (shard >= 0 && this.#wanted.has(shard)) events.message(shard, message);
    });
    link.onUp(() => this.#subscribe([...this.#wanted]));
    link.onDown(() => {
      this.#heard.clear();
      for (const shard of this.#wanted) events.lost(shard);
    });
  }

  open(): void {
    this.#link.open();
  }

  subscribe(shard: number): void {
    this.#wanted.add(shard);
    this.#subscribe([shard]);
  }

  unsubscribe(shard: number): void {
    this.#wanted.delete(shard);
    this.#heard.delete(shard);
    if (this.#link.isUp) (this.#link.client as Redis).unsubscribe(this.#keys.channel(shard)).catch(ignore);
  }

  /** The connection is probed: as long as it is there, so are its subscriptions. */
  ensure(shard: number): void {
    if (this.#wanted.has(shard) && !this.#heard.has(shard)) this.#subscribe([shard]);
  }

  close(): void {
    this.#link.close();
  }

  #subscribe(shards: readonly number[]): void {
    if (!this.#link.isUp || shards.length === 0) return;
    const channels = shards.map((shard) => this.#keys.channel(shard));
    (this.#link.client as Redis).subscribe(...channels).then(
      () => {
        for (const shard of shards) {
          if (!this.#wanted.has(shard) || this.#heard.has(shard)) continue;
          this.#heard.add(shard);
          this.#events.subscribed(shard);
        }
      },
      (error: Error) => {
        // A connection that was lost says so itself; what is left is a refusal, by an ACL.
        if (this.#link.isUp) this.#events.refused(error.message);
      },
    );
  }
}

function ignore(): void {
  // The connection is lost, and the subscription with it.
}

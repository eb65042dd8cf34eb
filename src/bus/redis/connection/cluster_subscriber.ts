/**
 * Listens to the shard channels of a Redis Cluster: one connection to each master that owns a wanted shard. Which one
 * does is asked again whenever something was lost or moved. (ioredis has subscribers of its own for this, which do not
 * tell when a channel is listened to again, and that is the moment to read what was missed.)
 */
import slotOf from "cluster-key-slot";
import { Cluster, type Redis } from "ioredis";
import type { Logger } from "pino";
import type { RedisKeys } from "../shard.ts";
import { createNodeClient, type RedisAccess } from "./client.ts";
import type { RedisLink } from "./link.ts";
import type { Subscriber, SubscriberEvents } from "./subscriber.ts";

/** How soon the Cluster is asked again who owns what, while a shard is not listened to. In milliseconds. */
const PLAN_INTERVAL = 250;
const TIMEOUT = 2_000;

/** A connection to one master. */
interface NodeSubscriber {
  readonly client: Redis;
  /** The shards that are subscribed here, or about to be. */
  readonly shards: Set<number>;
}

export class ClusterSubscriber implements Subscriber {
  readonly #access: RedisAccess;
  readonly #link: RedisLink;
  readonly #keys: RedisKeys;
  readonly #events: SubscriberEvents;
  readonly #log: Logger;
  readonly #wanted = new Set<number>();
  /** By `host:port`. */
  readonly #nodes = new Map<string, NodeSubscriber>();
  #planning: NodeJS.Timeout | undefined;
  #isPlanning = false;
  #isClosed = false;

  /** @param link the connection for commands, which knows the Cluster's nodes */
  constructor(access: RedisAccess, link: RedisLink, keys: RedisKeys, events: SubscriberEvents, log: Logger) {
    this.#access = access;
    this.#link = link;
    this.#keys = keys;
    this.#events = events;
    this.#log = log;
  }

  open(): void {
    this.#link.onUp(() => this.#planSoon(0));
  }

  subscribe(shard: number): void {
    this.#wanted.add(shard);
    this.#planSoon(0);
  }

  unsubscribe(shard: number): void {
    this.#wanted.delete(shard);
    for (const { client, shards } of this.#nodes.values())
      if (shards.delete(shard)) client.sunsubscribe(this.#keys.channel(shard)).catch(ignore);
  }

  ensure(): void {
    this.#planSoon(0);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#planning);
    for (const { client } of this.#nodes.values()) client.disconnect();
    this.#nodes.clear();
  }

  #planSoon(delay: number): void {
    if (this.#isClosed || this.#planning) return;
    this.#planning = setTimeout(() => {
      this.#planning = undefined;
      this.#plan();
    }, delay);
  }

  /** Asks who owns what, and brings the subscriptions there. */
  #plan(): void {
    if (this.#isPlanning || !this.#link.isUp || this.#isClosed) return;
    this.#isPlanning = true;
    this.#owners()
      .then((owners) => this.#follow(owners))
      .catch((error: Error) => {
        this.#log.debug({ reason: error.message }, "the Cluster does not say who owns what; trying again");
        this.#planSoon(PLAN_INTERVAL);
      })
      .finally(() => {
        this.#isPlanning = false;
      });
  }

  /** The master of each slot range, as the Cluster has it now. */
  async #owners(): Promise<(slot: number) => { host: string; port: number } | undefined> {
    if (!(this.#link.client instanceof Cluster)) throw new Error("this is no Cluster");
    const answer = (await this.#link.call("cluster", ["SLOTS"], TIMEOUT)) as [number, number, [Buffer, number]][];
    return (slot) => {
      const range = answer.find(([first, last]) => first <= slot && slot <= last);
      const [host, port] = range?.[2] ?? [];
      return host && host.length > 0 && port ? { host: host.toString(), port } : undefined;
    };
  }

  #follow(owners: (slot: number) => { host: string; port: number } | undefined): void {
    if (this.#isClosed) return;
    const inUse = new Set<string>();
    for (const shard of this.#wanted) {
      const owner = owners(slotOf(this.#keys.channel(shard)));
      if (!owner) {
        this.#planSoon(PLAN_INTERVAL);
        continue;
      }
      const name = `${owner.host}:${owner.port}`;
      inUse.add(name);
      const node = this.#nodes.get(name) ?? this.#connect(name, owner);
      if (node.shards.has(shard)) continue;
      this.#leave(shard);
      node.shards.add(shard);
      if (node.client.status === "ready") this.#subscribe(node, shard);
    }
    for (const [name, { client }] of this.#nodes) if (!inUse.has(name)) client.disconnect();
  }

  #connect(name: string, owner: { host: string; port: number }): NodeSubscriber {
    const client = createNodeClient(this.#access, owner, "listener");
    const node: NodeSubscriber = { client, shards: new Set() };
    this.#nodes.set(name, node);
    client.on("error", (error: Error) => this.#log.debug({ node: name, reason: error.message }, "listener"));
    client.on("ready", () => {
      for (const shard of node.shards) this.#subscribe(node, shard);
    });
    // The slot of a channel has gone to another master.
    client.on("moved", () => this.#drop(name, node));
    client.on("end", () => this.#drop(name, node));
    client.on("smessageBuffer", (channel: Buffer, message: Buffer) => {
      const shard = this.#keys.shardOfChannel(channel.toString("latin1"));
      if (node.shards.has(shard)) this.#events.message(shard, message);
    });
    client.connect().catch(ignore);
    return node;
  }

  /** One channel at a time: those of one call would have to be of one slot. */
  #subscribe(node: NodeSubscriber, shard: number): void {
    node.client.ssubscribe(this.#keys.channel(shard)).then(
      () => {
        if (node.shards.has(shard)) this.#events.subscribed(shard);
      },
      (error: Error) => {
        // MOVED: the slot has gone elsewhere, or is about to; the next plan tells.
        if (error.message.startsWith("NOPERM")) this.#events.refused(error.message);
        node.shards.delete(shard);
        this.#planSoon(PLAN_INTERVAL);
      },
    );
  }

  /** The shard is listened to elsewhere from now on. */
  #leave(shard: number): void {
    for (const { client, shards } of this.#nodes.values()) {
      if (!shards.delete(shard)) continue;
      this.#events.lost(shard);
      if (client.status === "ready") client.sunsubscribe(this.#keys.channel(shard)).catch(ignore);
    }
  }

  #drop(name: string, node: NodeSubscriber): void {
    if (this.#nodes.get(name) !== node) return;
    this.#nodes.delete(name);
    node.client.disconnect();
    for (const shard of node.shards) this.#events.lost(shard);
    node.shards.clear();
    this.#planSoon(PLAN_INTERVAL);
  }
}

function ignore(): void {
  // "end" follows, and the shards are sought elsewhere.
}

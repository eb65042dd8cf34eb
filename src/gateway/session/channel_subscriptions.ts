/** All that one connection is subscribed to: a subscription set for each channel that it uses. */

import type { Identity } from "../../identity/identity.ts";
import type { FrameFormat } from "../../market/frame_format.ts";
import type { MarketName } from "../../market/market_name.ts";
import type { EndReason } from "../../protocol/messages.ts";
import type { AccessRecord } from "../access/access_record.ts";
import type { ChannelMarket } from "../channel_markets.ts";
import type { BroadcastSink, Sink } from "../fanout/sink.ts";
import type { OutboundConnection } from "../outbound/outbound_connection.ts";
import type { Review } from "./entitlement_review.ts";
import { GrantAnswers } from "./grant_answers.ts";
import { SubscriptionSet, type SubscriptionSetParts } from "./subscription_set.ts";

/** What the connections of a gateway share. */
export interface ChannelSubscriptionsParts extends SubscriptionSetParts {
  readonly markets: { of(name: MarketName): ChannelMarket };
}

/** One channel of the connection. */
export interface ChannelSubscription {
  readonly set: SubscriptionSet;
  readonly answers: GrantAnswers;
}

export class ChannelSubscriptions {
  readonly #parts: ChannelSubscriptionsParts;
  readonly #outbound: Sink & BroadcastSink & Pick<OutboundConnection, "send">;
  readonly #format: FrameFormat;
  readonly #access: AccessRecord | undefined;
  readonly #channels = new Map<MarketName, ChannelSubscription>();
  /** Of all channels: an array is cheaper to go through than a map, and that is done four times a second. */
  readonly #sets: SubscriptionSet[] = [];
  #identity: Identity | undefined;

  /** @param access records what the client sees */
  constructor(
    parts: ChannelSubscriptionsParts,
    outbound: OutboundConnection,
    access: AccessRecord | undefined,
    identity: Identity | undefined,
  ) {
    this.#parts = parts;
    this.#outbound = outbound;
    this.#format = outbound.format;
    this.#access = access;
    this.#identity = identity;
    this.of("quote");
  }

  of(name: MarketName): ChannelSubscription {
    const found = this.#channels.get(name);
    if (found) return found;
    const parts = { ...this.#parts, ...this.#parts.markets.of(name) };
    const set = new SubscriptionSet(parts, this.#outbound, this.#format, () => this.count - set.count);
    set.visible.identity = this.#identity;
    const added = { set, answers: new GrantAnswers(parts, this.#outbound, this.#access) };
    this.#channels.set(name, added);
    this.#sets.push(set);
    return added;
  }

  /** What the client may see from now on. Afterwards all that it holds is to be compared with it: {@link review}. */
  set identity(identity: Identity | undefined) {
    this.#identity = identity;
    for (const set of this.#sets) set.visible.identity = identity;
  }

  /** Symbols held, one in several channels counted in each. */
  get count(): number {
    let count = 0;
    for (const set of this.#sets) count += set.count;
    return count;
  }

  /** The shortest interval of them, ms; infinite where there are none. */
  get interval(): number {
    let shortest = Number.POSITIVE_INFINITY;
    for (const set of this.#sets) shortest = Math.min(shortest, set.interval);
    return shortest;
  }

  /** The most symbols of the connection. */
  get maxSymbols(): number {
    return this.of("quote").set.maxSymbols;
  }

  /** Counts what has been broadcast. */
  accountBroadcast(now: number): void {
    for (const set of this.#sets) for (const { topicSubscriber } of set.subscriptions) topicSubscriber?.account(now);
  }

  /** Sets how much may be broadcast until the next audit. */
  limitBroadcast(now: number): void {
    for (const set of this.#sets) for (const { topicSubscriber } of set.subscriptions) topicSubscriber?.maintain(now);
  }

  /** Leaves the broadcast. */
  leaveBroadcast(now: number): void {
    for (const set of this.#sets)
      for (const { topicSubscriber } of set.subscriptions) topicSubscriber?.unsubscribe(now);
  }

  /** A ping follows: measures what has been broadcast. */
  sampleBroadcast(): void {
    for (const set of this.#sets) for (const { topicSubscriber } of set.subscriptions) topicSubscriber?.sample();
  }

  /** Sends the states that have changed. */
  sendStatus(): void {
    for (const set of this.#sets) for (const subscription of set.subscriptions) subscription.sendStatus();
  }

  scheduleFlushes(): void {
    const { scheduler } = this.#parts;
    for (const set of this.#sets) for (const subscription of set.subscriptions) scheduler.scheduleNow(subscription);
  }

  /** The symbols held, each with its delay, ms. */
  *seen(): Generator<[symbol: string, delay: number], void, void> {
    for (const set of this.#sets) yield* set.seen();
  }

  /** All symbols that have appeared until now are to be compared with the patterns. */
  noticeNewSymbols(): void {
    for (const set of this.#sets) set.noticeNewSymbols();
  }

  /** Whether some of them have not been compared. */
  get hasNewSymbols(): boolean {
    for (const set of this.#sets) if (set.hasNewSymbols) return true;
    return false;
  }

  /** Compares some of the symbols that have appeared with the patterns, and grants what they match. */
  matchNewSymbols(): void {
    for (const { set, answers } of this.#channels.values()) {
      if (!set.hasNewSymbols) continue;
      for (const granted of set.matchNewSymbols()) answers.subscribed(granted, undefined, false);
    }
  }

  /**
   * The client's identity has changed: ends what it may not see any more, and moves what it may see in another way, in
   * steps.
   * @param reason of what is ended
   */
  *review(reason: EndReason): Generator<void, void, void> {
    const reviews: [Review, GrantAnswers][] = [];
    for (const { set, answers } of this.#channels.values()) reviews.push([set.review(), answers]);
    for (const [review, answers] of reviews)
      for (const reviewed of review) {
        answers.reviewed(reviewed, reason);
        yield;
      }
  }

  /** Ends everything: the connection is closed. */
  close(): void {
    for (const set of this.#sets) set.close();
  }
}

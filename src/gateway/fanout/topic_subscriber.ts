/**
 * Receives the broadcast for one subscription of interval 0: subscribes the socket to the topics of its rows, accounts
 * for what was broadcast to it since the last audit, limits what may be broadcast until the next, and sets its marks
 * when it goes back to flushes. See topic_index.ts.
 */

import type { RowTable } from "../../market/gateway_table.ts";
import { HeapFull } from "../../market/heap.ts";
import {
  AUDITED_BYTES,
  entryMark,
  entryRow,
  markAt,
  PUBLISHED_BYTES,
  SHARE,
  setEntryMark,
  topicBlockBytes,
  topicBlockEntry,
} from "../../market/heap_layout.ts";
import { ticksBetween } from "../../market/seq_mark.ts";
import type { GatewayCounts } from "../counts.ts";
import type { BroadcastSink } from "./sink.ts";
import { BYTES, LEFT_OUT, SENT_AT, TICKS } from "./topic.ts";
import type { BroadcastReceiver, TopicHolder, TopicIndex } from "./topic_index.ts";

/**
 * How long it gets flushes after it has left the broadcast, ms: to subscribe and to leave costs as much as some
 * flushes.
 */
const FLUSHED_TIME = 1_000;
/**
 * When its budget will be used up is estimated from its share of all that was broadcast between the last two audits; it
 * is audited when half of that has been broadcast. So in a busier market audits follow sooner, and the share may
 * double.
 */
const CAUTION = 2;
/** The fewest bytes, broadcast to anyone, from which the share is estimated: that of fewer would be chance. */
const SAMPLED_BYTES = 8_192;
/**
 * The most that is broadcast to anyone between two audits, bytes: no subscriber gets more unaudited, even if all is for
 * it.
 */
const MOST_UNAUDITED = 262_144;

/** The subscription of a topic subscriber. */
export interface BroadcastSubscription extends TopicHolder {
  /** How many entries it has, and the address of the first. */
  readonly count: number;
  readonly entries: number;
  /** The row of an entry. */
  rowAt(index: number): number;
  /** Whether it can get the broadcast again: all states have been sent, and it is not held back. */
  readonly canResume: boolean;
  /** Whether flushes still have to send what has changed. */
  readonly isCatchingUp: boolean;
  /** All that changed up to now has been sent, by the broadcast. */
  markAllSent(now: number): void;
}

/** What all topic subscribers share. */
export interface TopicSubscriberParts {
  readonly table: RowTable;
  readonly topics: TopicIndex;
  readonly counts: GatewayCounts;
  readonly settings: { readonly broadcastSymbols: number; readonly maxUnreadBytes: number };
}

export class TopicSubscriber implements BroadcastReceiver {
  /** Its id in the topic index. */
  readonly id: number;
  /** Whether the socket is subscribed to its topics. */
  isSubscribed = false;
  readonly #subscription: BroadcastSubscription;
  readonly #sink: BroadcastSink;
  readonly #table: RowTable;
  readonly #topicIndex: TopicIndex;
  readonly #counts: GatewayCounts;
  /** The most rows of a subscription that gets the broadcast. */
  readonly #mostSymbols: number;
  readonly #mostUnaudited: number;
  /** Until when it gets flushes only, ms. */
  #flushedUntil = Number.NEGATIVE_INFINITY;
  /** The address of its block (heap_layout.ts) while it is subscribed, and the number of entries in it. */
  #block = 0;
  #topicCount = 0;

  constructor(
    subscription: BroadcastSubscription,
    sink: BroadcastSink,
    { table, topics, counts, settings }: TopicSubscriberParts,
  ) {
    this.#subscription = subscription;
    this.#sink = sink;
    this.#table = table;
    this.#topicIndex = topics;
    this.#counts = counts;
    this.#mostSymbols = settings.broadcastSymbols;
    this.#mostUnaudited = Math.min(MOST_UNAUDITED, settings.maxUnreadBytes);
    this.id = topics.register(subscription);
  }

  /** All changes have been sent: subscribes to the topics, if it may. */
  subscribe(now: number): void {
    const { isClosed: closed, count, encoder } = this.#subscription;
    if (this.isSubscribed || closed || count > this.#mostSymbols || now < this.#flushedUntil || !encoder.isShared)
      return;
    if (!this.#topicIndex.gate.isOpen || !this.#sink.canBroadcast(now)) return;
    if (!this.#takeBlock(count)) return;
    this.isSubscribed = true;
    const { i32 } = this.#table.heap;
    for (let index = 0; index < count; index++) {
      const { name: topic, at } = this.#topicIndex.subscribeTopic(this.#subscription.rowAt(index), this.id, index);
      this.#sink.subscribe(topic);
      i32[topicBlockEntry(this.#block, index)] = at;
    }
    this.#topicIndex.startBroadcast(this);
    this.#startCounting(now);
  }

  /** Leaves the broadcast: changes are sent by flushes from now on. */
  unsubscribe(now: number): void {
    if (!this.isSubscribed) return;
    if (this.#topicIndex.isBroadcastOnly(this.id)) this.interrupt(now, -1, 0);
    else this.account(now);
    this.#topicIndex.stopBroadcast(this.id);
    this.isSubscribed = false;
    this.#flushedUntil = now + FLUSHED_TIME;
    for (let index = 0; index < this.#topicCount; index++)
      this.#sink.unsubscribe(this.#topicIndex.unsubscribeTopic(this.#subscription.rowAt(index), this.id));
    this.#table.heap.free(this.#block, topicBlockBytes(this.#topicCount));
  }

  /** So much has been broadcast that its budget may be used up. */
  audit(now: number): void {
    this.account(now);
    if (this.#sink.isPingDue(now)) {
      this.sample();
      this.#sink.ping(now);
    }
    this.maintain(now);
  }

  supersede(entry: number, now: number): void {
    const { entries, due } = this.#subscription;
    const { i32, u32 } = this.#table.heap;
    const before = entryMark(u32, entries, entry);
    const mark = markAt(u32, this.#table.markAt, entryRow(i32, entries, entry));
    setEntryMark(u32, entries, entry, mark);
    const replaced = before > 0 ? ticksBetween(before, mark) : 0;
    if (replaced === 0) return;
    this.#counts.countConflated(replaced, 0, 0, now - due, 0);
    this.#sink.addConflated(replaced);
  }

  interrupt(now: number, row: number, seq: number): void {
    const { entries, count } = this.#subscription;
    const { markAt: marks, heap } = this.#table;
    const { i32, u32 } = heap;
    this.account(now);
    this.sample();
    this.#subscription.markAllSent(now);
    const before = seq > 0 ? this.#table.markOf(seq) : 0;
    for (let index = 0; index < count; index++) {
      const each = entryRow(i32, entries, index);
      setEntryMark(u32, entries, index, each === row ? before : markAt(u32, marks, each));
    }
  }

  resume(now: number): boolean {
    const { canResume, isCatchingUp } = this.#subscription;
    // The broadcast must not overtake what a flush has still to send of a series.
    const mustWait = isCatchingUp && this.#table.payload.isSeries;
    if (canResume && !mustWait) this.#startCounting(now);
    else this.unsubscribe(now);
    return !this.#subscription.isCatchingUp;
  }

  account(now: number): void {
    if (!this.isSubscribed) return;
    const { f64 } = this.#table.heap;
    const block = this.#block >>> 3;
    const [bytes, ticks, leftOut] = [f64[block + BYTES], f64[block + TICKS], f64[block + LEFT_OUT]];
    this.#sumTopics();
    if (f64[block + BYTES] === bytes) return;
    // While it catches up, what was left out is counted from its marks.
    const left = this.#topicIndex.isBroadcastOnly(this.id) ? f64[block + LEFT_OUT] - leftOut : 0;
    this.#sink.account(f64[block + BYTES] - bytes, f64[block + TICKS] - ticks, left, now);
  }

  /**
   * A ping is about to follow: of the updates that were broadcast since the last call, measures the last of one row for
   * all of them. The chance of a row is proportional to its updates.
   */
  sample(): void {
    if (!this.isSubscribed) return;
    const { u32 } = this.#table.heap;
    const numbers = this.#topicIndex.numbers.f64;
    let ticks = 0;
    let chosen = -1;
    for (let index = 0; index < this.#topicCount; index++) {
      const at = topicBlockEntry(this.#block, index);
      const all = numbers[u32[at] + TICKS] >>> 0;
      const those = (all - u32[at + 1]) >>> 0;
      u32[at + 1] = all;
      ticks += those;
      if (those > 0 && Math.random() * ticks < those) chosen = index;
    }
    if (chosen < 0) return;
    const row = this.#subscription.rowAt(chosen);
    const sentAt = numbers[u32[topicBlockEntry(this.#block, chosen)] + SENT_AT];
    this.#sink.sampleBroadcast(this.#table, row, ticks, Math.max(0, sentAt - this.#table.appliedAt[row]));
  }

  /** Sets the next audit; to be called after {@link account} and a ping, if one is due. */
  maintain(now: number): void {
    if (this.isSubscribed && this.#topicIndex.receivesBroadcast(this.id)) this.#setAllowance(now);
  }

  /** Sets how much may be broadcast until the next audit; leaves the broadcast where that is nothing. */
  #setAllowance(now: number): void {
    const budget = this.#sink.broadcastBudget(now);
    if (budget <= 0) return this.unsubscribe(now);
    const { f64 } = this.#table.heap;
    const block = this.#block >>> 3;
    const { published } = this.#topicIndex;
    const all = published - f64[block + PUBLISHED_BYTES];
    if (all >= SAMPLED_BYTES) {
      // The share may be small by chance: it falls to half at most.
      f64[block + SHARE] = Math.max((f64[block + BYTES] - f64[block + AUDITED_BYTES]) / all, f64[block + SHARE] / 2);
      f64[block + AUDITED_BYTES] = f64[block + BYTES];
      f64[block + PUBLISHED_BYTES] = published;
    }
    this.#topicIndex.auditAfter(this.id, Math.min(this.#mostUnaudited, budget / (f64[block + SHARE] * CAUTION)));
  }

  /** Counts what is broadcast from now on. */
  #startCounting(now: number): void {
    const { f64, u32 } = this.#table.heap;
    const block = this.#block >>> 3;
    const numbers = this.#topicIndex.numbers.f64;
    for (let index = 0; index < this.#topicCount; index++) {
      const at = topicBlockEntry(this.#block, index);
      u32[at + 1] = numbers[u32[at] + TICKS];
    }
    this.#sumTopics();
    f64[block + AUDITED_BYTES] = f64[block + BYTES];
    f64[block + PUBLISHED_BYTES] = this.#topicIndex.published;
    f64[block + SHARE] = 1;
    this.#setAllowance(now);
  }

  #sumTopics(): void {
    const { f64, i32 } = this.#table.heap;
    const numbers = this.#topicIndex.numbers.f64;
    let [bytes, ticks, leftOut] = [0, 0, 0];
    for (let index = 0; index < this.#topicCount; index++) {
      const at = i32[topicBlockEntry(this.#block, index)];
      bytes += numbers[at + BYTES];
      ticks += numbers[at + TICKS];
      leftOut += numbers[at + LEFT_OUT];
    }
    const block = this.#block >>> 3;
    f64[block + BYTES] = bytes;
    f64[block + TICKS] = ticks;
    f64[block + LEFT_OUT] = leftOut;
  }

  /** @returns whether there is memory for it */
  #takeBlock(topics: number): boolean {
    try {
      this.#block = this.#table.heap.alloc(topicBlockBytes(topics));
    } catch (error) {
      if (error instanceof HeapFull) return false;
      throw error;
    }
    this.#topicCount = topics;
    return true;
  }
}

/**
 * What one subscription of interval 0 is to the broadcast: its topics at the socket, what has been broadcast to it since it was
 * last looked at, how much more may be until the next look, and what was told of each symbol when it goes back to turns. See
 * immediate.ts.
 */

import type { GatewayTable } from "../../market/gateway_table.ts";
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
import { markOf, ticksBetween } from "../../market/mark.ts";
import type { GatewayCounts } from "../counts.ts";
import type { BroadcastSink } from "./sink.ts";
import { BYTES, LEFT_OUT, SENT_AT, TICKS } from "./topic.ts";
import type { BroadcastReceiver, TopicHolder, TopicIndex } from "./topic_index.ts";

/** How long one that has listened gets turns before it listens again, ms: to begin and to end it costs as much as some turns. */
const FLUSHED_TIME = 1_000;
/**
 * When it will have used up what it may get is reckoned from its share of what was broadcast between the last two looks; it
 * is looked at when half of that has been. So a busier market brings the next look sooner by itself, and a listener may get twice
 * its share.
 */
const CAUTION = 2;
/** Of fewer bytes that were broadcast to whomever its share tells nothing. */
const TELLING = 8_192;
/** The most that is broadcast to whomever between two looks, bytes: no listener gets more unseen, even if all is for it. */
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
  readonly table: GatewayTable;
  readonly topics: TopicIndex;
  readonly counts: GatewayCounts;
  readonly settings: { readonly broadcastSymbols: number; readonly maxUnreadBytes: number };
}

export class TopicSubscriber implements BroadcastReceiver {
  /** Its id in the index of those who want ticks as soon as possible. */
  readonly id: number;
  /** Whether the broadcast, while it is open, comes to it. */
  isSubscribed = false;
  readonly #subscription: BroadcastSubscription;
  readonly #sink: BroadcastSink;
  readonly #table: GatewayTable;
  readonly #topicIndex: TopicIndex;
  readonly #counts: GatewayCounts;
  /** The most symbols of one that listens. */
  readonly #mostSymbols: number;
  readonly #mostUnaudited: number;
  /** Until when it gets turns, ms. */
  #turnsUntil = Number.NEGATIVE_INFINITY;
  /** The address of its block, while it listens, and for how many entries. */
  #block = 0;
  #topics = 0;

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

  /** It has been told all there is: listens from now on, if it may. */
  subscribe(now: number): void {
    const { closed, count, encoder } = this.#subscription;
    if (this.isSubscribed || closed || count > this.#mostSymbols || now < this.#turnsUntil || !encoder.isShared) return;
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
    this.#start(now);
  }

  /** Gets turns from now on, if it listens. */
  unsubscribe(now: number): void {
    if (!this.isSubscribed) return;
    if (this.#topicIndex.isBroadcastOnly(this.id)) this.interrupt(now, -1, 0);
    else this.account(now);
    this.#topicIndex.stopBroadcast(this.id);
    this.isSubscribed = false;
    this.#turnsUntil = now + FLUSHED_TIME;
    for (let index = 0; index < this.#topics; index++)
      this.#sink.unsubscribe(this.#topicIndex.unsubscribeTopic(this.#subscription.rowAt(index), this.id));
    this.#table.heap.free(this.#block, topicBlockBytes(this.#topics));
  }

  /** So much has been broadcast that it may have got all it may have. */
  audit(now: number): void {
    this.account(now);
    if (this.#sink.isPingDue(now)) {
      this.sample();
      this.#sink.ping(now);
    }
    this.maintain(now);
  }

  /** The broadcast sends the row of an entry, which a flush may still have had to send. */
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

  /** The broadcast is closed: what it was told is all but what has changed of one row since it had `seq`. */
  interrupt(now: number, row: number, seq: number): void {
    const { entries, count } = this.#subscription;
    const { markAt: marks, heap } = this.#table;
    const { i32, u32 } = heap;
    this.account(now);
    this.sample();
    this.#subscription.markAllSent(now);
    const before = seq > 0 ? markOf(seq) : 0;
    for (let index = 0; index < count; index++) {
      const each = entryRow(i32, entries, index);
      setEntryMark(u32, entries, index, each === row ? before : markAt(u32, marks, each));
    }
  }

  /** The broadcast is open again: listens, or does not any more. @returns whether it has been told all */
  resume(now: number): boolean {
    if (this.#subscription.canResume) this.#start(now);
    else this.unsubscribe(now);
    return !this.#subscription.isCatchingUp;
  }

  /** Tells the way what has been broadcast since it was last told. */
  account(now: number): void {
    if (!this.isSubscribed) return;
    const { f64 } = this.#table.heap;
    const block = this.#block >>> 3;
    const [bytes, ticks, leftOut] = [f64[block + BYTES], f64[block + TICKS], f64[block + LEFT_OUT]];
    this.#sum();
    if (f64[block + BYTES] === bytes) return;
    // In arrears its marks tell what was left out.
    const left = this.#topicIndex.isBroadcastOnly(this.id) ? f64[block + LEFT_OUT] - leftOut : 0;
    this.#sink.account(f64[block + BYTES] - bytes, f64[block + TICKS] - ticks, left, now);
  }

  /**
   * A ping is about to follow: of the ticks that were broadcast since this was last called, the last of one symbol stands for all,
   * each symbol's as often as it ticked.
   */
  sample(): void {
    if (!this.isSubscribed) return;
    const { u32 } = this.#table.heap;
    const told = this.#topicIndex.numbers.f64;
    let ticks = 0;
    let chosen = -1;
    for (let index = 0; index < this.#topics; index++) {
      const at = topicBlockEntry(this.#block, index);
      const all = told[u32[at] + TICKS] >>> 0;
      const those = (all - u32[at + 1]) >>> 0;
      u32[at + 1] = all;
      ticks += those;
      if (those > 0 && Math.random() * ticks < those) chosen = index;
    }
    if (chosen < 0) return;
    const row = this.#subscription.rowAt(chosen);
    const sentAt = told[u32[topicBlockEntry(this.#block, chosen)] + SENT_AT];
    this.#sink.sampleBroadcast(row, ticks, Math.max(0, sentAt - this.#table.appliedAt[row]));
  }

  /** After {@link account}, and perhaps a ping: when it is to be looked at again. */
  maintain(now: number): void {
    if (this.isSubscribed && this.#topicIndex.receivesBroadcast(this.id)) this.#setAllowance(now);
  }

  /** When it is to be looked at again; where it may get nothing, it does not listen any more. */
  #setAllowance(now: number): void {
    const budget = this.#sink.broadcastBudget(now);
    if (budget <= 0) return this.unsubscribe(now);
    const { f64 } = this.#table.heap;
    const block = this.#block >>> 3;
    const { published } = this.#topicIndex;
    const all = published - f64[block + PUBLISHED_BYTES];
    if (all >= TELLING) {
      // Its share may be small by chance.
      f64[block + SHARE] = Math.max((f64[block + BYTES] - f64[block + AUDITED_BYTES]) / all, f64[block + SHARE] / 2);
      f64[block + AUDITED_BYTES] = f64[block + BYTES];
      f64[block + PUBLISHED_BYTES] = published;
    }
    this.#topicIndex.auditAfter(this.id, Math.min(this.#mostUnaudited, budget / (f64[block + SHARE] * CAUTION)));
  }

  /** What is broadcast from now on is counted. */
  #start(now: number): void {
    const { f64, u32 } = this.#table.heap;
    const block = this.#block >>> 3;
    const told = this.#topicIndex.numbers.f64;
    for (let index = 0; index < this.#topics; index++) {
      const at = topicBlockEntry(this.#block, index);
      u32[at + 1] = told[u32[at] + TICKS];
    }
    this.#sum();
    f64[block + AUDITED_BYTES] = f64[block + BYTES];
    f64[block + PUBLISHED_BYTES] = this.#topicIndex.published;
    f64[block + SHARE] = 1;
    this.#setAllowance(now);
  }

  #sum(): void {
    const { f64, i32 } = this.#table.heap;
    const told = this.#topicIndex.numbers.f64;
    let [bytes, ticks, leftOut] = [0, 0, 0];
    for (let index = 0; index < this.#topics; index++) {
      const at = i32[topicBlockEntry(this.#block, index)];
      bytes += told[at + BYTES];
      ticks += told[at + TICKS];
      leftOut += told[at + LEFT_OUT];
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
    this.#topics = topics;
    return true;
  }
}

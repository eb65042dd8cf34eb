/**
 * Which subscriptions of interval 0 hold a row: the one place where the fan-out starts at the row. Each tick visits the
 * holders of its row that do not get the broadcast; so they are ids in an array, and the state of each is a byte.
 *
 * A holder that has been sent all changes may subscribe to the broadcast: a tick is then one frame, encoded once, and
 * published once by the WebSocket library under the topic of the row. What was published to a subscriber is not counted
 * at once but in its next audit, from the numbers of its topics. The subscriber sets when that is, in bytes of all that
 * is broadcast. All other holders get a flush.
 */
import type { Clock } from "../../base/clock.ts";
import { copied } from "../../base/enlarged_array.ts";
import type { RowEncoder } from "../../market/row_encoder.ts";
import type { MarketTable } from "../../market/table.ts";
import type { GatewayCounts } from "../counts.ts";
import { BroadcastGate, type BroadcastStop } from "./broadcast_gate.ts";
import type { Flushable, FlushScheduler } from "./flush_scheduler.ts";
import type { Frame } from "./frame.ts";
import { Numbers } from "./numbers.ts";
import { BYTES, LEFT_OUT, SENT_AT, TICKS, TOPIC_NUMBERS, Topic } from "./topic.ts";

const FIRST_IDS = 64;
/** The fewest bytes that are broadcast between two searches for due audits: each search visits all ids. */
export const AUDIT_BYTES = 8_192;

/** States of a holder. No row has changed since its last scan; a row has, and a flush is scheduled. */
const QUIET = 0;
const CHANGED = 1;
/** It gets the broadcast; the same, and a flush must still send what had changed before the broadcast opened again. */
const BROADCAST = 2;
const CATCHING_UP = 3;

/** A subscription, as far as the index knows it. */
export interface TopicHolder extends Flushable {
  readonly encoder: RowEncoder;
  due: number;
}

/** What the index calls of a topic subscriber. */
export interface BroadcastReceiver {
  readonly id: number;
  /** Accounts for what was broadcast, and sends a ping where one is due. */
  audit(now: number): void;
  /** Counts what was broadcast since this was last called. */
  account(now: number): void;
  /**
   * The broadcast sends the row of an entry, which a flush may still have had to send: its mark becomes the market's.
   */
  supersede(entry: number, now: number): void;
  /** The broadcast is closed: all has been sent but what has changed of one row since it had `seq`. */
  interrupt(now: number, row: number, seq: number): void;
  /** The broadcast is open again: gets it, or gives up its topics. @returns whether all has been sent */
  resume(now: number): boolean;
}

/** What the index uses. */
export interface TopicIndexParts {
  readonly scheduler: FlushScheduler;
  readonly clock: Clock;
  readonly table: MarketTable;
  readonly frame: Frame;
  readonly counts: GatewayCounts;
  /** Sends broadcast frames: the server's. */
  readonly publish: Publish;
}

/** Sends a frame to all sockets that have subscribed to the topic; the bytes are only valid until it returns. */
export type Publish = (topic: string, frame: Uint8Array, isBinary: boolean) => void;

export class TopicIndex {
  readonly gate: BroadcastGate;
  /** What has been broadcast under each topic; see topic.ts. */
  readonly numbers = new Numbers(TOPIC_NUMBERS);
  /** Bytes of all frames that have been broadcast, each counted once. */
  published = 0;
  /** Ticks of its market that were sent, by flushes too. */
  ticksOut = 0;
  readonly #parts: TopicIndexParts;
  /** The topics of each row: one for each encoder. */
  readonly #rows: (Topic[] | undefined)[] = [];
  readonly #holders: (TopicHolder | undefined)[] = [];
  readonly #free: number[] = [];
  /** Holders whose sockets have subscribed to the topics of their rows, whether the broadcast is open or not. */
  readonly #subscribers = new Map<number, BroadcastReceiver>();
  /** The state of each holder, by id. */
  #states = new Uint8Array(FIRST_IDS);
  /** How many are catching up. */
  #catchingUp = 0;
  /**
   * By id, the value of {@link published} at which a subscriber is audited; and the smallest of them, or one that is
   * past.
   */
  #auditAt = new Float64Array(FIRST_IDS).fill(Number.POSITIVE_INFINITY);
  #nextAudit = Number.POSITIVE_INFINITY;
  #lastAudit = Number.NEGATIVE_INFINITY;
  /** Topics of all channels have names of their own. */
  readonly #prefix: string;
  #topicCount = 0;

  /** @param prefix of the names of its topics */
  constructor(parts: TopicIndexParts, prefix = "") {
    this.#prefix = prefix;
    this.#parts = parts;
    this.gate = new BroadcastGate(parts.table, parts.scheduler);
  }

  /** How many get the broadcast, or will as soon as it is open. */
  get broadcastConnections(): number {
    return this.#subscribers.size;
  }

  /** @returns an id, until {@link unregister} */
  register(holder: TopicHolder): number {
    const id = this.#free.pop() ?? this.#holders.length;
    if (id === this.#states.length) this.#grow(id * 2);
    this.#holders[id] = holder;
    this.#setState(id, QUIET);
    return id;
  }

  /** A holder that has no rows any more has ended. */
  unregister(id: number): void {
    this.#holders[id] = undefined;
    this.#free.push(id);
  }

  add(row: number, id: number): void {
    const topics = this.#rows[row];
    let topic = topics && this.#topicOf(topics, id);
    if (!topic) {
      topic = new Topic(this.#sharedEncoderOf(id), `${this.#prefix}${this.#topicCount++}`, this.numbers);
      if (topics) topics.push(topic);
      else this.#setTopics(row, [topic]);
    }
    topic.add(id);
  }

  remove(row: number, id: number): void {
    const topics = this.#rows[row];
    const topic = topics && this.#topicOf(topics, id);
    if (!topic) return;
    topic.remove(id);
    if (topic.count > 0) return;
    topic.close();
    if (topics.length === 1) this.#rows[row] = undefined;
    else topics.splice(topics.indexOf(topic), 1);
  }

  /** How many hold a row. */
  countOf(row: number): number {
    return this.#rows[row]?.reduce((sum, { count }) => sum + count, 0) ?? 0;
  }

  /**
   * A row has had a tick: publishes it to the subscribers, and schedules a flush for each other holder.
   * @param seq the tick before
   */
  deliver(row: number, seq: number): void {
    const topics = this.#rows[row];
    if (!topics) return;
    const now = this.#parts.clock.millis();
    if (this.#subscribers.size > 0 && this.gate.isOpen) {
      const stop = this.gate.findStop(now);
      if (stop) this.#close(stop, now, row, seq);
    }
    for (const topic of topics) this.#deliverTo(topic, row, seq, now);
    // Not before the tick has been published: one that leaves the broadcast in its audit counts as having been sent it.
    if (this.published >= this.#nextAudit) this.#auditDue(now);
  }

  /** Whether a row has changed since the last scan. */
  hasChanged(id: number): boolean {
    return this.#stateOf(id) === CHANGED || this.#stateOf(id) === CATCHING_UP;
  }

  /** A scan begins: it finds all changes up to now. */
  takeChanges(id: number): void {
    if (this.#stateOf(id) === CHANGED) this.#setState(id, QUIET);
  }

  /** A scan is complete: all that had changed before the broadcast opened has been sent. */
  markCaughtUp(id: number, now: number): void {
    if (this.#stateOf(id) !== CATCHING_UP) return;
    // What the feed left out until now was counted from the marks.
    this.#subscribers.get(id)?.account(now);
    this.#setState(id, BROADCAST);
  }

  /** Whether it gets the broadcast, and a flush has nothing to send. */
  isBroadcastOnly(id: number): boolean {
    return this.#stateOf(id) === BROADCAST;
  }

  /** Whether it gets the broadcast. */
  receivesBroadcast(id: number): boolean {
    return this.#stateOf(id) >= BROADCAST;
  }

  /**
   * A holder is about to subscribe to the topic of a row: to be called for each of its rows before {@link
   * startBroadcast}.
   * @param entry the entry of its subscription that has the row
   * @returns the topic, and the position of its numbers
   */
  subscribeTopic(row: number, id: number, entry: number): Pick<Topic, "name" | "at"> {
    const topic = this.#topicOf(this.#rows[row] as Topic[], id) as Topic;
    topic.subscribe(id, entry);
    return topic;
  }

  /**
   * A holder leaves the topic of a row: to be called for each of its rows with {@link stopBroadcast}.
   * @returns the topic
   */
  unsubscribeTopic(row: number, id: number): string {
    const topic = this.#topicOf(this.#rows[row] as Topic[], id) as Topic;
    topic.unsubscribe(id);
    return topic.name;
  }

  /** A subscriber is audited when so many bytes more have been broadcast, to anyone. */
  auditAfter(id: number, bytes: number): void {
    const at = this.published + bytes;
    this.#auditAt[id] = at;
    if (at < this.#nextAudit) this.#nextAudit = Math.max(at, this.#lastAudit + AUDIT_BYTES);
  }

  /**
   * Starts the broadcast to a holder that has been sent all changes and has subscribed to its topics. It must set its
   * audit.
   */
  startBroadcast(receiver: BroadcastReceiver): void {
    this.#subscribers.set(receiver.id, receiver);
    this.#setState(receiver.id, BROADCAST);
  }

  /** Ends the broadcast to a holder: it gets flushes. */
  stopBroadcast(id: number): void {
    this.#subscribers.delete(id);
    this.#auditAt[id] = Number.POSITIVE_INFINITY;
    this.#setState(id, this.hasChanged(id) ? CHANGED : QUIET);
  }

  /** Opens the broadcast again when it is time; to be called often. */
  tryOpen(now: number): void {
    if (!this.gate.tryOpen(now)) return;
    for (const [id, receiver] of this.#subscribers) {
      const isAllSent = receiver.resume(now);
      if (this.#subscribers.has(id)) this.#setState(id, isAllSent ? BROADCAST : CATCHING_UP);
    }
  }

  #stateOf(id: number): number {
    return this.#states[id];
  }

  #setState(id: number, state: number): void {
    if (this.#states[id] === CATCHING_UP) this.#catchingUp--;
    if (state === CATCHING_UP) this.#catchingUp++;
    this.#states[id] = state;
  }

  #grow(ids: number): void {
    this.#states = copied(new Uint8Array(ids), this.#states);
    this.#auditAt = copied(new Float64Array(ids).fill(Number.POSITIVE_INFINITY), this.#auditAt);
  }

  #close(stop: BroadcastStop, now: number, row: number, seq: number): void {
    this.gate.close(stop, now);
    this.#parts.counts.broadcastStops[stop]++;
    for (const [id, receiver] of this.#subscribers) {
      const state = this.#stateOf(id);
      if (state === BROADCAST) receiver.interrupt(now, row, seq);
      else receiver.account(now);
      this.#setState(id, state === BROADCAST ? QUIET : CHANGED);
    }
  }

  #deliverTo(topic: Topic, row: number, seq: number, now: number): void {
    const { ids, count } = topic;
    const states = this.#states;
    const receivers = this.gate.isOpen ? topic.subscribers : 0;
    let catchingUp = 0;
    // Subscribers come first. They need nothing one by one, unless some have to be sent what had changed before.
    for (let index = this.#catchingUp === 0 ? receivers : 0; index < count; index++) {
      const id = ids[index];
      const state = states[id];
      if (state === CATCHING_UP) {
        catchingUp++;
        this.#subscribers.get(id)?.supersede(topic.entryAt(index), now);
      } else if (state === QUIET) {
        states[id] = CHANGED;
        const holder = this.#holders[id] as TopicHolder;
        holder.due = now;
        this.#parts.scheduler.scheduleNow(holder);
      }
    }
    if (receivers === 0) return;
    // Updates that the feed or the bus left out.
    const { table } = this.#parts;
    const isConflated = seq > 0 && !table.payload.keepsEach;
    const leftOut = isConflated ? Math.max(0, table.seq[row] - seq - 1) : 0;
    if (leftOut > 0 && receivers > catchingUp)
      this.#parts.counts.countConflated(leftOut * (receivers - catchingUp), 0, 0, 0, 0);
    this.#broadcast(topic, row, leftOut, receivers, now);
  }

  #encodeFrame(encoder: RowEncoder, row: number, now: number): Uint8Array {
    const { frame, clock } = this.#parts;
    frame.begin(encoder.format, Number.POSITIVE_INFINITY, clock.microsAt(now));
    encoder.copyNewest(row, frame);
    return frame.finish();
  }

  #broadcast(topic: Topic, row: number, leftOut: number, receivers: number, now: number): void {
    const { name, encoder, at } = topic;
    const frame = this.#encodeFrame(encoder as RowEncoder, row, now);
    const { length } = frame;
    const { counts } = this.#parts;
    this.ticksOut += receivers;
    counts.ticksOut += receivers;
    counts.ticksBroadcast += receivers;
    counts.framesOut += receivers;
    counts.bytesOut += receivers * length;
    this.#parts.publish(name, frame, encoder?.format.binary === true);
    const { f64 } = this.numbers;
    f64[at + BYTES] += length;
    f64[at + TICKS]++;
    f64[at + LEFT_OUT] += leftOut;
    f64[at + SENT_AT] = this.#parts.frame.sentAt;
    this.published += length;
  }

  #auditDue(now: number): void {
    const { published } = this;
    let next = Number.POSITIVE_INFINITY;
    for (let id = 0; id < this.#holders.length; id++) {
      if (this.#auditAt[id] <= published) this.#subscribers.get(id)?.audit(now);
      if (this.#auditAt[id] < next) next = this.#auditAt[id];
    }
    this.#lastAudit = published;
    this.#nextAudit = Math.max(next, published + AUDIT_BYTES);
  }

  #setTopics(row: number, topics: Topic[]): void {
    // V8 keeps an array with a large gap as a hash table.
    while (this.#rows.length < row) this.#rows.push(undefined);
    this.#rows[row] = topics;
  }

  #sharedEncoderOf(id: number): RowEncoder | undefined {
    const encoder = this.#holders[id]?.encoder;
    return encoder?.isShared ? encoder : undefined;
  }

  #topicOf(topics: Topic[], id: number): Topic | undefined {
    const encoder = this.#sharedEncoderOf(id);
    return topics.find((topic) => topic.encoder === encoder);
  }
}

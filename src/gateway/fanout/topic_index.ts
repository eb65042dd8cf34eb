/**
 * Who wants a row's ticks as soon as possible (interval 0): the one place where the fan-out starts at the symbol. Each
 * tick goes through those who hold its symbol and do not listen, so they are numbers in a list, and how one stands is a byte.
 *
 * One that has been told all there is may listen to the broadcast: a tick is then one frame, made once and given to the
 * WebSocket library once for all who listen, under a topic of its own. What went to one is not counted when it goes but when the
 * listener is looked at, from what went under its topics; when that must be, it says itself, in bytes of all that is
 * broadcast. Everybody else is woken, and gets turns.
 */
import type { Clock } from "../../base/clock.ts";
import { copied } from "../../base/copied.ts";
import type { Entries } from "../../market/encoder.ts";
import { ENTRY_BYTES, setEntry } from "../../market/heap_layout.ts";
import type { MarketTable } from "../../market/table.ts";
import type { GatewayCounts } from "../counts.ts";
import { BroadcastGate, type BroadcastStop } from "./broadcast_gate.ts";
import type { Flushable, FlushScheduler } from "./flush_scheduler.ts";
import type { Frame } from "./frame.ts";
import { Numbers } from "./numbers.ts";
import type { RowEncoder } from "./row_encoder.ts";
import { BYTES, LEFT_OUT, SENT_AT, TICKS, TOPIC_NUMBERS, Topic } from "./topic.ts";

const FIRST_IDS = 64;
/** So many bytes are broadcast at least between two looks for listeners that are due: each goes through all of them. */
export const AUDIT_BYTES = 8_192;

/** How one stands: it has looked at all changes; it is woken and has not looked yet. */
const QUIET = 0;
const CHANGED = 1;
/** The broadcast tells it; and besides that a turn is to tell it what had changed when the broadcast was opened again. */
const BROADCAST = 2;
const CATCHING_UP = 3;

/** What the index knows of a subscription. */
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
  /** The broadcast sends the row of an entry, which a flush may still have had to send: its mark becomes the market's. */
  supersede(entry: number, now: number): void;
  /** The broadcast is closed: all has been sent but what has changed of one row since it had `seq`. */
  interrupt(now: number, row: number, seq: number): void;
  /** The broadcast is open again: gets it, or gives up its topics. @returns whether all has been sent */
  resume(now: number): boolean;
}

/** What an index is made of. */
export interface TopicIndexParts {
  readonly scheduler: FlushScheduler;
  readonly clock: Clock;
  readonly table: MarketTable;
  readonly frame: Frame;
  readonly counts: GatewayCounts;
  /** Sends broadcast frames: the server's. */
  readonly publish: Publish;
}

/** Gives a frame to all whose socket has subscribed to the topic; the bytes are only good until it returns. */
export type Publish = (topic: string, frame: Uint8Array, isBinary: boolean) => void;

export class TopicIndex {
  readonly gate: BroadcastGate;
  /** The numbers of the topics: what has been broadcast under each. */
  readonly numbers = new Numbers(TOPIC_NUMBERS);
  /** Bytes of all frames that have been broadcast, each counted once. */
  published = 0;
  readonly #parts: TopicIndexParts;
  /** Who holds a row, by row. */
  readonly #rows: (Topic[] | undefined)[] = [];
  readonly #holders: (TopicHolder | undefined)[] = [];
  readonly #free: number[] = [];
  /** Those whose sockets have subscribed to the topics of their rows, whether the broadcast is open or not. */
  readonly #subscribers = new Map<number, BroadcastReceiver>();
  /** How each stands, by id. */
  #states = new Uint8Array(FIRST_IDS);
  /** How many are in arrears. */
  #catchingUp = 0;
  /** By id, at which {@link published} a listener is looked at; and the first of them, or one that is past. */
  #auditAt = new Float64Array(FIRST_IDS).fill(Number.POSITIVE_INFINITY);
  #nextAudit = Number.POSITIVE_INFINITY;
  #lastAudit = Number.NEGATIVE_INFINITY;
  /** An entry of somebody who has been told nothing. */
  readonly #unsent: Entries;
  #topics = 0;

  constructor(parts: TopicIndexParts) {
    this.#parts = parts;
    this.gate = new BroadcastGate(parts.table, parts.scheduler);
    this.#unsent = { entries: parts.table.heap.alloc(ENTRY_BYTES) };
  }

  /** How many listen to the broadcast, or will as soon as it is open. */
  get broadcastConnections(): number {
    return this.#subscribers.size;
  }

  /** A subscription begins. @returns its id, until {@link unregister} */
  register(holder: TopicHolder): number {
    const id = this.#free.pop() ?? this.#holders.length;
    if (id === this.#states.length) this.#grow(id * 2);
    this.#holders[id] = holder;
    this.#setState(id, QUIET);
    return id;
  }

  /** It has ended, and holds nothing. */
  unregister(id: number): void {
    this.#holders[id] = undefined;
    this.#free.push(id);
  }

  /** It holds a row from now on. */
  add(row: number, id: number): void {
    const groups = this.#rows[row];
    let members = groups && this.#topicOf(groups, id);
    if (!members) {
      members = new Topic(this.#sharedEncoderOf(id), String(this.#topics++), this.numbers);
      if (groups) groups.push(members);
      else this.#hold(row, [members]);
    }
    members.add(id);
  }

  /** It does not hold the row any more. */
  remove(row: number, id: number): void {
    const groups = this.#rows[row];
    const members = groups && this.#topicOf(groups, id);
    if (!members) return;
    members.remove(id);
    if (members.count > 0) return;
    members.close();
    if (groups.length === 1) this.#rows[row] = undefined;
    else groups.splice(groups.indexOf(members), 1);
  }

  /** How many hold a row. */
  countOf(row: number): number {
    return this.#rows[row]?.reduce((sum, { count }) => sum + count, 0) ?? 0;
  }

  /**
   * A row has had a tick: who listens is told, and who else holds it gets a turn, one for all that changes until then.
   * @param seq the tick before
   */
  deliver(row: number, seq: number): void {
    const groups = this.#rows[row];
    if (!groups) return;
    const now = this.#parts.clock.millis();
    if (this.#subscribers.size > 0 && this.gate.isOpen) {
      const stop = this.gate.stop(now);
      if (stop) this.#close(stop, now, row, seq);
    }
    for (const members of groups) this.#deliver(members, row, seq, now);
    // Not before all have been told: who does not listen any more counts as having been.
    if (this.published >= this.#nextAudit) this.#auditDue(now);
  }

  /** Whether anything has changed for it that it has not looked at. */
  hasChanged(id: number): boolean {
    return this.#stateOf(id) === CHANGED || this.#stateOf(id) === CATCHING_UP;
  }

  /** It looks at what has changed: what changes from now on is news. */
  takeChanges(id: number): void {
    if (this.#stateOf(id) === CHANGED) this.#setState(id, QUIET);
  }

  /** It has been told all that had changed. */
  markCaughtUp(id: number, now: number): void {
    if (this.#stateOf(id) !== CATCHING_UP) return;
    // What its feed left out until now has been told by its marks.
    this.#subscribers.get(id)?.account(now);
    this.#setState(id, BROADCAST);
  }

  /** Whether it is the broadcast that tells it, and nothing else is to be told. */
  isBroadcastOnly(id: number): boolean {
    return this.#stateOf(id) === BROADCAST;
  }

  /** Whether ticks are broadcast to it. */
  receivesBroadcast(id: number): boolean {
    return this.#stateOf(id) >= BROADCAST;
  }

  /**
   * Its socket subscribes to the topic of a row that it holds: to be called for each of its rows before {@link startBroadcast}.
   * @param entry the entry of its subscription that has the row
   * @returns the topic, and where the numbers of that are
   */
  subscribeTopic(row: number, id: number, entry: number): Pick<Topic, "name" | "at"> {
    const members = this.#topicOf(this.#rows[row] as Topic[], id) as Topic;
    members.subscribe(id, entry);
    return members;
  }

  /** Its socket gives up the topic of a row: to be called for each of its rows with {@link stopBroadcast}. @returns the topic */
  unsubscribeTopic(row: number, id: number): string {
    const members = this.#topicOf(this.#rows[row] as Topic[], id) as Topic;
    members.unsubscribe(id);
    return members.name;
  }

  /** Listeners are looked at when so many bytes more have been broadcast, to whomever. */
  auditAfter(id: number, bytes: number): void {
    const at = this.published + bytes;
    this.#auditAt[id] = at;
    if (at < this.#nextAudit) this.#nextAudit = Math.max(at, this.#lastAudit + AUDIT_BYTES);
  }

  /** It has been told all, and has subscribed to its topics: from now on the broadcast tells it. It must say when to be looked at. */
  startBroadcast(listener: BroadcastReceiver): void {
    this.#subscribers.set(listener.id, listener);
    this.#setState(listener.id, BROADCAST);
  }

  /** From now on it gets turns again. */
  stopBroadcast(id: number): void {
    this.#subscribers.delete(id);
    this.#auditAt[id] = Number.POSITIVE_INFINITY;
    this.#setState(id, this.hasChanged(id) ? CHANGED : QUIET);
  }

  /** To be called often: opens the broadcast again when it is time. */
  tryOpen(now: number): void {
    if (!this.gate.tryOpen(now)) return;
    for (const [id, listener] of this.#subscribers) {
      const isToldAll = listener.resume(now);
      if (this.#subscribers.has(id)) this.#setState(id, isToldAll ? BROADCAST : CATCHING_UP);
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
    for (const [id, listener] of this.#subscribers) {
      const state = this.#stateOf(id);
      if (state === BROADCAST) listener.interrupt(now, row, seq);
      else listener.account(now);
      this.#setState(id, state === BROADCAST ? QUIET : CHANGED);
    }
  }

  #deliver(members: Topic, row: number, seq: number, now: number): void {
    const { ids, count } = members;
    const states = this.#states;
    const listeners = this.gate.isOpen ? members.subscribers : 0;
    let inArrears = 0;
    // With those who listen nothing is to be done one by one, unless the broadcast overtakes what they are still to be told.
    for (let index = this.#catchingUp === 0 ? listeners : 0; index < count; index++) {
      const id = ids[index];
      const state = states[id];
      if (state === CATCHING_UP) {
        inArrears++;
        this.#subscribers.get(id)?.supersede(members.entryAt(index), now);
      } else if (state === QUIET) {
        states[id] = CHANGED;
        const holder = this.#holders[id] as TopicHolder;
        holder.due = now;
        this.#parts.scheduler.scheduleNow(holder);
      }
    }
    if (listeners === 0) return;
    // What the feed left out, or the bus.
    const leftOut = seq > 0 ? Math.max(0, this.#parts.table.seq[row] - seq - 1) : 0;
    if (leftOut > 0 && listeners > inArrears)
      this.#parts.counts.countConflated(leftOut * (listeners - inArrears), 0, 0, 0, 0);
    this.#broadcast(members, row, leftOut, listeners, now);
  }

  #frame(encoder: RowEncoder, row: number, now: number): Uint8Array {
    const { frame, table, clock } = this.#parts;
    setEntry(table.heap.i32, this.#unsent.entries, 0, row);
    frame.begin(encoder.format, Number.POSITIVE_INFINITY, clock.microsAt(now));
    encoder.copyChanged(this.#unsent, 0, 1, frame);
    return frame.finish();
  }

  #broadcast(members: Topic, row: number, leftOut: number, listeners: number, now: number): void {
    const { name: topic, encoder, at } = members;
    const frame = this.#frame(encoder as RowEncoder, row, now);
    const { length } = frame;
    const { counts } = this.#parts;
    counts.ticksOut += listeners;
    counts.ticksBroadcast += listeners;
    counts.framesOut += listeners;
    counts.bytesOut += listeners * length;
    this.#parts.publish(topic, frame, encoder?.format.binary === true);
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

  #hold(row: number, groups: Topic[]): void {
    // One that begins with a gap would be kept as a hash table.
    while (this.#rows.length < row) this.#rows.push(undefined);
    this.#rows[row] = groups;
  }

  #sharedEncoderOf(id: number): RowEncoder | undefined {
    const encoder = this.#holders[id]?.encoder;
    return encoder?.isShared ? encoder : undefined;
  }

  #topicOf(groups: Topic[], id: number): Topic | undefined {
    const encoder = this.#sharedEncoderOf(id);
    return groups.find((group) => group.encoder === encoder);
  }
}

/**
 * Who wants a row's ticks as soon as possible (interval 0): the one place where the fan-out starts at the symbol. Each
 * tick goes through those who hold its symbol and do not listen, so they are numbers in a list, and how one stands is a byte.
 *
 * One that has been told all there is may listen to the broadcast: a tick is then one frame, made once and given to the
 * WebSocket library once for all who listen, under a topic of its own. What went to one is not counted when it goes but when the
 * listener is looked at, from what went under its topics; when that must be, it says itself, in bytes of all that is
 * broadcast. Everybody else is woken, and gets turns.
 */
import type { Clock } from "../clock.ts";
import { copied } from "../copied.ts";
import { ENTRY_BYTES, type Entries, type TickEncoder } from "../market/encoder.ts";
import type { MarketTable } from "../market/table.ts";
import { BroadcastGate, type BroadcastStop } from "./broadcast.ts";
import type { GatewayCounts } from "./counts.ts";
import type { Frame } from "./frame.ts";
import type { Listener } from "./listener.ts";
import { BYTES, LEFT_OUT, Members, SENT_AT, TICKS, TOPIC_NUMBERS } from "./members.ts";
import { Numbers } from "./numbers.ts";
import type { Paced, Pacer } from "./pacer.ts";

const FIRST_IDS = 64;
/** So many bytes are broadcast at least between two looks for listeners that are due: each goes through all of them. */
export const LOOK_BYTES = 8_192;

/** How one stands: it has looked at all changes; it is woken and has not looked yet. */
const QUIET = 0;
const CHANGED = 1;
/** The broadcast tells it; and besides that a turn is to tell it what had changed when the broadcast was opened again. */
const LISTENING = 2;
const ARREARS = 3;

/** What the index knows of a subscription. */
export interface ImmediateHolder extends Paced {
  readonly encoder: TickEncoder;
  due: number;
}

/** What it tells one that listens. */
export type ImmediateListener = Pick<Listener, "id" | "look" | "overtaken" | "interrupted" | "settle" | "resumed">;

/** What an index is made of. */
export interface ImmediateParts {
  readonly pacer: Pacer;
  readonly clock: Clock;
  readonly table: MarketTable;
  readonly frame: Frame;
  readonly counts: GatewayCounts;
}

/** Gives a frame to all whose socket has subscribed to the topic; the bytes are only good until it returns. */
export type Publish = (topic: string, frame: Uint8Array, isBinary: boolean) => void;

export class ImmediateIndex {
  readonly gate: BroadcastGate;
  /** The numbers of the topics: what has been broadcast under each. */
  readonly told = new Numbers(TOPIC_NUMBERS);
  /** Bytes of all frames that have been broadcast, each counted once. */
  published = 0;
  /** How ticks are broadcast: the server's. */
  publish: Publish = () => {};
  readonly #parts: ImmediateParts;
  /** Who holds a row, by row. */
  readonly #rows: (Members[] | undefined)[] = [];
  readonly #holders: (ImmediateHolder | undefined)[] = [];
  readonly #free: number[] = [];
  /** Those whose sockets have subscribed to the topics of their rows, whether the broadcast is open or not. */
  readonly #listeners = new Map<number, ImmediateListener>();
  /** How each stands, by id. */
  #states = new Uint8Array(FIRST_IDS);
  /** How many are in arrears. */
  #inArrears = 0;
  /** By id, at which {@link published} a listener is looked at; and the first of them, or one that is past. */
  #lookAt = new Float64Array(FIRST_IDS).fill(Number.POSITIVE_INFINITY);
  #nextLook = Number.POSITIVE_INFINITY;
  #lastLook = Number.NEGATIVE_INFINITY;
  /** An entry of somebody who has been told nothing. */
  readonly #untold: Entries;
  #topics = 0;

  constructor(parts: ImmediateParts) {
    this.#parts = parts;
    this.gate = new BroadcastGate(parts.table, parts.pacer);
    this.#untold = { entries: parts.table.heap.alloc(ENTRY_BYTES) };
  }

  /** How many listen to the broadcast, or will as soon as it is open. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** A subscription begins. @returns its id, until {@link leave} */
  enter(holder: ImmediateHolder): number {
    const id = this.#free.pop() ?? this.#holders.length;
    if (id === this.#states.length) this.#grow(id * 2);
    this.#holders[id] = holder;
    this.#stand(id, QUIET);
    return id;
  }

  /** It has ended, and holds nothing. */
  leave(id: number): void {
    this.#holders[id] = undefined;
    this.#free.push(id);
  }

  /** It holds a row from now on. */
  add(row: number, id: number): void {
    const groups = this.#rows[row];
    let members = groups && this.#membersOf(groups, id);
    if (!members) {
      members = new Members(this.#sharedEncoderOf(id), String(this.#topics++), this.told);
      if (groups) groups.push(members);
      else this.#hold(row, [members]);
    }
    members.add(id);
  }

  /** It does not hold the row any more. */
  remove(row: number, id: number): void {
    const groups = this.#rows[row];
    const members = groups && this.#membersOf(groups, id);
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
  wake(row: number, seq: number): void {
    const groups = this.#rows[row];
    if (!groups) return;
    const now = this.#parts.clock.millis();
    if (this.#listeners.size > 0 && this.gate.isOpen) {
      const stop = this.gate.stop(now);
      if (stop) this.#close(stop, now, row, seq);
    }
    for (const members of groups) this.#wake(members, row, seq, now);
    // Not before all have been told: who does not listen any more counts as having been.
    if (this.published >= this.#nextLook) this.#lookAtDue(now);
  }

  /** Whether anything has changed for it that it has not looked at. */
  hasChanged(id: number): boolean {
    return this.#stateOf(id) === CHANGED || this.#stateOf(id) === ARREARS;
  }

  /** It looks at what has changed: what changes from now on is news. */
  take(id: number): void {
    if (this.#stateOf(id) === CHANGED) this.#stand(id, QUIET);
  }

  /** It has been told all that had changed. */
  caughtUp(id: number, now: number): void {
    if (this.#stateOf(id) !== ARREARS) return;
    // What its feed left out until now has been told by its marks.
    this.#listeners.get(id)?.settle(now);
    this.#stand(id, LISTENING);
  }

  /** Whether it is the broadcast that tells it, and nothing else is to be told. */
  isListening(id: number): boolean {
    return this.#stateOf(id) === LISTENING;
  }

  /** Whether ticks are broadcast to it. */
  hears(id: number): boolean {
    return this.#stateOf(id) >= LISTENING;
  }

  /**
   * Its socket subscribes to the topic of a row that it holds: to be called for each of its rows before {@link listen}.
   * @returns the topic, and where the numbers of that are
   */
  listenTo(row: number, id: number): Pick<Members, "topic" | "at"> {
    const members = this.#membersOf(this.#rows[row] as Members[], id) as Members;
    members.listen(id);
    return members;
  }

  /** Its socket gives up the topic of a row: to be called for each of its rows with {@link unlisten}. @returns the topic */
  unlistenTo(row: number, id: number): string {
    const members = this.#membersOf(this.#rows[row] as Members[], id) as Members;
    members.unlisten(id);
    return members.topic;
  }

  /** Listeners are looked at when so many bytes more have been broadcast, to whomever. */
  lookAfter(id: number, bytes: number): void {
    const at = this.published + bytes;
    this.#lookAt[id] = at;
    if (at < this.#nextLook) this.#nextLook = Math.max(at, this.#lastLook + LOOK_BYTES);
  }

  /** It has been told all, and has subscribed to its topics: from now on the broadcast tells it. It must say when to be looked at. */
  listen(listener: ImmediateListener): void {
    this.#listeners.set(listener.id, listener);
    this.#stand(listener.id, LISTENING);
  }

  /** From now on it gets turns again. */
  unlisten(id: number): void {
    this.#listeners.delete(id);
    this.#lookAt[id] = Number.POSITIVE_INFINITY;
    this.#stand(id, this.hasChanged(id) ? CHANGED : QUIET);
  }

  /** To be called often: opens the broadcast again when it is time. */
  look(now: number): void {
    if (!this.gate.tryOpen(now)) return;
    for (const [id, listener] of this.#listeners) {
      const isToldAll = listener.resumed(now);
      if (this.#listeners.has(id)) this.#stand(id, isToldAll ? LISTENING : ARREARS);
    }
  }

  #stateOf(id: number): number {
    return this.#states[id];
  }

  #stand(id: number, state: number): void {
    if (this.#states[id] === ARREARS) this.#inArrears--;
    if (state === ARREARS) this.#inArrears++;
    this.#states[id] = state;
  }

  #grow(ids: number): void {
    this.#states = copied(new Uint8Array(ids), this.#states);
    this.#lookAt = copied(new Float64Array(ids).fill(Number.POSITIVE_INFINITY), this.#lookAt);
  }

  #close(stop: BroadcastStop, now: number, row: number, seq: number): void {
    this.gate.close(stop, now);
    this.#parts.counts.broadcastStops[stop]++;
    for (const [id, listener] of this.#listeners) {
      const state = this.#stateOf(id);
      if (state === LISTENING) listener.interrupted(now, row, seq);
      else listener.settle(now);
      this.#stand(id, state === LISTENING ? QUIET : CHANGED);
    }
  }

  #wake(members: Members, row: number, seq: number, now: number): void {
    const { ids, count } = members;
    const states = this.#states;
    const listeners = this.gate.isOpen ? members.listening : 0;
    let inArrears = 0;
    // With those who listen nothing is to be done one by one, unless the broadcast overtakes what they are still to be told.
    for (let index = this.#inArrears === 0 ? listeners : 0; index < count; index++) {
      const id = ids[index];
      const state = states[id];
      if (state === ARREARS) {
        inArrears++;
        this.#listeners.get(id)?.overtaken(row, now);
      } else if (state === QUIET) {
        states[id] = CHANGED;
        const holder = this.#holders[id] as ImmediateHolder;
        holder.due = now;
        this.#parts.pacer.hurry(holder);
      }
    }
    if (listeners === 0) return;
    // What the feed left out, or the bus.
    const leftOut = seq > 0 ? Math.max(0, this.#parts.table.seq[row] - seq - 1) : 0;
    if (leftOut > 0 && listeners > inArrears)
      this.#parts.counts.conflated(leftOut * (listeners - inArrears), 0, 0, 0, 0);
    this.#broadcast(members, row, leftOut, listeners, now);
  }

  #frame(encoder: TickEncoder, row: number, now: number): Uint8Array {
    const { frame, table, clock } = this.#parts;
    const { i32 } = table.heap;
    const at = this.#untold.entries >>> 2;
    i32[at] = row;
    i32[at + 1] = 0;
    frame.begin(encoder.format, Number.POSITIVE_INFINITY, clock.microsAt(now));
    encoder.copyChanged(this.#untold, 0, 1, frame);
    return frame.finish();
  }

  #broadcast(members: Members, row: number, leftOut: number, listeners: number, now: number): void {
    const { topic, encoder, at } = members;
    const frame = this.#frame(encoder as TickEncoder, row, now);
    const { length } = frame;
    const { counts } = this.#parts;
    counts.ticksOut += listeners;
    counts.ticksBroadcast += listeners;
    counts.framesOut += listeners;
    counts.bytesOut += listeners * length;
    this.publish(topic, frame, encoder?.format.binary === true);
    const { f64 } = this.told;
    f64[at + BYTES] += length;
    f64[at + TICKS]++;
    f64[at + LEFT_OUT] += leftOut;
    f64[at + SENT_AT] = this.#parts.frame.sentAt;
    this.published += length;
  }

  #lookAtDue(now: number): void {
    const { published } = this;
    let next = Number.POSITIVE_INFINITY;
    for (let id = 0; id < this.#holders.length; id++) {
      if (this.#lookAt[id] <= published) this.#listeners.get(id)?.look(now);
      if (this.#lookAt[id] < next) next = this.#lookAt[id];
    }
    this.#lastLook = published;
    this.#nextLook = Math.max(next, published + LOOK_BYTES);
  }

  #hold(row: number, groups: Members[]): void {
    // One that begins with a gap would be kept as a hash table.
    while (this.#rows.length < row) this.#rows.push(undefined);
    this.#rows[row] = groups;
  }

  #sharedEncoderOf(id: number): TickEncoder | undefined {
    const encoder = this.#holders[id]?.encoder;
    return encoder?.isShared ? encoder : undefined;
  }

  #membersOf(groups: Members[], id: number): Members | undefined {
    const encoder = this.#sharedEncoderOf(id);
    return groups.find((group) => group.encoder === encoder);
  }
}

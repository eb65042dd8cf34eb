/**
 * Who wants a row's ticks as soon as possible (interval 0): the one place where the fan-out starts at the symbol. Each
 * tick goes through all who hold its symbol, so they are numbers in a list, and how one stands is a byte.
 *
 * One that has been told all there is may listen to the broadcast: a tick is then one frame, made once and given to the
 * WebSocket library once for all who listen, under a topic of its own. What goes to each is counted down from what its
 * window allows; where that is used up, it is looked at. Everybody else is woken, and gets turns.
 */
import type { Clock } from "../clock.ts";
import { copied } from "../copied.ts";
import { ENTRY_BYTES, type Entries, type TickEncoder } from "../market/encoder.ts";
import type { MarketTable } from "../market/table.ts";
import { BroadcastGate, type BroadcastStop } from "./broadcast.ts";
import type { GatewayCounts } from "./counts.ts";
import type { Frame } from "./frame.ts";
import type { Listener } from "./listener.ts";
import type { Paced, Pacer } from "./pacer.ts";

const FIRST_IDS = 64;
const FIRST_MEMBERS = 8;

/** How one stands, in its numbers: it has looked at all changes; it is woken and has not looked yet. */
const QUIET = 0;
const CHANGED = 1;
/** The broadcast tells it; and besides that a turn is to tell it what had changed when the broadcast was opened again. */
const LISTENING = 2;
const ARREARS = 3;

/**
 * The numbers of each, by place: how it stands; and of one that listens, bytes and ticks that it may still get, and ticks that the
 * feed left out. All that a tick touches of it lies together: it was last touched thousands of sends ago.
 */
const STATE = 0;
export const BYTES_LEFT = 1;
export const TICKS_LEFT = 2;
export const LEFT_OUT = 3;
/** How many numbers each has. */
export const BUDGET = 4;

/** What the index knows of a subscription. */
export interface ImmediateHolder extends Paced {
  readonly encoder: TickEncoder;
  due: number;
}

/** What it tells one that listens. */
export type ImmediateListener = Pick<Listener, "id" | "spent" | "overtaken" | "interrupted" | "settle" | "resumed">;

/** Those who hold a row with one field list, in no order. */
class Members {
  /** Undefined where ticks are encoded for each of them alone. */
  readonly encoder: TickEncoder | undefined;
  readonly topic: string;
  ids = new Int32Array(FIRST_MEMBERS);
  count = 0;

  constructor(encoder: TickEncoder | undefined, topic: string) {
    this.encoder = encoder;
    this.topic = topic;
  }

  add(id: number): void {
    if (this.count === this.ids.length) this.#resize(this.count * 2);
    this.ids[this.count++] = id;
  }

  remove(id: number): void {
    // Looking through all is one of the fastest things that a processor does: a million of them a millisecond.
    const index = this.ids.indexOf(id);
    if (index < 0 || index >= this.count) return;
    this.ids[index] = this.ids[--this.count];
    if (this.count < this.ids.length / 4 && this.ids.length > FIRST_MEMBERS) this.#resize(this.ids.length / 2);
  }

  #resize(length: number): void {
    this.ids = copied(new Int32Array(length), this.ids.subarray(0, this.count));
  }
}

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
  /** By id, {@link BUDGET} numbers of each. Replaced when there are more: read it from here at each use. */
  budgets = new Int32Array(FIRST_IDS * BUDGET);
  /** How ticks are broadcast: the server's. */
  publish: Publish = () => {};
  readonly #parts: ImmediateParts;
  /** Who holds a row, by row. */
  readonly #rows: (Members[] | undefined)[] = [];
  readonly #holders: (ImmediateHolder | undefined)[] = [];
  readonly #free: number[] = [];
  /** Those whose sockets have subscribed to the topics of their rows, whether the broadcast is open or not. */
  readonly #listeners = new Map<number, ImmediateListener>();
  readonly #spent: number[] = [];
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
    if (id * BUDGET === this.budgets.length) this.budgets = copied(new Int32Array(id * 2 * BUDGET), this.budgets);
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
      members = new Members(this.#sharedEncoderOf(id), String(this.#topics++));
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
  caughtUp(id: number): void {
    if (this.#stateOf(id) === ARREARS) this.#stand(id, LISTENING);
  }

  /** Whether it is the broadcast that tells it, and nothing else is to be told. */
  isListening(id: number): boolean {
    return this.#stateOf(id) === LISTENING;
  }

  /** Whether ticks are broadcast to it. */
  hears(id: number): boolean {
    return this.#stateOf(id) >= LISTENING;
  }

  /** The topic of a row that it holds. */
  topicOf(row: number, id: number): string {
    return this.#membersOf(this.#rows[row] as Members[], id)?.topic as string;
  }

  /** It has been told all, and has subscribed to its topics: from now on the broadcast tells it. Its budget must be set. */
  listen(listener: ImmediateListener): void {
    this.#listeners.set(listener.id, listener);
    this.#stand(listener.id, LISTENING);
  }

  /** From now on it gets turns again. */
  unlisten(id: number): void {
    this.#listeners.delete(id);
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
    return this.budgets[id * BUDGET + STATE];
  }

  #stand(id: number, state: number): void {
    this.budgets[id * BUDGET + STATE] = state;
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
    const { pacer, table } = this.#parts;
    const { budgets } = this;
    // What the feed left out, or the bus.
    const leftOut = seq > 0 ? Math.max(0, table.seq[row] - seq - 1) : 0;
    let listeners = 0;
    let inArrears = 0;
    let frame: Uint8Array | undefined;
    let bytes = 0;
    for (let index = 0; index < count; index++) {
      const id = ids[index];
      const at = id * BUDGET;
      const state = budgets[at + STATE];
      if (state >= LISTENING) {
        if (!frame) {
          frame = this.#frame(members.encoder as TickEncoder, row, now);
          bytes = frame.length;
        }
        listeners++;
        const bytesLeft = budgets[at + BYTES_LEFT] - bytes;
        const ticksLeft = budgets[at + TICKS_LEFT] - 1;
        budgets[at + BYTES_LEFT] = bytesLeft;
        budgets[at + TICKS_LEFT] = ticksLeft;
        if (state === LISTENING) budgets[at + LEFT_OUT] += leftOut;
        else {
          inArrears++;
          this.#listeners.get(id)?.overtaken(row, now);
        }
        if (bytesLeft <= 0 || ticksLeft <= 0) this.#spent.push(id);
      } else if (state === QUIET) {
        budgets[at + STATE] = CHANGED;
        const holder = this.#holders[id] as ImmediateHolder;
        holder.due = now;
        pacer.hurry(holder);
      }
    }
    if (!frame) return;
    if (leftOut > 0 && listeners > inArrears)
      this.#parts.counts.conflated(leftOut * (listeners - inArrears), 0, 0, 0, 0);
    this.#broadcast(members, frame, listeners, now);
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

  #broadcast({ topic, encoder }: Members, frame: Uint8Array, listeners: number, now: number): void {
    const { counts } = this.#parts;
    counts.ticksOut += listeners;
    counts.ticksBroadcast += listeners;
    counts.framesOut += listeners;
    counts.bytesOut += listeners * frame.length;
    this.publish(topic, frame, encoder?.format.binary === true);
    if (this.#spent.length === 0) return;
    for (const id of this.#spent) this.#listeners.get(id)?.spent(now);
    this.#spent.length = 0;
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

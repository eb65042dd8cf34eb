/**
 * What one subscription of interval 0 is to the broadcast: its topics at the socket, the budget of what may be broadcast to it,
 * and what was told of each symbol when it goes back to turns. See immediate.ts.
 */
import { markOf, ticksBetween } from "../market/mark.ts";
import type { MarketTable } from "../market/table.ts";
import type { GatewayContext } from "./context.ts";
import { BUDGET, BYTES_LEFT, type ImmediateIndex, LEFT_OUT, TICKS_LEFT } from "./immediate.ts";
import type { Subscription, Way } from "./subscription.ts";

/** How long one that has listened gets turns before it listens again, ms: to begin and to end it costs as much as some turns. */
const UNLISTENED_TIME = 1_000;
/** More ticks than are ever broadcast to one until it is looked at. */
const MANY_TICKS = 1_000_000_000;

export class Listener {
  /** Its id in the index of those who want ticks as soon as possible. */
  readonly id: number;
  /** Whether the broadcast, while it is open, comes to it. */
  listens = false;
  readonly #subscription: Subscription;
  readonly #way: Way;
  readonly #table: MarketTable;
  readonly #immediate: ImmediateIndex;
  /** The most symbols of one that listens. */
  readonly #mostSymbols: number;
  /** Until when it gets turns, ms. */
  #turnsUntil = Number.NEGATIVE_INFINITY;
  /** Of its budget, what has not been settled with the way. */
  #bytes = 0;
  #ticks = 0;

  constructor(subscription: Subscription, way: Way, { table, immediate, settings }: GatewayContext) {
    this.#subscription = subscription;
    this.#way = way;
    this.#table = table;
    this.#immediate = immediate;
    this.#mostSymbols = settings.broadcastSymbols;
    this.id = immediate.enter(subscription);
  }

  /** It has been told all there is: listens from now on, if it may. */
  listen(now: number): void {
    const { closed, count, encoder } = this.#subscription;
    if (this.listens || closed || count > this.#mostSymbols || now < this.#turnsUntil || !encoder.isShared) return;
    if (!this.#immediate.gate.isOpen || !this.#way.mayListen(now)) return;
    this.listens = true;
    for (let index = 0; index < count; index++) this.#way.subscribe(this.#topicAt(index));
    this.#immediate.listen(this);
    this.#grant(now);
  }

  /** Gets turns from now on, if it listens. */
  unlisten(now: number): void {
    if (!this.listens) return;
    if (this.#immediate.isListening(this.id)) this.interrupted(now, -1, 0);
    else this.settle(now);
    this.#immediate.unlisten(this.id);
    this.listens = false;
    this.#turnsUntil = now + UNLISTENED_TIME;
    for (let index = 0; index < this.#subscription.count; index++) this.#way.unsubscribe(this.#topicAt(index));
  }

  /** Its budget is used up with the tick that stands in the frame and has just been broadcast. */
  spent(now: number): void {
    // That tick is told as one that a turn has sent: it may be the one that is followed.
    this.#settle(now, 1);
    this.#way.delivers(0, now, now, 0);
    this.#way.pingIfDue(now);
    this.#grant(now);
  }

  /** It has arrears, and the broadcast tells it of a row what stands now. */
  overtaken(row: number, now: number): void {
    const { entries, due } = this.#subscription;
    const { i32, u32 } = this.#table.heap;
    let at = entries >>> 2;
    while (i32[at] !== row) at += 2;
    const before = u32[at + 1];
    const mark = u32[(this.#table.markAt >>> 2) + row];
    u32[at + 1] = mark;
    const replaced = before > 0 ? ticksBetween(before, mark) : 0;
    if (replaced > 0) this.#way.replaced(replaced, 0, 0, now - due, 0);
  }

  /** The broadcast is closed: what it was told is all but what has changed of one row since it had `seq`. */
  interrupted(now: number, row: number, seq: number): void {
    const { entries, count } = this.#subscription;
    const { markAt, heap } = this.#table;
    const { i32, u32 } = heap;
    this.settle(now);
    this.#subscription.toldAll(now);
    for (let index = 0; index < count; index++) {
      const at = (entries >>> 2) + index * 2;
      const each = i32[at];
      if (each === row) u32[at + 1] = seq > 0 ? markOf(seq) : 0;
      else u32[at + 1] = u32[(markAt >>> 2) + each];
    }
  }

  /** The broadcast is open again: listens, or does not any more. @returns whether it has been told all */
  resumed(now: number): boolean {
    if (this.#subscription.mayResume) this.#grant(now);
    else this.unlisten(now);
    return !this.#subscription.isInArrears;
  }

  /** Tells the way what has been broadcast since it was last told. */
  settle(now: number): void {
    if (this.listens) this.#settle(now, 0);
  }

  /** After {@link settle}, and perhaps a ping: what it may get is counted anew. */
  tend(now: number): void {
    if (this.listens && this.#immediate.hears(this.id)) this.#grant(now);
  }

  /** @param but so many ticks are told otherwise */
  #settle(now: number, but: number): void {
    const { budgets } = this.#immediate;
    const at = this.id * BUDGET;
    const bytes = this.#bytes - budgets[at + BYTES_LEFT];
    if (bytes === 0) return;
    this.#way.settle(bytes, this.#ticks - budgets[at + TICKS_LEFT] - but, budgets[at + LEFT_OUT], now);
    this.#bytes = budgets[at + BYTES_LEFT];
    this.#ticks = budgets[at + TICKS_LEFT];
    budgets[at + LEFT_OUT] = 0;
  }

  /** How much may be broadcast to it; nothing, and it does not listen any more. */
  #grant(now: number): void {
    const bytes = Math.floor(this.#way.budget(now));
    if (bytes <= 0) return this.unlisten(now);
    const { budgets } = this.#immediate;
    const at = this.id * BUDGET;
    this.#bytes = budgets[at + BYTES_LEFT] = bytes;
    this.#ticks = budgets[at + TICKS_LEFT] = Math.min(MANY_TICKS, this.#way.tickBudget);
    budgets[at + LEFT_OUT] = 0;
  }

  #topicAt(index: number): string {
    return this.#immediate.topicOf(this.#subscription.rowAt(index), this.id);
  }
}

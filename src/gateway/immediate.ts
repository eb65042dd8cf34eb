/**
 * Who wants a row's ticks as soon as possible (interval 0): the one place where the fan-out starts at the symbol. Each
 * tick goes through all who hold its symbol, so they are numbers in a list, and whether one has been woken already is a
 * byte; of five million a second nearly all have been where there is more to send than can be sent.
 */
import type { Clock } from "../clock.ts";
import { copied } from "../copied.ts";
import type { Pacer } from "./pacer.ts";
import type { Subscription } from "./subscription.ts";

const FIRST_IDS = 64;
const FIRST_MEMBERS = 8;

/** The ids of those who hold a row, in no order. */
class Members {
  ids = new Int32Array(FIRST_MEMBERS);
  count = 0;

  add(id: number): void {
    if (this.count === this.ids.length) this.#resize(this.count * 2);
    this.ids[this.count++] = id;
  }

  /** @returns whether any are left */
  remove(id: number): boolean {
    // Looking through all is one of the fastest things that a processor does: a million of them a millisecond.
    const index = this.ids.indexOf(id);
    if (index < 0 || index >= this.count) return this.count > 0;
    this.ids[index] = this.ids[--this.count];
    if (this.count < this.ids.length / 4 && this.ids.length > FIRST_MEMBERS) this.#resize(this.ids.length / 2);
    return this.count > 0;
  }

  #resize(length: number): void {
    this.ids = copied(new Int32Array(length), this.ids.subarray(0, this.count));
  }
}

export class ImmediateIndex {
  readonly #pacer: Pacer;
  readonly #clock: Clock;
  readonly #rows = new Map<number, Members>();
  readonly #subscriptions: (Subscription | undefined)[] = [];
  readonly #free: number[] = [];
  /** By id: whether any of its symbols has changed since it was last {@link take}n. */
  #changed = new Uint8Array(FIRST_IDS);

  constructor(pacer: Pacer, clock: Clock) {
    this.#pacer = pacer;
    this.#clock = clock;
  }

  /** A subscription begins. @returns its id, until {@link leave} */
  enter(subscription: Subscription): number {
    const id = this.#free.pop() ?? this.#subscriptions.length;
    if (id === this.#changed.length) this.#changed = copied(new Uint8Array(id * 2), this.#changed);
    this.#subscriptions[id] = subscription;
    this.#changed[id] = 0;
    return id;
  }

  /** It has ended, and holds nothing. */
  leave(id: number): void {
    this.#subscriptions[id] = undefined;
    this.#free.push(id);
  }

  /** It holds a row from now on. */
  add(row: number, id: number): void {
    const members = this.#rows.get(row);
    if (members) return members.add(id);
    const first = new Members();
    first.add(id);
    this.#rows.set(row, first);
  }

  /** It does not hold the row any more. */
  remove(row: number, id: number): void {
    if (this.#rows.get(row)?.remove(id) === false) this.#rows.delete(row);
  }

  /** How many hold a row. */
  countOf(row: number): number {
    return this.#rows.get(row)?.count ?? 0;
  }

  /** A row has changed: who holds it gets a turn, one for all that changes until then. */
  wake(row: number): void {
    const members = this.#rows.get(row);
    if (!members) return;
    const { ids, count } = members;
    const changed = this.#changed;
    for (let index = 0; index < count; index++) {
      const id = ids[index];
      if (changed[id]) continue;
      changed[id] = 1;
      const subscription = this.#subscriptions[id] as Subscription;
      subscription.due = this.#clock.millis();
      this.#pacer.hurry(subscription);
    }
  }

  /** Whether anything has changed for it. */
  hasChanged(id: number): boolean {
    return this.#changed[id] === 1;
  }

  /** It looks at what has changed: what changes from now on is news. */
  take(id: number): void {
    this.#changed[id] = 0;
  }
}

/** Those who hold a row at interval 0 with one field list, first those who listen; and what has been broadcast to these. */
import { copied } from "../../base/copied.ts";
import type { Numbers } from "./numbers.ts";
import type { RowEncoder } from "./row_encoder.ts";

const FIRST_IDS = 8;

/**
 * What has been broadcast under the topic since it is there: bytes, ticks, and ticks that their feed left out. Who listens needs
 * only the sums of its topics, now and when it last looked, so that a tick costs nothing for each of those who get it.
 */
export const BYTES = 0;
export const TICKS = 1;
export const LEFT_OUT = 2;
/** When the last of them was, microseconds since the Unix epoch. */
export const SENT_AT = 3;
/** How many numbers a topic has. */
export const TOPIC_NUMBERS = 4;

export class Topic {
  /** Undefined where ticks are encoded for each of them alone. */
  readonly encoder: RowEncoder | undefined;
  readonly name: string;
  /** Where the numbers of the topic are. */
  readonly at: number;
  ids = new Int32Array(FIRST_IDS);
  count = 0;
  /** How many of them listen, and so come first. */
  subscribers = 0;
  /** Of each subscriber, by its position in {@link ids}: the entry of its subscription that has the row. */
  readonly #entries: number[] = [];
  readonly #numbers: Numbers;

  /** @param numbers where its numbers are to be, of {@link TOPIC_NUMBERS} */
  constructor(encoder: RowEncoder | undefined, topic: string, numbers: Numbers) {
    this.encoder = encoder;
    this.name = topic;
    this.#numbers = numbers;
    this.at = numbers.take();
  }

  add(id: number): void {
    if (this.count === this.ids.length) this.#resize(this.count * 2);
    this.ids[this.count++] = id;
  }

  /** One that does not listen any more holds the row no longer. */
  remove(id: number): void {
    const index = this.#indexOf(id);
    if (index < 0) return;
    this.ids[index] = this.ids[--this.count];
    if (this.count < this.ids.length / 4 && this.ids.length > FIRST_IDS) this.#resize(this.ids.length / 2);
  }

  /** One of the holders subscribes to the topic. @param entry the entry of its subscription that has the row */
  subscribe(id: number, entry: number): void {
    const index = this.#indexOf(id);
    if (index < this.subscribers) return;
    this.#swap(index, this.subscribers++);
    this.#entries.push(entry);
  }

  unsubscribe(id: number): void {
    const index = this.#indexOf(id);
    if (index < 0 || index >= this.subscribers) return;
    this.#swap(index, --this.subscribers);
    const last = this.#entries.pop() as number;
    if (index < this.subscribers) this.#entries[index] = last;
  }

  /** The entry of a subscriber that has the row. @param index the subscriber's position in {@link ids} */
  entryAt(index: number): number {
    return this.#entries[index];
  }

  /** Nobody is left. */
  close(): void {
    this.#numbers.give(this.at);
  }

  #indexOf(id: number): number {
    // Looking through all is one of the fastest things that a processor does: a million of them a millisecond.
    const index = this.ids.indexOf(id);
    return index < this.count ? index : -1;
  }

  #swap(one: number, other: number): void {
    const { ids } = this;
    [ids[one], ids[other]] = [ids[other], ids[one]];
  }

  #resize(length: number): void {
    this.ids = copied(new Int32Array(length), this.ids.subarray(0, this.count));
  }
}

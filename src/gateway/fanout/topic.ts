/** The holders of a row at interval 0 with one encoder, first its subscribers; and what has been broadcast to these. */
import { copied } from "../../base/enlarged_array.ts";
import type { RowEncoder } from "../../market/row_encoder.ts";
import type { Numbers } from "./numbers.ts";

const FIRST_IDS = 8;

/**
 * What has been broadcast under the topic since it exists: bytes, ticks, and ticks that the feed left out. A subscriber
 * is audited with the sums of its topics, so that a tick costs nothing for each subscriber.
 */
export const BYTES = 0;
export const TICKS = 1;
export const LEFT_OUT = 2;
/** When the last frame was published, microseconds since the Unix epoch. */
export const SENT_AT = 3;
/** How many numbers a topic has. */
export const TOPIC_NUMBERS = 4;

export class Topic {
  /** Undefined where rows are encoded for each holder alone. */
  readonly encoder: RowEncoder | undefined;
  readonly name: string;
  /** The position of the numbers of the topic. */
  readonly at: number;
  ids = new Int32Array(FIRST_IDS);
  count = 0;
  /** How many of the holders are subscribers: these come first. */
  subscribers = 0;
  /** Of each subscriber, by its position in {@link ids}: the entry of its subscription that has the row. */
  readonly #entries: number[] = [];
  readonly #numbers: Numbers;

  /** @param numbers gives it {@link TOPIC_NUMBERS} numbers */
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

  /** A holder that is no subscriber holds the row no longer. */
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

  /** The last holder has been removed. */
  close(): void {
    this.#numbers.give(this.at);
  }

  #indexOf(id: number): number {
    // A search through all is fast: a million ids take a millisecond.
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

/** Those who hold a row at interval 0 with one field list, in no order; and what has been broadcast to those of them who listen. */
import { copied } from "../copied.ts";
import type { TickEncoder } from "../market/encoder.ts";
import type { Numbers } from "./numbers.ts";

const FIRST_MEMBERS = 8;

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

export class Members {
  /** Undefined where ticks are encoded for each of them alone. */
  readonly encoder: TickEncoder | undefined;
  readonly topic: string;
  /** Where the numbers of the topic are. */
  readonly at: number;
  ids = new Int32Array(FIRST_MEMBERS);
  count = 0;
  readonly #numbers: Numbers;

  /** @param numbers where its numbers are to be, of {@link TOPIC_NUMBERS} */
  constructor(encoder: TickEncoder | undefined, topic: string, numbers: Numbers) {
    this.encoder = encoder;
    this.topic = topic;
    this.#numbers = numbers;
    this.at = numbers.take();
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

  /** Nobody is left. */
  close(): void {
    this.#numbers.give(this.at);
  }

  #resize(length: number): void {
    this.ids = copied(new Int32Array(length), this.ids.subarray(0, this.count));
  }
}

/** The marks of the feeds that one read of a shard's hash has met: which batches the hash had. */
import { feedOfMark, isMarkField, type Mark, parseMark } from "../../wire/wire.ts";
import type { FeedStream } from "./feed_stream.ts";

export class ReadMarks {
  /** Before the records were read: the values are at least as new. */
  readonly #first = new Map<string, Mark>();
  readonly #unreadable = new Set<string>();
  /** Of a series, at the end of the read, which may have some of these batches in part. */
  readonly #last = new Map<string, Mark>();

  clear(): void {
    this.#first.clear();
    this.#unreadable.clear();
    this.#last.clear();
  }

  /**
   * @param entries fields and values of the hash, alternating, with the marks
   * @param isWanted whether one more feed is wanted, where there are so many already
   * @param unreadable is called with each feed whose mark is none
   */
  take(
    entries: readonly Buffer[],
    isWanted: (feed: string, count: number) => boolean,
    unreadable: (feed: string) => void,
  ): void {
    for (let index = 0; index + 1 < entries.length; index += 2) {
      if (!isMarkField(entries[index])) continue;
      const feed = feedOfMark(entries[index]);
      if (!isWanted(feed, this.#first.size + this.#unreadable.size)) continue;
      const mark = parseMark(entries[index + 1]);
      if (mark?.feed === feed) this.#first.set(feed, mark);
      else {
        this.#unreadable.add(feed);
        unreadable(feed);
      }
    }
  }

  /** As {@link take}, at the end of the read. @param isWanted whether a feed is known */
  takeLast(entries: readonly Buffer[], isWanted: (feed: string) => boolean): void {
    for (let index = 0; index + 1 < entries.length; index += 2) {
      const mark = isMarkField(entries[index]) ? parseMark(entries[index + 1]) : undefined;
      if (mark && isWanted(mark.feed)) this.#last.set(mark.feed, mark);
    }
  }

  of(feed: string): Mark | undefined {
    return this.#first.get(feed);
  }

  lastOf(feed: string): Mark | undefined {
    return this.#last.get(feed);
  }

  settle(feed: string, stream: FeedStream): void {
    if (this.#unreadable.has(feed)) stream.settleUnmarked();
    else stream.settle(this.#first.get(feed));
  }
}

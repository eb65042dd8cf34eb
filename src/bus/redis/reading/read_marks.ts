/** The marks of the feeds that one read of a shard's hash has met: which batches the hash had. */
import type { BusRecord } from "../../../market/bus_record.ts";
import { feedOfMark, isMarkField, type Mark, parseMark } from "../../wire/wire.ts";
import type { FeedStream } from "./feed_stream.ts";

export class ReadMarks {
  /** Before the records were read: the values are at least as new. */
  readonly #first = new Map<string, Mark>();
  readonly #unreadable = new Set<string>();
  /** Of a series, at the end of the read, which may have some of these batches in part. */
  readonly #last = new Map<string, Mark>();
  /** Streams of which the read had a later sign of life. */
  readonly #renewed = new Set<FeedStream>();

  clear(): void {
    this.#first.clear();
    this.#unreadable.clear();
    this.#last.clear();
    this.#renewed.clear();
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

  /**
   * Of a series, what is missing must come before the rest, or clients would get it too late: also what the read may
   * have of batches that have not come.
   */
  mustWait(stream: FeedStream, feed: string): boolean {
    if (stream.epoch === 0) return false;
    return stream.isIncomplete || (stream.isHeard && stream.isBehind(this.#last.get(feed)));
  }

  /**
   * Derives from the store when a stream that is not heard was last alive: the time of its newest value that was not
   * heard here. That is by the publisher's clock, so it is limited to our time.
   * @param now microseconds since the Unix epoch
   */
  noteAlive(feed: string, stream: FeedStream, record: BusRecord, now: number): void {
    if (stream.aliveAt > 0 && !this.#renewed.has(stream) && !stream.isBehind(this.#first.get(feed))) return;
    const receivedAt = Number.isNaN(record.receivedAt) ? record.eventTime : record.receivedAt;
    const time = Math.min(Math.max(receivedAt, record.since), now);
    if (time <= stream.aliveAt) return;
    stream.aliveAt = time;
    this.#renewed.add(stream);
  }

  settle(feed: string, stream: FeedStream): void {
    stream.endRead(this.#unreadable.has(feed) ? "unreadable" : this.#first.get(feed));
  }
}

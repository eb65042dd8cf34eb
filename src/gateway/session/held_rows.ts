/** The rows that one connection holds: a subscription for each interval and field list. A row is in one at a time. */
import type { BusReader } from "../../bus/bus.ts";
import type { EncoderPool } from "../../market/encoder_pool.ts";
import type { FrameFormat } from "../../market/frame_format.ts";
import type { VisibleRows } from "../access/visible_rows.ts";
import type { BroadcastSink, Sink } from "../fanout/sink.ts";
import { type RowSet, Subscription, type SubscriptionParts } from "../fanout/subscription.ts";
import { type Granted, NO_MEMORY, noRoom, type Refusal } from "./grants.ts";
import type { Grant } from "./patterns.ts";
import type { Wanted } from "./wanted_rows.ts";

/** What the held rows of all connections share. */
export interface HeldRowsParts extends SubscriptionParts {
  readonly bus: BusReader;
  readonly encoders: EncoderPool;
}

export class HeldRows {
  readonly #parts: HeldRowsParts;
  readonly #visible: VisibleRows;
  readonly #sink: Sink & BroadcastSink;
  readonly #format: FrameFormat;
  /** By interval and grant. */
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #grants = new Map<Subscription, Grant>();
  #count = 0;
  #interval = Number.POSITIVE_INFINITY;

  constructor(parts: HeldRowsParts, visible: VisibleRows, sink: Sink & BroadcastSink, format: FrameFormat) {
    this.#parts = parts;
    this.#visible = visible;
    this.#sink = sink;
    this.#format = format;
  }

  get count(): number {
    return this.#count;
  }

  /** The shortest interval of them, ms; infinite where there are none. */
  get interval(): number {
    return this.#interval;
  }

  get subscriptions(): Iterable<Subscription> {
    return this.#subscriptions.values();
  }

  *rows(): Generator<number, void, void> {
    for (const subscription of this.#subscriptions.values())
      for (let index = 0; index < subscription.count; index++) yield subscription.rowAt(index);
  }

  /** Each row with its grant and the interval that was granted, ms. */
  *entries(): Generator<[row: number, grant: Grant, interval: number], void, void> {
    for (const [subscription, grant] of this.#grants)
      for (let index = 0; index < subscription.count; index++)
        yield [subscription.rowAt(index), grant, subscription.interval];
  }

  /**
   * Moves rows into the subscription of a grant, as many as there is room for, those that are held already first.
   * Others are rejected by the text that named them.
   * @param most how many rows the connection may hold
   * @param part gets the rows that were moved
   * @param refused texts that have been rejected already because there was no room
   */
  move(wanted: Wanted, part: Granted, most: number, refused: Set<string>): void {
    const { table, bus, counts, scheduler, clock } = this.#parts;
    const refuse = (text: string, refusal: Refusal) => {
      if (refused.has(text)) return;
      refused.add(text);
      part.rejected.push({ symbol: text, ...refusal });
    };
    /** Each with the mark of what was sent of it. */
    const moved = new Map<number, number>();
    this.remove(wanted, (row, mark) => moved.set(row, mark));
    const held = moved.size;
    for (const [row, text] of wanted) {
      if (moved.has(row)) continue;
      if (this.#count + moved.size >= most) {
        refuse(text, noRoom(most));
        continue;
      }
      this.#visible.hold(table.symbols[row], this.#visible.delayOf(row));
      bus.follow(table.symbols[row]);
      moved.set(row, 0);
    }
    if (moved.size > 0) {
      const subscription = this.#subscription(part.grant, part.interval);
      if (subscription.reserve(moved.size)) {
        const { encoder } = subscription;
        let index = 0;
        for (const [row, sent] of moved) {
          // Of one that is held, and of which nothing was sent, all is still to be sent.
          const isUnsent = index++ < held && sent === 0;
          const mark = encoder.firstMark(row, sent, isUnsent ? Number.POSITIVE_INFINITY : part.last);
          moved.set(row, mark);
          part.counts.push(encoder.countBehind(row, mark));
        }
        subscription.add(moved, clock.millis());
        this.#count += moved.size;
        counts.subscriptions += moved.size;
        scheduler.scheduleNow(subscription);
        for (const row of moved.keys()) part.rows.push(row);
      } else {
        for (const row of moved.keys()) {
          refuse(wanted.get(row) as string, NO_MEMORY);
          this.release(row);
        }
      }
    }
    this.endEmpty();
  }

  /**
   * Removes rows from the subscriptions; they stay held and followed until {@link release}.
   * @param taken is called with each, and the mark of what was sent of it
   */
  remove(rows: RowSet, taken: (row: number, mark: number) => void): void {
    if (rows.size === 0 || this.#count === 0) return;
    const { counts, clock } = this.#parts;
    const now = clock.millis();
    for (const subscription of this.#subscriptions.values())
      subscription.remove(rows, now, (row, mark) => {
        this.#count--;
        counts.subscriptions--;
        taken(row, mark);
      });
  }

  release(row: number): void {
    this.#parts.bus.unfollow(this.#parts.table.symbols[row]);
    this.#visible.release(row);
  }

  /** Closes the subscriptions that have no entries. */
  endEmpty(): void {
    const { encoders, scheduler } = this.#parts;
    this.#interval = Number.POSITIVE_INFINITY;
    for (const [key, subscription] of this.#subscriptions) {
      if (subscription.count > 0) {
        this.#interval = Math.min(this.#interval, subscription.interval);
        continue;
      }
      subscription.close();
      scheduler.cancel(subscription);
      encoders.release(subscription.encoder);
      this.#subscriptions.delete(key);
      this.#grants.delete(subscription);
    }
  }

  #subscription(grant: Grant, interval: number): Subscription {
    const key = `${grant.interval} ${interval} ${grant.selection}`;
    const found = this.#subscriptions.get(key);
    if (found) return found;
    const { encoders, clock } = this.#parts;
    const encoder = encoders.acquire(this.#format, grant.selection);
    // Its first flush would be in time now.
    const subscription = new Subscription(this.#sink, this.#parts, interval, encoder, clock.millis());
    this.#subscriptions.set(key, subscription);
    this.#grants.set(subscription, grant);
    this.#interval = Math.min(this.#interval, interval);
    return subscription;
  }
}

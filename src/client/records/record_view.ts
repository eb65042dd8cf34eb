/** The object that a user of the client gets for a symbol: a quote, book or tape. It reads from the record. */
import type { AttachedView, TickRecord, ViewListener } from "./tick_record.ts";
import type { QuoteState } from "./view.ts";

export class RecordView<C = unknown> implements AttachedView {
  readonly record: TickRecord<C>;
  readonly listener: ViewListener;
  /** When the owner was last called with it, ms. */
  calledAt = -Infinity;
  declare readonly symbol: string;
  declare readonly state: QuoteState;
  declare readonly interval: number;
  declare readonly delay: number;
  declare readonly seq: number;
  declare readonly eventTime: number;
  declare readonly sentAt: number;
  declare readonly receivedAt: number;
  declare readonly ticks: number;
  declare readonly conflated: number;
  declare readonly lost: number;

  constructor(record: TickRecord<C>, listener: ViewListener) {
    this.record = record;
    this.listener = listener;
  }

  get reason(): string {
    return this.record.cause.reason;
  }

  get since(): number {
    return this.record.cause.since;
  }

  age(): number {
    const { seq, eventTime, time } = this.record;
    return seq > 0 ? Math.max(0, (time.micros() - eventTime) / 1_000) : 0;
  }
}

/**
 * Defines getters in a loop: twenty written ones would be twenty times as many bytes in every page that loads the
 * library.
 */
export function define<V extends RecordView, N extends string>(
  { prototype }: { readonly prototype: V },
  names: readonly N[],
  read: (view: V, name: N) => unknown,
): void {
  for (const name of names)
    Object.defineProperty(prototype, name, {
      get(this: V) {
        return read(this, name);
      },
    });
}

const RECORD_MEMBERS = [
  "symbol",
  "state",
  "interval",
  "delay",
  "seq",
  "eventTime",
  "sentAt",
  "receivedAt",
  "ticks",
  "conflated",
  "lost",
] as const;

define(RecordView, RECORD_MEMBERS, ({ record }, name) => record[name]);

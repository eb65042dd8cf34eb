/** The quote object that the user of the client gets. It reads its values from the record of the symbol. */
import { FIELDS, type Field, fieldIndex } from "../../base/tick.ts";
import type { QuoteState } from "./quote.ts";
import type { AttachedQuote, QuoteListener, QuoteRecord } from "./quote_record.ts";

export class RecordQuote implements AttachedQuote {
  readonly record: QuoteRecord;
  readonly listener: QuoteListener;
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
  declare readonly bid: number | null;
  declare readonly bidSize: number | null;
  declare readonly ask: number | null;
  declare readonly askSize: number | null;
  declare readonly last: number | null;
  declare readonly lastSize: number | null;
  declare readonly open: number | null;
  declare readonly high: number | null;
  declare readonly low: number | null;
  declare readonly volume: number | null;

  constructor(record: QuoteRecord, listener: QuoteListener) {
    this.record = record;
    this.listener = listener;
  }

  get reason(): string {
    return this.record.cause.reason;
  }

  get since(): number {
    return this.record.cause.since;
  }

  get fields(): readonly Field[] {
    return this.listener.fields ?? this.record.fields;
  }

  get values(): (number | null)[] {
    return this.fields.map((field) => this.get(field));
  }

  get(field: Field): number | null {
    if (!this.fields.includes(field)) return null;
    const value = this.record.values[fieldIndex(field)];
    return Number.isNaN(value) ? null : value;
  }

  toObject(): { [F in Field]?: number | null } {
    return Object.fromEntries(this.fields.map((field) => [field, this.get(field)]));
  }

  age(): number {
    const { seq, eventTime, time } = this.record;
    return seq > 0 ? Math.max(0, (time.micros() - eventTime) / 1_000) : 0;
  }
}

// Defined in a loop: twenty written getters would be twenty times as many bytes in every page that loads the library.
function define(name: string, get: (this: RecordQuote) => unknown): void {
  Object.defineProperty(RecordQuote.prototype, name, { get });
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

for (const name of RECORD_MEMBERS)
  define(name, function () {
    return this.record[name];
  });
for (const field of FIELDS)
  define(field, function () {
    return this.get(field);
  });

/** Quotes for tests, as a client makes them from a gateway's messages. */
import { type Field, fieldIndex } from "../../src/base/tick.ts";
import type { Quote } from "../../src/client/quotes/quote.ts";
import { QuoteContent } from "../../src/client/quotes/quote_content.ts";
import { QUOTES } from "../../src/client/quotes/quote_kind.ts";
import { RecordQuote } from "../../src/client/quotes/record_quote.ts";
import { type RecordChannel, TickRecord } from "../../src/client/records/tick_record.ts";

/** A live record, and a quote that reads from it. */
export function madeUp(
  symbol: string,
  values: { readonly [F in Field]?: number | null },
  now = 1_700_000_000_000_000,
): { entry: TickRecord<QuoteContent>; quote: Quote } {
  const channel = { kind: QUOTES } as RecordChannel;
  const entry = new TickRecord(symbol, { micros: () => now }, channel, new QuoteContent());
  entry.link = { current: true, reason: "", since: 0 };
  entry.content.fields = Object.keys(values) as Field[];
  setValues(entry, values);
  return { entry, quote: new RecordQuote(entry, { terms: {}, changed: () => {}, status: () => {} }) };
}

/** Sets values of a record. */
export function setValues(entry: TickRecord<QuoteContent>, values: { readonly [F in Field]?: number | null }): void {
  for (const [field, value] of Object.entries(values)) entry.content.values[fieldIndex(field)] = value ?? Number.NaN;
}

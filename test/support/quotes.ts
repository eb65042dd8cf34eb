/** Quotes for tests, as a client makes them from a gateway's messages. */
import { type Field, fieldIndex } from "../../src/base/tick.ts";
import type { Quote } from "../../src/client/quotes/quote.ts";
import { QuoteRecord } from "../../src/client/quotes/quote_record.ts";
import { RecordQuote } from "../../src/client/quotes/record_quote.ts";

/** A live record, and a quote that reads from it. */
export function madeUp(
  symbol: string,
  values: { readonly [F in Field]?: number | null },
  now = 1_700_000_000_000_000,
): { entry: QuoteRecord; quote: Quote } {
  const entry = new QuoteRecord(symbol, { micros: () => now });
  entry.link = { current: true, reason: "", since: 0 };
  entry.fields = Object.keys(values) as Field[];
  setValues(entry, values);
  return { entry, quote: new RecordQuote(entry, { fields: undefined, changed: () => {}, status: () => {} }) };
}

/** Sets values of a record. */
export function setValues(entry: QuoteRecord, values: { readonly [F in Field]?: number | null }): void {
  for (const [field, value] of Object.entries(values)) entry.values[fieldIndex(field)] = value ?? Number.NaN;
}

/** The quote object that the user of the client gets. It reads its values from the record of the symbol. */
import { FIELDS, type Field, fieldIndex } from "../../base/tick.ts";
import { define, RecordView } from "../records/record_view.ts";
import type { Quote } from "./quote.ts";
import type { QuoteContent } from "./quote_content.ts";

export class RecordQuote extends RecordView<QuoteContent> implements Quote {
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

  get fields(): readonly Field[] {
    return this.listener.terms.fields ?? this.record.content.fields;
  }

  get values(): (number | null)[] {
    return this.fields.map((field) => this.get(field));
  }

  get(field: Field): number | null {
    if (!this.fields.includes(field)) return null;
    const value = this.record.content.values[fieldIndex(field)];
    return Number.isNaN(value) ? null : value;
  }

  toObject(): { [F in Field]?: number | null } {
    return Object.fromEntries(this.fields.map((field) => [field, this.get(field)]));
  }
}

define(RecordQuote, FIELDS, (quote, field) => quote.get(field));

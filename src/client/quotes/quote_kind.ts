/** The channel of quotes. */
import { FIELDS, fieldIndex } from "../../base/tick.ts";
import type { Subscribed } from "../../protocol/messages.ts";
import type { ChannelKind, ViewConstructor } from "../records/tick_record.ts";
import { checkFields } from "../sync/check.ts";
import { fieldSet, fieldsOf } from "../sync/spec.ts";
import { QuoteContent } from "./quote_content.ts";
import { RecordQuote } from "./record_quote.ts";

export const QUOTES: ChannelKind<QuoteContent> = {
  name: "quote",
  demand({ fields }) {
    checkFields(fields);
    return fieldSet(fields);
  },
  merge: (one, other) => one | other,
  terms(set) {
    const fields = fieldsOf(set);
    return fields ? { fields } : {};
  },
  content: () => new QuoteContent(),
  view: () => RecordQuote as ViewConstructor,
  granted({ content }, message) {
    const { fields } = message as Subscribed;
    content.fields = fields;
    content.positions = fields.map(fieldIndex);
    // Fields that are not granted get no values any more.
    for (const position of FIELDS.keys()) if (!content.positions.includes(position)) content.values[position] = NaN;
  },
  fits: ({ content }, _values, count) => count === content.positions.length,
  take({ content: { positions, values } }, received, count) {
    let hasChanged = false;
    for (let index = 0; index < count; index++) {
      const at = positions[index];
      if (Object.is(values[at], received[index])) continue;
      values[at] = received[index] as number;
      hasChanged = true;
    }
    return hasChanged;
  },
};

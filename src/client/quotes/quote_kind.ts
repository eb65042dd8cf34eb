/** The channel of quotes. */
import { FIELDS, fieldIndex } from "../../base/tick.ts";
import type { Subscribed } from "../../protocol/messages.ts";
import { bad } from "../connection/unpack.ts";
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
  fits: ({ content }, values) => values.every(isNumberOrNull) && values.length === content.positions.length,
  take({ content: { positions, values } }, received) {
    let hasChanged = false;
    for (let index = 0; index < received.length; index++) {
      const at = positions[index];
      const value = (received[index] as number | null) ?? NaN;
      if (Object.is(values[at], value)) continue;
      values[at] = value;
      hasChanged = true;
    }
    return hasChanged;
  },
};

/** @throws Error where it is neither */
function isNumberOrNull(value: unknown): boolean {
  return value === null || typeof value === "number" || bad();
}

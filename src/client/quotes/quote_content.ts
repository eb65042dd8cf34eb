/** The values of a symbol's quote. */
import { FIELDS, type Field } from "../../base/tick.ts";

export class QuoteContent {
  /** The latest tick's value of each of {@link FIELDS}; NaN where not known or not granted. */
  readonly values: number[] = FIELDS.map(() => NaN);
  /** The granted fields. */
  fields: readonly Field[] = FIELDS;
  /** The positions of those fields in {@link values}. */
  positions: readonly number[] = [];
}

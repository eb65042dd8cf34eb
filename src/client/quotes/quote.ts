/** A quote: the public interface to the prices of one symbol. The same object lives through ticks and reconnects. */
import type { Field } from "../../base/tick.ts";
import type { View } from "../records/view.ts";

/** Each field has a getter of its name: its value in the latest tick, or null, as {@link get} returns it. */
export interface Quote extends View, Readonly<Record<Field, number | null>> {
  /** The fields of this quote, in the order in which they were asked for. */
  readonly fields: readonly Field[];
  /** The latest tick's values, in the order of {@link fields}. */
  readonly values: (number | null)[];
  /** A value of the latest tick; null when it is not known, or not among {@link fields}. */
  get(field: Field): number | null;
  /** The latest tick's values by name. */
  toObject(): { [F in Field]?: number | null };
}

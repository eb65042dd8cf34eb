/** Parses numbers of exchanges, which are decimal strings. */

const DECIMAL = /^-?\d{1,40}(\.\d{1,40})?(e[+-]?\d{1,3})?$/i;

/**
 * A decimal string or a number.
 * @returns undefined for anything else and for values that are not finite: the field then keeps its value. `Number`
 * alone would return 0 for an empty string and NaN for an absent one.
 */
export function readNumber(value: unknown): number | undefined {
  const number = typeof value === "string" && DECIMAL.test(value) ? Number(value) : value;
  // Adding 0 turns -0 into 0; -0 would be shown with its sign.
  return typeof number === "number" && Number.isFinite(number) ? number + 0 : undefined;
}

/** A JSON value as an object; undefined when it is none. */
export function readObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

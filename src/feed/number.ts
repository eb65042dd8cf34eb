/** Numbers as exchanges send them: decimal strings, to be read without surprises. */

const DECIMAL = /^-?\d{1,40}(\.\d{1,40})?(e[+-]?\d{1,3})?$/i;

/**
 * A decimal string or a number.
 * @returns undefined for all else, and for what is not finite: the field is then left as it is. `Number` alone would
 * make 0 of an empty string and NaN of an absent one.
 */
export function readNumber(value: unknown): number | undefined {
  const number = typeof value === "string" && DECIMAL.test(value) ? Number(value) : value;
  // Adding 0 makes 0 of -0, which would be shown with its sign.
  return typeof number === "number" && Number.isFinite(number) ? number + 0 : undefined;
}

/** Any JSON value as an object to look into; undefined when it is none. */
export function readObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

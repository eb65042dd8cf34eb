/** Parses the times of sources to microseconds since the Unix epoch. */

const ISO = /^(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2})(?:[.,](\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

/**
 * Parses an ISO 8601 time with a zone, such as `2021-04-17T16:43:30.244075Z`, to the microsecond: `Date` has only
 * milliseconds.
 * @returns microseconds since the Unix epoch, or NaN when the text is not such a time
 */
export function isoMicros(text: string): number {
  const match = ISO.exec(text);
  if (!match) return Number.NaN;
  const [, seconds, fraction = "", zone] = match;
  return Date.parse(`${seconds.replace(" ", "T")}${zone}`) * 1_000 + Number(fraction.padEnd(6, "0").slice(0, 6));
}

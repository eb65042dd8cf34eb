/** Price differences, and small numbers as text: shared by the page and the terminal. */

/**
 * The most decimals of a small number: more do not fit a column. A number that needs more is written with an exponent.
 */
const MOST_DECIMALS = 8;
/** A number below this with more digits than its decimals show is written with its first digits. */
const TINY = 1e-4;
/** The number of first digits that are written. */
export const DIGITS = 4;
/** The digits of a decimal that a double keeps. */
const EXACT_DIGITS = 15;

/** The difference without the rounding errors of doubles: `1.3 - 1.2` is 0.1. */
export function changeOf(price: number, open: number): number {
  const change = price - open;
  if (change === 0) return 0;
  const digits = EXACT_DIGITS - (exponentOf(Math.max(Math.abs(price), Math.abs(open))) - exponentOf(change));
  return digits < 1 ? 0 : Number(change.toPrecision(Math.min(digits, EXACT_DIGITS)));
}

/** The difference as a share of the open, positive when the price is higher; null when the open is 0. */
export function shareOf(price: number, open: number): number | null {
  return open === 0 ? null : changeOf(price, open) / Math.abs(open);
}

/**
 * Whether so many decimals are too few for a number: it would appear as 0, or lose most of its digits.
 */
export function isTooSmall(value: number, decimals: number): boolean {
  const size = Math.abs(value);
  if (size >= 1) return false;
  const written = Number(size.toFixed(decimals));
  if (written === size) return false;
  return written === 0 || (size < TINY && size * 10 ** decimals < 10 ** (DIGITS - 1));
}

/** A number between -1 and 1, written with its first digits after the zeros: `0.0004`, `1.235e-13`. */
export function smallText(value: number, digits = DIGITS): string {
  const decimals = digits - 1 - exponentOf(value);
  if (decimals > MOST_DECIMALS) return exponentText(value, digits);
  return value.toFixed(decimals).replace(/0+$/, "");
}

/** `1.235e-13`, `1e+300` */
export function exponentText(value: number, digits = DIGITS): string {
  return value.toExponential(digits - 1).replace(/\.?0+e/, "e");
}

/** The power of ten of a number's first digit. */
export function exponentOf(value: number): number {
  return Math.floor(Math.log10(Math.abs(value)));
}

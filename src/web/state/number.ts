/** The texts of numbers: aligned, short, and with a sign for an unknown value. */
import { DIGITS, exponentOf, exponentText, isTooSmall, smallText } from "../../base/price.ts";

/** The text of a missing value. */
export const NOTHING = "–";
/** The most decimals that are shown. */
const MOST_DECIMALS = 8;
/** The finest step of a chart's axis: its library counts steps in whole numbers, which are exact up to 2^53. */
const FINEST = 15;
/** Numbers from this size are shown with an exponent: a double does not have their last digits. */
const HUGE = 1e15;

const fixed: Intl.NumberFormat[] = [];

function fixedFormat(decimals: number): Intl.NumberFormat {
  fixed[decimals] ??= new Intl.NumberFormat("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return fixed[decimals];
}

/** The fewest decimals for a price of this size, so that its steps are visible. */
export function usualDecimals(price: number): number {
  const size = Math.abs(price);
  if (size >= 1_000_000) return 0;
  if (size >= 1 || size === 0) return 2;
  if (size >= 0.1) return 4;
  return size >= 0.001 ? 6 : MOST_DECIMALS;
}

/** The smallest step between prices of such a size that a chart can show, a power of ten. */
export function stepOf(price: number, decimals: number): number {
  return 1 / 10 ** (isTooSmall(price, decimals) ? Math.min(DIGITS - 1 - exponentOf(price), FINEST) : decimals);
}

/** Whether a value has at most this many decimals; the last digits of sums of doubles are not exact. */
function fits(value: number, decimals: number): boolean {
  const units = value * 10 ** decimals;
  return Math.abs(units - Math.round(units)) <= Math.max(1e-7, Math.abs(units) * 1e-15);
}

/**
 * The number of decimals for all prices of a symbol: enough for its size, and more once a price has had more. It never
 * decreases, so that a column does not jump.
 */
export class Decimals {
  #count: number | undefined;

  /** At most 8; 2 before there is a price. */
  get count(): number {
    return this.#count ?? 2;
  }

  add(price: number | null): void {
    if (price === null) return;
    let count = this.#count ?? usualDecimals(price);
    while (count < MOST_DECIMALS && !fits(price, count)) count++;
    this.#count = count;
  }
}

/** `67,123.50`, `−37.63`; by its digits where it is too small for its decimals: `0.0004`, `1.235e-9`. */
export function priceText(price: number | null, decimals: number): string {
  return price === null ? NOTHING : (price < 0 ? "−" : "") + sizeText(Math.abs(price), decimals, DIGITS);
}

/** `+1.20`, `−0.35`, `0.00` */
export function changeText(change: number | null, decimals: number, digits = DIGITS): string {
  if (change === null) return NOTHING;
  return (change > 0 ? "+" : change < 0 ? "−" : "") + sizeText(Math.abs(change), decimals, digits);
}

/** A share of 1 as `+1.28%`. */
export function percentText(share: number | null): string {
  return share === null ? NOTHING : `${changeText(share * 100, 2, 1)}%`;
}

function sizeText(size: number, decimals: number, digits: number): string {
  if (size >= HUGE) return exponentText(size);
  return isTooSmall(size, decimals) ? smallText(size, digits) : fixedFormat(decimals).format(size);
}

const UNITS = ["", "K", "M", "B", "T"];

/** Three significant digits and a unit: `1.23M`, `45.6K`, `789`, `0.125`. For volumes, rates and bytes. */
export function shortText(value: number | null): string {
  if (value === null) return NOTHING;
  const size = Math.abs(value);
  if (size >= HUGE * 1_000) return exponentText(value);
  if (size < 1) return size === 0 ? "0" : String(Number(value.toPrecision(3)));
  let unit = Math.min(Math.floor(Math.log10(size) / 3), UNITS.length - 1);
  // 999,999 is not 1000K.
  if (Number((size / 1_000 ** unit).toPrecision(3)) >= 1_000 && unit < UNITS.length - 1) unit++;
  const part = value / 1_000 ** unit;
  const digits = Math.abs(part) >= 99.95 ? 0 : Math.abs(part) >= 9.995 ? 1 : 2;
  // A number that is whole and small has no decimals to show.
  const text = unit === 0 && Number.isInteger(value) ? String(value) : fixedFormat(digits).format(part);
  return text + UNITS[unit];
}

/** Bytes as `899 B`, `8.00 KB`. */
export function bytesText(bytes: number): string {
  return shortText(bytes).replace(/[A-Z]?$/, (unit) => ` ${unit}B`);
}

/** `1,234` */
export function countText(count: number): string {
  return fixedFormat(0).format(count);
}

/** Formats numbers for the watch. */
import { DIGITS, isTooSmall, shareOf, smallText } from "../../base/price.ts";

/** The most decimals that a price is shown with. */
const MOST_DECIMALS = 10;

/** The number of decimals of a number: eight for `1.5e-7`. */
export function decimalsOf(value: number): number {
  const [number, exponent = "0"] = String(value).split("e");
  const [, fraction = ""] = number.split(".");
  return Math.min(MOST_DECIMALS, Math.max(0, fraction.length - Number(exponent)));
}

/** A price with so many decimals, or with its first digits when it is too small for them; `-` when there is none. */
export function price(value: number | null, decimals: number, digits = DIGITS): string {
  if (value === null) return "-";
  return isTooSmall(value, decimals) ? smallText(value, digits) : value.toFixed(decimals);
}

/** The change from the open to the last price, `+5.00%`; `-` when it is not known, or the open is 0. */
export function changePercent(last: number | null, open: number | null): string {
  const share = last === null || open === null ? null : shareOf(last, open);
  return share === null ? "-" : `${share < 0 ? "" : "+"}${price(share * 100, 2, 1)}%`;
}

/** A size in its shortest form: `1.2M`, `340`, `0.015`; `-` when there is none. */
export function size(value: number | null): string {
  if (value === null) return "-";
  const whole = Math.abs(value);
  if (whole >= 1e9) return `${(value / 1e9).toFixed(1)}G`;
  if (whole >= 1e6) return `${(value / 1e6).toFixed(1)}M`;
  if (whole >= 1e4) return `${(value / 1e3).toFixed(1)}k`;
  return String(Number(value.toPrecision(4)));
}

/** A whole number with a comma between thousands. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** A duration in at most six characters. @param micros microseconds; below 0 (clocks differ) counts as 0 */
export function age(micros: number): string {
  const millis = Math.max(0, micros / 1_000);
  if (millis < 1_000) return `${Math.round(millis)}ms`;
  const seconds = millis / 1_000;
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h${two((seconds % 3_600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d${two((seconds % 86_400) / 3_600)}h`;
}

/** Numbers as text. */

/** Two or three significant digits, thousands separated; `–` for NaN and infinity. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Number(value.toPrecision(3)).toLocaleString("en-US");
  return String(Number(value.toPrecision(Math.abs(value) >= 10 ? 3 : 2)));
}

/** Milliseconds, or seconds from 1 s on. */
export function age(millis: number): string {
  return millis >= 1_000 ? `${short(millis / 1_000)} s` : short(millis);
}

/** A share as a percentage. */
export function percent(share: number): string {
  return Number.isFinite(share) ? `${short(share * 100)} %` : "–";
}

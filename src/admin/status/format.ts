/** Formats numbers for people: short, with units, about three digits. */

/** A number with a comma between thousands; a large one in thousands or millions. */
export function amount(value: number): string {
  if (value >= 9_999_500) return `${digits(value / 1_000_000)}M`;
  if (value >= 99_950) return `${digits(value / 1_000)}k`;
  return value >= 10 || Number.isInteger(value) ? Math.round(value).toLocaleString("en-US") : value.toFixed(1);
}

/** A whole number with a comma between thousands. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** @param millis ms */
export function duration(millis: number): string {
  if (millis < 9.95) return `${millis.toFixed(1)} ms`;
  if (millis < 999.5) return `${Math.round(millis)} ms`;
  const seconds = millis / 1_000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${two((seconds % 3_600) / 60)} m`;
  return `${Math.floor(seconds / 86_400)} d ${two((seconds % 86_400) / 3_600)} h`;
}

export function bytes(count: number): string {
  if (count < 999.5) return `${Math.round(count)} B`;
  if (count < 999_500) return `${digits(count / 1e3)} KB`;
  if (count < 999_500_000) return `${digits(count / 1e6)} MB`;
  return `${digits(count / 1e9)} GB`;
}

/** A share from 0 to 1, as a percentage. */
export function percent(part: number): string {
  return part > 0 && part < 0.0995 ? `${(part * 100).toFixed(1)}%` : `${Math.round(part * 100)}%`;
}

function digits(value: number): string {
  return value < 9.95 ? value.toFixed(1) : String(Math.round(value));
}

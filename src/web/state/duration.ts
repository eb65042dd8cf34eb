/** The texts of times and durations. */

const clock = new Intl.DateTimeFormat("en", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });

/** `10:31:05`, in local time; with the date if it is another day. @param millis since the Unix epoch */
export function clockText(millis: number, now: number): string {
  const time = clock.format(millis);
  return new Date(millis).toDateString() === new Date(now).toDateString() ? time : `${day.format(millis)} ${time}`;
}

/** `12 s`, `3 min`, `2 h`, `5 d`: one unit, rounded down. */
export function spanText(millis: number): string {
  const seconds = Math.max(0, Math.floor(millis / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** How late a symbol is on purpose: `500 ms`, `20 s`, `15 min`. */
export function delayText(millis: number): string {
  return millis < 1_000 ? `${Math.round(millis)} ms` : spanText(millis);
}

/** `0.4 ms`, `12 ms`, `1.2 s`, `3 min`: a measured duration. */
export function measureText(millis: number | undefined): string {
  if (millis === undefined) return "–";
  if (millis < 1) return `${millis.toFixed(1)} ms`;
  if (millis < 1_000) return `${Math.round(millis)} ms`;
  return millis < 60_000 ? `${(millis / 1_000).toFixed(1)} s` : spanText(millis);
}

/** The text of an interval: `250 ms`, `1 s`. */
export function intervalText(millis: number): string {
  return millis >= 1_000 && millis % 1_000 === 0 ? `${millis / 1_000} s` : `${millis} ms`;
}

/** What components share. */
import { useEffect, useState } from "preact/hooks";
import type { Cell } from "../state/cell.ts";

/** A cell's value; the component is drawn anew with each change. */
export function useCell<T>(cell: Cell<T>): T {
  const [, draw] = useState({});
  const { value } = cell;
  useEffect(() => {
    // It may have changed between drawing and watching.
    if (!Object.is(value, cell.value)) draw({});
    return cell.watch(() => draw({}));
  }, [cell]);
  return value;
}

/** Whether a media query holds now. */
export function useMedia(query: string): boolean {
  const [doesMatch, setMatch] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const look = () => setMatch(media.matches);
    look();
    media.addEventListener("change", look);
    return () => media.removeEventListener("change", look);
  }, [query]);
  return doesMatch;
}

/** As wide as this the panel is a sheet over the list, and nothing else can be used: see panel.css. */
export const SHEET = "(max-width: 640px)";

/** The time, ms since the Unix epoch; the component is drawn anew a few times a second while it runs. */
export function useNow(isRunning: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isRunning) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [isRunning]);
  return now;
}

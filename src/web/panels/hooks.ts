/** Hooks that components share. */
import { useEffect, useState } from "preact/hooks";
import type { Cell } from "../state/cell.ts";

/** The value of a cell; the component is drawn again with each change. */
export function useCell<T>(cell: Cell<T>): T {
  const [, draw] = useState({});
  const { value } = cell;
  useEffect(() => {
    // The value may have changed between drawing and watching.
    if (!Object.is(value, cell.value)) draw({});
    return cell.watch(() => draw({}));
  }, [cell]);
  return value;
}

/** Whether a media query matches. */
export function useMedia(query: string): boolean {
  const [doesMatch, setMatch] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const update = () => setMatch(media.matches);
    update();
    media.addEventListener("change", update);
    return () => media.removeEventListener("change", update);
  }, [query]);
  return doesMatch;
}

/** Up to this width the panel is a sheet that covers the list: see panel.css. */
export const SHEET = "(max-width: 640px)";

/** The time, ms since the Unix epoch; the component is drawn again a few times a second while it runs. */
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

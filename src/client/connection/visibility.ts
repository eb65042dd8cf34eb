/** Follows the visibility of the page, in a browser. */
import type { ClientTime } from "./time.ts";

/** The used part of a browser's document. */
interface VisibleDocument {
  readonly visibilityState: string;
  addEventListener(type: "visibilitychange", listener: () => void): void;
  removeEventListener(type: "visibilitychange", listener: () => void): void;
}

/** How long a page must be hidden before it counts as hidden, ms: a short switch of tabs costs no commands. */
const HIDDEN_FOR = 1_000;

/** @returns a function that ends it */
export function followVisibility(time: ClientTime, changed: (visible: boolean) => void): () => void {
  const page = (globalThis as { document?: VisibleDocument }).document;
  if (!page) return () => {};
  let cancel = () => {};
  const update = () => {
    cancel();
    if (page.visibilityState === "hidden") cancel = time.after(HIDDEN_FOR, () => changed(false));
    else changed(true);
  };
  page.addEventListener("visibilitychange", update);
  update();
  return () => {
    cancel();
    page.removeEventListener("visibilitychange", update);
  };
}

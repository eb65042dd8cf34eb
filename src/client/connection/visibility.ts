/** Whether the page is seen, where there is one. */
import type { ClientTime } from "./time.ts";

/** What is used of a browser's document. */
interface Page {
  readonly visibilityState: string;
  addEventListener(type: "visibilitychange", listener: () => void): void;
  removeEventListener(type: "visibilitychange", listener: () => void): void;
}

/** How long a page must be hidden before that counts, ms: who comes back at once finds everything as it was. */
const HIDDEN_FOR = 1_000;

/** @returns what ends it */
export function followVisibility(time: ClientTime, tell: (visible: boolean) => void): () => void {
  const page = (globalThis as { document?: Page }).document;
  if (!page) return () => {};
  let cancel = () => {};
  const look = () => {
    cancel();
    if (page.visibilityState === "hidden") cancel = time.after(HIDDEN_FOR, () => tell(false));
    else tell(true);
  };
  page.addEventListener("visibilitychange", look);
  look();
  return () => {
    cancel();
    page.removeEventListener("visibilitychange", look);
  };
}

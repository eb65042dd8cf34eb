/** Starts the page. */
import { render } from "preact";
import { App } from "./app.tsx";
import { Page } from "./page/page.ts";

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const page = new Page(`${scheme}//${location.host}/v1/stream`, storeOf(window), location.hash);
window.addEventListener("storage", ({ key }) => page.keptElsewhere(key));
render(<App page={page} />, document.getElementById("page") as HTMLElement);

/** A browser whose settings forbid storage throws when the property is read. */
function storeOf(browser: Window): Storage | undefined {
  try {
    return browser.localStorage;
  } catch {
    return undefined;
  }
}

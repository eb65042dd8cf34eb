/** Starts the page. */
import { render } from "preact";
import { App } from "./app.tsx";
import { Page } from "./page/page.ts";

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const url = `${scheme}//${location.host}/v1/stream`;
const page = new Page(url, storeOf("localStorage"), storeOf("sessionStorage"), location.hash);
window.addEventListener("storage", ({ key }) => page.keptElsewhere(key));
render(<App page={page} />, document.getElementById("page") as HTMLElement);

/** A browser whose settings forbid storage throws when the property is read. */
function storeOf(name: "localStorage" | "sessionStorage"): Storage | undefined {
  try {
    return window[name];
  } catch {
    return undefined;
  }
}

/* Keeps the page as the node is, every two seconds: only what changes is replaced, so nothing moves under a reader. */
const PERIOD = 2_000;
/** How long an answer may take before the node counts as lost, ms. */
const PATIENCE = 5_000;

const lost = document.getElementById("lost");
let answeredAt = new Date();

async function refresh() {
  // Nobody looks, or somebody is about to copy an address.
  if (document.hidden || !getSelection().isCollapsed) return;
  try {
    const headers = { Accept: "text/html" };
    const response = await fetch(location.href, { headers, signal: AbortSignal.timeout(PATIENCE) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    document.title = page.title;
    for (const part of page.querySelectorAll("[data-part]")) {
      const old = document.querySelector(`[data-part="${part.dataset.part}"]`);
      old.className = part.className;
      old.replaceChildren(...part.childNodes);
    }
    answeredAt = new Date();
    lost.hidden = true;
  } catch {
    lost.textContent = `No answer since ${answeredAt.toLocaleTimeString()}: what stands here is old.`;
    lost.hidden = false;
  }
}

async function run() {
  await refresh();
  setTimeout(run, PERIOD);
}

setTimeout(run, PERIOD);

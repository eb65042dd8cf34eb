/** The page at /status in a real Chromium, open while something happens. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { launchBrowser, PATIENCE } from "./support/browser.ts";
import { GatewayProcess } from "./support/gateway_process.ts";
import { WireClient } from "./support/wire_client.ts";

test("the page updates itself, keeps its scroll position, and shows when the node does not answer", {
  timeout: 120_000,
}, async (t) => {
  const gateway = await GatewayProcess.open("--node", "gateway1");
  t.after(() => gateway.close());
  gateway.tick("V:A", { bid: 1 });
  await gateway.known("V:A");
  const browser = await launchBrowser(t);
  // A phone's screen: the page is longer than it.
  const page = await browser.newPage({ viewport: { width: 390, height: 600 } });
  page.setDefaultTimeout(PATIENCE);
  const errors: string[] = [];
  const requests: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => errors.push(message.text()));
  page.on("request", (request) => requests.push(request.url()));
  const home = `http://127.0.0.1:${gateway.adminPort}`;
  await page.goto(`${home}/status`);
  await page.getByText("nobody is connected").waitFor();
  assert.equal(await page.title(), "gateway1 · Tickgate");
  await page.evaluate("scrollTo(0, 300)");

  const headers = { "User-Agent": "<img src=x onerror=alert(1)>" };
  const client = await WireClient.open(gateway.url, "tickgate.v1.json", { headers });
  t.after(() => client.close());
  await client.subscribe(["V:*"]);
  await page.locator("[data-part=clients] td", { hasText: "<img src=x onerror=alert(1)>" }).waitFor();
  assert.equal(await page.locator("img").count(), 0, "text of a client is text");
  assert.equal(await page.evaluate("scrollY"), 300);
  const width = await page.evaluate("document.documentElement.scrollWidth");
  assert.ok(Number(width) <= 390, `${width} pixels: nothing has to be scrolled sideways`);
  assert.deepEqual(errors, []);
  const asked = new Set(requests.filter((url) => !url.startsWith("data:")));
  assert.deepEqual([...asked].sort(), [`${home}/status`, `${home}/status.js`], "nothing from elsewhere");

  await gateway.close();
  await page.getByText(/^No answer since .*: what stands here is old\.$/).waitFor();
  assert.ok(
    errors.every((text) => /ERR_CONNECTION/.test(text)),
    `${errors}`,
  );
});

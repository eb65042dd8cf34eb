/**
 * The page in examples/ in a real Chromium: what it shows while a gateway stops and returns.
 */
import assert from "node:assert/strict";
import { accessSync, constants, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { chromium, type Page } from "playwright-core";
import { ExampleMarket } from "./support/example_market.ts";
import { FakeGateway } from "./support/fake_gateway.ts";
import { polled } from "./support/gateway_process.ts";

const FILE = new URL("../examples/page.html", import.meta.url);
/** The longest wait for a result, ms: after some failures the page itself waits for that long. */
const PATIENCE = 30_000;

/** The browser; undefined if none is installed. */
const browserPath = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "chromium"))
  .find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
const skip = browserPath === undefined && process.env.TEST_ALL !== "1" && "left out: apt-get install chromium";
const options = { skip, timeout: 300_000 };

/**
 * Records the page's connection messages, and whether prices are shown as old: some are visible only for a moment.
 */
const RECORDER = `
  window.said = [];
  new MutationObserver(() => {
    const text = document.querySelector("#connection")?.textContent;
    if (!text) return;
    const said = (document.body.classList.contains("old") ? "old: " : "current: ") + text;
    if (window.said.at(-1) !== said) window.said.push(said);
  }).observe(document, { subtree: true, childList: true, attributes: true });
`;

/** The page at any address, and what it shows. */
class ExamplePage {
  readonly #page: Page;
  readonly #errors: Error[] = [];
  /** The number of its messages that have been read. */
  #read = 0;

  private constructor(page: Page) {
    this.#page = page;
    page.on("pageerror", (error) => this.#errors.push(error));
  }

  /** It is closed with the test. */
  static async open(t: TestContext, address: string): Promise<ExamplePage> {
    const args = ["--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"];
    const browser = await chromium.launch({ executablePath: browserPath, args });
    t.after(() => browser.close());
    const page = new ExamplePage(await browser.newPage());
    await page.#page.addInitScript(RECORDER);
    await page.#page.goto(address);
    return page;
  }

  /** Fills in the form and submits it. */
  async show(url: string, symbols: string): Promise<void> {
    await this.#page.getByLabel("Gateway").fill(url);
    await this.#page.getByLabel("Symbols").fill(symbols);
    await this.#page.getByRole("button", { name: "Show" }).click();
    await this.#page.waitForURL(/[?]url=/);
    this.#read = 0;
  }

  /**
   * Waits for a later message about the connection, with the prices shown as `old` or as `current`.
   */
  async says(text: RegExp, prices: "old" | "current"): Promise<void> {
    const wanted = JSON.stringify(`^${prices}: ${text.source}`);
    const count = `window.said.slice(${this.#read}).findIndex((line) => new RegExp(${wanted}).test(line)) + 1`;
    const options = { timeout: PATIENCE, polling: 50 };
    const said = await this.#page.waitForFunction<number>(count, undefined, options).catch(async (cause) => {
      throw new Error(`waited for ${wanted}; it said ${await this.#page.evaluate("window.said")}`, { cause });
    });
    this.#read += await said.jsonValue();
  }

  /** Waits until there is a note. */
  async notes(text: RegExp): Promise<void> {
    await this.#page.getByRole("listitem").filter({ hasText: text }).first().waitFor({ timeout: PATIENCE });
  }

  /** Waits until a symbol's row has these values: symbol, bid, ask, last, seq, conflated, state. */
  async row(wanted: (string | number)[]): Promise<void> {
    const row = this.#page.getByRole("row").filter({ has: this.#page.getByText(String(wanted[0]), { exact: true }) });
    const text = wanted.join(" ");
    await polled(
      async () => (await row.getByRole("cell").allTextContents()).join(" "),
      (shown) => shown === text,
      `the row ${text}`,
    );
  }

  /** How opaque the row of a stale symbol is painted. */
  async staleOpacity(): Promise<number> {
    return this.#page.evaluate<number>('Number(getComputedStyle(document.querySelector("tr.stale")).opacity)');
  }

  assertNoErrors(): void {
    assert.deepEqual(this.#errors, []);
  }
}

test(
  "the page, opened from disk: prices of a real gateway, stale with the feed, and a reconnect when the gateway is back",
  options,
  async (t) => {
    const market = await ExampleMarket.open(t);
    market.tick("V:A");
    await market.known("V:A");
    const page = await ExamplePage.open(t, FILE.href);
    await page.show(market.url, "V:A, P:* wrong?");
    await page.says(/connected to /, "current");
    await page.notes(/^wrong\? is not granted: .* \(invalid_symbol\)$/);
    await page.row(["V:A", 1.5, "–", 1.5, 1, 0, "live"]);
    // One after the other, so that each is shown; then twenty together, of which the last one counts.
    let seq = market.tick("V:A");
    await page.row(["V:A", 2.5, "–", 2.5, 2, 0, "live"]);
    seq = market.tick("V:A", 20);
    await page.row(["V:A", 22.5, "–", 22.5, seq, 19, "live"]);
    market.tick("P:NEW");
    await page.row(["P:NEW", 1.5, "–", 1.5, 1, 0, "live"]);

    await market.stopFeed();
    await page.row(["V:A", 22.5, "–", 22.5, seq, 19, "stale"]);
    await page.notes(/^V:A stale: nothing heard from the feed$/);
    assert.ok((await page.staleOpacity()) < 0.7, "stale is visible");
    await market.startFeed();
    seq = market.tick("V:A");
    await page.notes(/^V:A live$/);

    await market.stopGateway("SIGKILL");
    await page.says(/(connection lost, all prices are stale|no connection): .*; trying again in \d/, "old");
    await market.startGateway();
    await page.says(/connected to /, "current");
    await page.row(["V:A", 23.5, "–", 23.5, seq, 0, "live"]);
    market.tick("P:NEW");
    await page.row(["P:NEW", 2.5, "–", 2.5, 2, 0, "live"]);
    await market.stopGateway("SIGTERM");
    await page.says(
      /connection lost, all prices are stale: the gateway is restarting \(1012\); trying again in \d/,
      "old",
    );
    page.assertNoErrors();
  },
);

test("the page, from a web server: a gateway's errors and refusals", options, async (t) => {
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html").end(readFileSync(FILE));
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  const gateway = await FakeGateway.open(t, 500);
  const { port } = server.address() as AddressInfo;
  const query = new URLSearchParams({ url: gateway.url, symbols: "A,B*" });
  const page = await ExamplePage.open(t, `http://127.0.0.1:${port}/page.html?${query}`);
  let connection = await gateway.next();
  const { symbols, interval, fields } = await connection.subscribe();
  assert.deepEqual(symbols, ["A", "B*"]);
  const granted = { op: "subscribed", interval, fields: fields?.toReversed(), symbols: [["A", 7]], rejected: [] };
  const heartbeat = setInterval(() => connection.say({ op: "heartbeat", time: 1 }), 100);
  t.after(() => clearInterval(heartbeat));
  // A has no publisher until its first tick. The answer comes in parts, with other messages between them.
  connection.say({ ...granted, id: 1, more: true });
  connection.say({ op: "status", symbols: ["A"], state: "stale", reason: "unknown", since: 1 });
  await page.row(["A", "–", "–", "–", "–", 0, "stale"]);
  connection.say([1, [7, 5, 1, 1.5, null, -2]]);
  await page.row(["A", -2, "–", 1.5, 5, 0, "live"]);
  connection.say({ ...granted, id: 1, symbols: [["B0", 6]] });
  connection.say([1, [6, 1, 1, 4, 5, 6]]);
  await page.row(["B0", 6, 5, 4, 1, 0, "live"]);
  connection.say([1, [7, 9, 1, 2 ** 40, 0.25, null]]);
  await page.row(["A", "–", 0.25, 2 ** 40, 9, 3, "live"]);
  connection.say({ op: "status", symbols: ["A"], state: "gap", reason: "missed", since: 1 });
  connection.say([1, [7, 20, 1, 1, 2, 3]]);
  await page.row(["A", 3, 2, 1, 20, 3, "live"]);
  await page.notes(/^A gap: missed$/);
  for (const message of [
    { op: "quality", state: "conflating", interval: 400, reason: "client" },
    { op: "error", code: "internal", message: "once", retryable: true },
    { op: "weather", forecast: ["rain"] },
    { ...granted, symbols: [["B1", 8]] },
    [1, [8, 2 ** 33, 1, 4, 5, 6], [7, 21, 1, 1, 2, 3]],
  ])
    connection.say(message);
  await page.notes(/^updates are conflating: one in 400 ms \(client\)$/);
  await page.notes(/^the gateway says internal: once$/);
  await page.row(["B1", 6, 5, 4, 2 ** 33, 0, "live"]);
  await page.row(["A", 3, 2, 1, 21, 3, "live"]);

  clearInterval(heartbeat);
  await page.says(/nothing heard for 1 s: all prices are stale$/, "old");
  await page.says(/connection lost, all prices are stale: nothing heard from the gateway; trying again in \d/, "old");
  await connection.untilClosed();

  connection = await gateway.next();
  assert.deepEqual((await connection.subscribe()).symbols, ["A", "B*"]);
  // On this connection only B1 is granted: a price of the previous one is not shown as live.
  connection.say({ ...granted, symbols: [["B1", 8]] });
  connection.say([1, [8, 2 ** 33 + 1, 1, 7, 5, 6]]);
  await page.row(["B1", 6, 5, 7, 2 ** 33 + 1, 0, "live"]);
  await page.row(["A", 3, 2, 1, 21, 3, "stale"]);
  connection.say({ op: "bye", code: 1012, reason: "restarting", retryAfter: 1_234 });
  connection.close(1012, "restarting");
  const saidAt = performance.now();
  await page.says(/.*: restarting \(1012\); trying again in 1\.2 s$/, "old");
  connection = await gateway.next();
  assert.ok(performance.now() - saidAt >= 1_150, "it comes back when it was asked to");
  connection.close(4401, "the credentials have expired");
  await page.says(/the gateway refuses: the credentials have expired \(4401\)$/, "old");

  await page.show("nonsense://127.0.0.1", "A");
  await page.says(/nonsense:\/\/127\.0\.0\.1 is no address of a gateway, such as ws:/, "old");
  page.assertNoErrors();
});

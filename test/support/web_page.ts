/** The watchlist in a real Chromium, for the tests of the page. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { launchBrowser, PATIENCE } from "./browser.ts";
import { polled } from "./gateway_process.ts";

/** The visible content of a row. */
export interface ShownRow {
  readonly symbol: string;
  readonly state: string;
  readonly last: string;
  readonly bid: string;
  readonly ask: string;
  readonly badge: string;
}

export class WatchlistPage {
  readonly page: Page;
  /** The errors of the page; none are allowed. */
  readonly errors: string[] = [];
  /** Every requested address. */
  readonly requests: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(PATIENCE);
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("console", (message) => {
      // The browser itself reports that there is no gateway.
      if (message.type() === "error" && !/ERR_CONNECTION|WebSocket/.test(message.text()))
        this.errors.push(message.text());
    });
    page.on("request", (request) => this.requests.push(request.url()));
  }

  /** Opens a gateway's page with empty storage. It is closed with the test. */
  static async open(
    t: TestContext,
    port: number,
    { hash = "", browser, ...options }: BrowserContextOptions & { hash?: string; browser?: Browser } = {},
  ): Promise<WatchlistPage> {
    const context = await (browser ?? (await launchBrowser(t))).newContext(options);
    const own = new WatchlistPage(await context.newPage());
    await own.page.goto(`http://127.0.0.1:${port}/${hash}`);
    await own.page.locator(".grid").waitFor();
    return own;
  }

  row(symbol: string): Locator {
    return this.page.locator(`.rows > .row[data-symbol="${symbol}"]`);
  }

  cell(symbol: string, column: string): Locator {
    return this.row(symbol).locator(`.${column}`);
  }

  /** The numbers of a row as numbers. */
  async prices(symbol: string): Promise<{ bid: number; ask: number; last: number }> {
    const [row] = (await this.rows()).filter((shown) => shown.symbol === symbol);
    assert.ok(row, `${symbol} is shown`);
    return { bid: numberOf(row.bid), ask: numberOf(row.ask), last: numberOf(row.last) };
  }

  /** The rows that are on the screen, or near it, from the top down. */
  async rows(): Promise<ShownRow[]> {
    return this.page.evaluate(() => {
      const rows = [...document.querySelectorAll<HTMLElement>(".rows > .row:not(.group)")];
      rows.sort((a, b) => a.offsetTop - b.offsetTop);
      return rows.map((row) => {
        const text = (selector: string) => row.querySelector(selector)?.textContent ?? "";
        const state = row.dataset.state ?? "";
        return {
          ...{ symbol: row.dataset.symbol ?? "", state, badge: text(".badge") },
          ...{ last: text(".last"), bid: text(".bid"), ask: text(".ask") },
        };
      });
    });
  }

  /** The symbols and patterns on the screen, from the top down. */
  async keys(): Promise<string[]> {
    return this.page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>(".rows > .row")]
        .sort((a, b) => a.offsetTop - b.offsetTop)
        .map((row) => row.dataset.symbol ?? ""),
    );
  }

  async untilKeys(wanted: readonly string[]): Promise<void> {
    const isWanted = (keys: readonly string[]) => keys.join() === wanted.join();
    await polled(() => this.keys(), isWanted, `the rows ${wanted.join()}`);
  }

  /** Waits until a symbol has a live price. */
  async untilLive(symbol: string): Promise<void> {
    await this.page.locator(`.rows > .row[data-symbol="${symbol}"][data-state="live"]`).waitFor();
  }

  /** Types into the search box and chooses the first result. */
  async add(text: string): Promise<void> {
    await this.page.keyboard.press("/");
    await this.page.keyboard.type(text);
    await this.page.getByRole("option").first().waitFor();
    await this.page.keyboard.press("Enter");
  }

  /** A number of the status bar, as text. */
  async figure(id: string): Promise<string> {
    return (await this.page.locator(`[data-figure="${id}"] dd`).textContent()) ?? "";
  }

  /** The focus: its row and column. */
  async focus(): Promise<{ row: string; column: string }> {
    return this.page.evaluate(() => {
      const element = document.activeElement as HTMLElement;
      const row = element.closest<HTMLElement>(".row")?.dataset.symbol ?? "";
      return { row, column: element.dataset.column ?? element.id };
    });
  }

  assertNoErrors(): void {
    assert.deepEqual(this.errors, []);
  }
}

/** The number in a text, after any direction sign. */
export function numberOf(text: string): number {
  return Number(text.replace(/[▲▼,\s]/g, "").replace("−", "-"));
}

/** A real Chromium, for the tests of pages. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { type Browser, chromium } from "playwright-core";

/** The browser; scripts/needs.ts sees to it that there is one. */
export const BROWSER = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "chromium"))
  .find((path) => existsSync(path));
/** A browser in a test: without a screen, without a sandbox of its own, and without a word to its maker. */
export const BROWSER_ARGS: readonly string[] = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
];
/** How long a test waits for what must come, ms: generous, for a machine that does something else meanwhile. */
export const PATIENCE = 30_000;

/** It is closed with the test. */
export async function launchBrowser(t: TestContext, ...args: string[]): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: BROWSER, args: [...BROWSER_ARGS, ...args] });
  t.after(() => browser.close());
  return browser;
}

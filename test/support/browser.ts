/** A real Chromium, for the tests of pages. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { type Browser, chromium } from "playwright-core";

/** The browser; scripts/needs.ts checks that it is installed. */
export const BROWSER = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "chromium"))
  .find((path) => existsSync(path));
/** A browser for tests: headless, without its sandbox, and without requests to its maker. */
export const BROWSER_ARGS: readonly string[] = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
];
/** The longest wait for a condition, ms: long enough for a busy machine. */
export const PATIENCE = 30_000;

/** It is closed with the test. */
export async function launchBrowser(t: TestContext, ...args: string[]): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: BROWSER, args: [...BROWSER_ARGS, ...args] });
  t.after(() => browser.close());
  return browser;
}

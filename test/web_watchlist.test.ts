/** The watchlist, served by a real gateway to a real Chromium and used with mouse and keyboard. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { launchBrowser, PATIENCE } from "./support/browser.ts";
import { ExampleMarket } from "./support/example_market.ts";
import { GatewayProcess, polled, ServerProcess } from "./support/gateway_process.ts";
import { numberOf, WatchlistPage } from "./support/web_page.ts";

const options = { timeout: 120_000 };
/** The most that a page, a gateway and a browser on one busy machine add to an interval, ms. */
const SLACK = 2_000;

async function simulator(t: TestContext, ...args: string[]): Promise<ServerProcess> {
  const gateway = await ServerProcess.open("all", "--port", "0", "--admin-port", "0", ...args);
  t.after(() => gateway.close());
  return gateway;
}

async function market(t: TestContext, symbols: readonly string[]): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  for (const [index, symbol] of symbols.entries())
    gateway.tick(symbol, {
      bid: 10 + index,
      ask: 11 + index,
      last: 10.5 + index,
      open: 10,
      high: 20,
      low: 5,
      volume: 1_000,
    });
  await gateway.known(symbols.at(-1) as string);
  return gateway;
}

test(
  "a first visit shows the first symbols, prices change, and nothing is loaded from other servers",
  options,
  async (t) => {
    const gateway = await simulator(t, "--feed", "sim:?symbols=120&rate=3000");
    const watchlist = await WatchlistPage.open(t, gateway.port);
    const { page } = watchlist;
    await page.evaluate(() => {
      const found: string[] = [];
      Object.assign(window, { found });
      document.addEventListener("securitypolicyviolation", (event) => found.push(event.blockedURI));
    });
    await watchlist.untilLive("SIM:S0000");
    assert.equal(await page.locator("[role=grid]").getAttribute("aria-rowcount"), "51", "fifty rows and a header");
    await page.getByText("the first 50 of 120").first().waitFor();

    const [before] = await watchlist.rows();
    await polled(
      async () => (await watchlist.rows())[0],
      (row) => row.bid !== before.bid && row.last !== "",
      "the price to change",
    );
    await page.locator('[data-flash="up"]').first().waitFor();
    await page.locator('[data-flash="down"]').first().waitFor();
    await polled(
      () => watchlist.figure("updates"),
      (text) => numberOf(text.replace("/s", "")) > 10,
      "updates to be counted",
    );

    // Only the chart is loaded later.
    await watchlist.row("SIM:S0001").click();
    await page.locator(".chart canvas").first().waitFor();
    assert.ok(watchlist.requests.every((address) => new URL(address).host === `127.0.0.1:${gateway.port}`));
    assert.deepEqual(await page.evaluate(() => (window as unknown as { found: string[] }).found), []);
    watchlist.assertNoErrors();
  },
);

test("a row shows the gateway's values, within its interval", options, async (t) => {
  const symbols = Array.from({ length: 20 }, (_, index) => `V:A${String(index).padStart(2, "0")}`);
  const gateway = await market(t, symbols);
  const watchlist = await WatchlistPage.open(t, gateway.port, { viewport: { width: 1_400, height: 900 } });
  for (const symbol of symbols) await watchlist.untilLive(symbol);

  // A visible price was replaced at most an interval ago.
  const published = new Map(symbols.map((symbol) => [symbol, [] as { bid: number; until: number }[]]));
  let worst = 0;
  for (let round = 0; round < 40; round++) {
    const now = performance.now();
    for (const [symbol, history] of published) {
      const last = history.at(-1);
      if (last) last.until = now;
      const bid = 100 + round + symbols.indexOf(symbol) / 100;
      history.push({ bid, until: Number.POSITIVE_INFINITY });
      gateway.tick(symbol, { bid, ask: bid + 1, last: bid + 0.5 });
    }
    await sleep(40);
    if (round < 10) continue;
    const seenAt = performance.now();
    for (const { symbol, bid } of await watchlist.rows()) {
      const found = published.get(symbol)?.findLast((entry) => entry.bid === numberOf(bid));
      assert.ok(found, `${symbol} shows ${bid}, which was published`);
      worst = Math.max(worst, seenAt - found.until);
    }
  }
  t.diagnostic(`shown at most ${Math.max(0, Math.round(worst))} ms after it was replaced, at 250 ms`);
  assert.ok(worst < 250 + SLACK, `a price was shown ${worst} ms after it was replaced`);

  // When the market rests, every row is equal to /v1/ticks.
  const { ticks } = (await (await gateway.get("/v1/ticks?symbols=V:*")).json()) as {
    ticks: { symbol: string; bid: number; ask: number; last: number }[];
  };
  assert.equal(ticks.length, symbols.length);
  for (const { symbol, bid, ask, last } of ticks)
    await polled(
      () => watchlist.prices(symbol),
      (shown) => shown.bid === bid && shown.ask === ask && shown.last === last,
      `${symbol} to be ${bid}, ${ask}, ${last}`,
    );
  watchlist.assertNoErrors();
});

test(
  "symbols and patterns are found, added, removed and reordered, and stored for the next visit",
  options,
  async (t) => {
    const gateway = await market(t, ["V:A", "V:B", "W:A", "W:B", "W:C"]);
    const watchlist = await WatchlistPage.open(t, gateway.port, {
      viewport: { width: 1_200, height: 800 },
      hash: "#symbols=V:B",
    });
    const { page } = watchlist;
    await page.getByRole("button", { name: "Keep this one" }).click();
    await watchlist.untilLive("V:B");

    await page.keyboard.press("/");
    await page.keyboard.type("w:");
    await page.getByRole("option", { name: /^W:\*/ }).waitFor();
    assert.deepEqual(
      (await page.getByRole("option").allTextContents()).map((text) => text.slice(0, 3)),
      ["W:*", "W:A", "W:B", "W:C"],
    );
    await page.keyboard.press("Enter");
    await watchlist.untilKeys(["V:B", "W:*", "W:A", "W:B", "W:C"]);
    await watchlist.add("V:A");
    await watchlist.untilKeys(["V:B", "W:*", "W:A", "W:B", "W:C", "V:A"]);
    assert.deepEqual(await watchlist.focus(), { row: "V:A", column: "symbol" });

    // A pattern grows with the market.
    gateway.tick("W:AB", { bid: 1 });
    await watchlist.untilKeys(["V:B", "W:*", "W:A", "W:AB", "W:B", "W:C", "V:A"]);

    // One of its rows is removed, and added again.
    await watchlist.row("W:AB").hover();
    await page.locator(".remove").click();
    await watchlist.untilKeys(["V:B", "W:*", "W:A", "W:B", "W:C", "V:A"]);
    await page.getByRole("button", { name: "Undo" }).click();
    await watchlist.untilKeys(["V:B", "W:*", "W:A", "W:AB", "W:B", "W:C", "V:A"]);

    // With the mouse to the top; with the keyboard one down.
    await watchlist.row("V:A").hover();
    const handle = await page.locator(".handle").boundingBox();
    const first = await watchlist.row("V:B").boundingBox();
    assert.ok(handle && first);
    await page.mouse.move(handle.x + 4, handle.y + 10);
    await page.mouse.down();
    await page.mouse.move(first.x + 40, first.y + 12, { steps: 5 });
    await page.mouse.move(first.x + 40, first.y + 4);
    await page.mouse.up();
    await watchlist.untilKeys(["V:A", "V:B", "W:*", "W:A", "W:AB", "W:B", "W:C"]);
    await watchlist.cell("V:A", "last").focus();
    await page.keyboard.press("Alt+ArrowDown");
    await watchlist.untilKeys(["V:B", "V:A", "W:*", "W:A", "W:AB", "W:B", "W:C"]);
    // A collapsed group shows only its header.
    await page.locator(".group").click();
    await watchlist.untilKeys(["V:B", "V:A", "W:*"]);

    await page.reload();
    await watchlist.untilKeys(["V:B", "V:A", "W:*"]);
    await watchlist.untilLive("V:A");
    // Other tabs follow.
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.locator('.row[data-symbol="V:B"]').hover();
    await other.locator(".remove").click();
    await watchlist.untilKeys(["V:A", "W:*"]);
    watchlist.assertNoErrors();
  },
);

test("negative and tiny prices have their sign and their digits, in the list and in the chart", options, async (t) => {
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  gateway.tick("X:SPREAD", { last: -2.45, open: -2, bid: -2.46, ask: -2.44 });
  gateway.tick("X:TINY", { last: 1.235e-9, open: 1.3e-9, bid: 1.234e-9, ask: 1.236e-9 });
  gateway.tick("X:ZERO", { last: 5, open: 0 });
  gateway.tick("X:NONE", { bid: 0, bidSize: 0, open: 5 });
  await gateway.known("X:NONE");
  const watchlist = await WatchlistPage.open(t, gateway.port);
  await watchlist.untilLive("X:ZERO");
  const texts = async (symbol: string) =>
    Promise.all(["last", "change", "percent", "bid"].map((column) => watchlist.cell(symbol, column).textContent()));
  assert.deepEqual(await texts("X:SPREAD"), ["−2.45", "−0.45", "▼−22.50%", "−2.46"]);
  assert.deepEqual(await texts("X:TINY"), ["1.235e-9", "−6.5e-11", "▼−5.00%", "1.234e-9"]);
  assert.deepEqual(await texts("X:ZERO"), ["5.00", "+5.00", "–", "–"]);
  assert.deepEqual(await texts("X:NONE"), ["–", "–", "–", "–"]);
  await watchlist.page.locator('.rows > .row[data-symbol="X:NONE"][data-state="stale"]').waitFor();
  await watchlist.row("X:TINY").click();
  const { page } = watchlist;
  await page.locator(".chart canvas").first().waitFor();
  assert.match((await page.locator(".headline").textContent()) ?? "", /1\.235e-9−6\.5e-11 \(−5\.00%\)/);
  assert.match((await page.locator(".facts").textContent()) ?? "", /Spread2e-12/);
  assert.deepEqual(watchlist.errors, []);
});

test("rows are sorted by a column, and filtered", options, async (t) => {
  const gateway = await market(t, ["V:A", "V:B", "W:C"]);
  const watchlist = await WatchlistPage.open(t, gateway.port, { viewport: { width: 1_200, height: 800 } });
  const { page } = watchlist;
  await watchlist.untilLive("W:C");
  const last = page.getByRole("columnheader", { name: "Last" });
  await last.click();
  await watchlist.untilKeys(["W:C", "V:B", "V:A"]);
  assert.equal(await last.getAttribute("aria-sort"), "descending");
  // It stays sorted while prices change.
  gateway.tick("V:A", { last: 50 });
  await watchlist.untilKeys(["V:A", "W:C", "V:B"]);
  await last.click();
  await watchlist.untilKeys(["V:B", "W:C", "V:A"]);
  await last.click();
  assert.equal(await last.getAttribute("aria-sort"), null);
  await watchlist.untilKeys(["V:A", "V:B", "W:C"]);

  await page.keyboard.press("f");
  await page.keyboard.type("w:");
  await watchlist.untilKeys(["W:C"]);
  await page.keyboard.type("x");
  await page.getByText("No row has “W:X” in its symbol").waitFor();
  await page.getByRole("button", { name: "Show all rows" }).click();
  await watchlist.untilKeys(["V:A", "V:B", "W:C"]);
  watchlist.assertNoErrors();
});

test("a new interval takes effect at once: fewer updates, and more of them conflated", options, async (t) => {
  const gateway = await simulator(t, "--feed", "sim:?symbols=20&rate=4000");
  const watchlist = await WatchlistPage.open(t, gateway.port, { viewport: { width: 1_600, height: 900 } });
  await watchlist.untilLive("SIM:S0000");
  const updates = async () => numberOf((await watchlist.figure("updates")).replace("/s", "").replace("K", "e3"));
  const conflated = async () => numberOf((await watchlist.figure("conflated")).replace("%", ""));
  await watchlist.page.getByText("100 ms").click();
  await polled(updates, (rate) => rate > 100, "more than a hundred updates a second");
  const [fast, fastShare] = [await updates(), await conflated()];
  await watchlist.page.getByText("5 s", { exact: true }).click();
  await polled(updates, (rate) => rate < fast / 5, "a fifth of them");
  await polled(conflated, (share) => share > fastShare && share >= 95, "nearly all to be conflated");
  // It is stored.
  await watchlist.page.reload();
  assert.ok(await watchlist.page.getByRole("radio", { name: "5 s" }).isChecked());
  watchlist.assertNoErrors();
});

test(
  "a symbol of a silent feed is marked as stale with its age, and is live again with its next tick",
  options,
  async (t) => {
    const market = await ExampleMarket.open(t);
    market.tick("V:A");
    market.tick("V:B");
    await market.known("V:B");
    const watchlist = await WatchlistPage.open(t, Number(new URL(market.url).port));
    await watchlist.untilLive("V:B");
    const row = watchlist.row("V:A");
    const ground = () => row.evaluate((element) => getComputedStyle(element).backgroundImage);
    assert.equal(await ground(), "none");

    await market.stopFeed();
    await row.and(watchlist.page.locator('[data-state="stale"]')).waitFor();
    const badge = row.locator(".badge");
    await polled(
      async () => (await badge.textContent()) ?? "",
      (text) => /^stale [1-9]\d* s$/.test(text),
      "the badge to count",
    );
    assert.match(await ground(), /gradient/, "hatched");
    assert.match((await badge.getAttribute("title")) ?? "", /The price is from \d\d:\d\d:\d\d/);
    assert.equal((await watchlist.prices("V:A")).bid, 1.5, "the old value stays");
    assert.equal(await watchlist.page.locator(".banner").count(), 0, "the connection is not shown as lost");

    await market.startFeed();
    market.tick("V:A");
    await watchlist.untilLive("V:A");
    await badge.waitFor({ state: "hidden" });
    market.endFeed();
    await row.and(watchlist.page.locator('[data-state="closed"]')).waitFor();
    await row.getByText(/^closed/).waitFor();
    watchlist.assertNoErrors();
  },
);

test("the chart is live, shows its start, and closing it restores the focus", options, async (t) => {
  const gateway = await market(t, ["V:A", "V:B"]);
  const watchlist = await WatchlistPage.open(t, gateway.port, { viewport: { width: 1_400, height: 900 } });
  const { page } = watchlist;
  await watchlist.untilLive("V:B");
  await watchlist.cell("V:B", "last").focus();
  await page.keyboard.press("Enter");
  const panel = page.getByRole("complementary", { name: "Chart of V:B" });
  await panel.waitFor();
  await panel.locator("canvas").first().waitFor();
  assert.match(
    (await panel.getByText(/^Since/).textContent()) ?? "",
    /^Since \d\d:\d\d:\d\d, when this page first saw it$/,
  );
  gateway.tick("V:B", { bid: 77.25, bidSize: 300, last: 78 });
  await panel.getByText("77.25 × 300").waitFor();
  await panel.locator("dd", { hasText: /^78\.00$/ }).waitFor();
  await panel.getByText("Candles").click();
  assert.ok(await panel.getByRole("radio", { name: "Candles" }).isChecked());
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "detached" });
  assert.deepEqual(await watchlist.focus(), { row: "V:B", column: "last" });
  watchlist.assertNoErrors();
});

test("everything can be done with the keyboard", options, async (t) => {
  const symbols = Array.from({ length: 200 }, (_, index) => `V:S${String(index).padStart(3, "0")}`);
  const gateway = await market(t, symbols);
  const watchlist = await WatchlistPage.open(t, gateway.port, {
    hash: "#symbols=V:*",
    viewport: { width: 1_200, height: 700 },
  });
  const { page } = watchlist;
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
    return watchlist.focus();
  };
  await watchlist.untilLive("V:S000");
  // After the search box, the grid is one stop of the Tab key.
  await page.keyboard.press("/");
  assert.equal((await watchlist.focus()).column, "search");
  await watchlist.page.locator("#filter").focus();
  for (let stop = 0; stop < 12 && (await watchlist.focus()).row === ""; stop++) await page.keyboard.press("Tab");
  assert.deepEqual(await watchlist.focus(), { row: "V:*", column: "" });
  assert.deepEqual(await press("ArrowDown", "ArrowRight", "ArrowRight"), { row: "V:S000", column: "last" });
  assert.deepEqual(await press("ArrowDown", "ArrowDown", "End"), { row: "V:S002", column: "time" });
  assert.deepEqual(await press("Home"), { row: "V:S002", column: "symbol" });
  const paged = await press("PageDown");
  assert.ok(paged.row > "V:S010" && paged.row < "V:S040", paged.row);
  assert.deepEqual(await press("Control+End"), { row: "V:S199", column: "time" });
  assert.ok(await watchlist.cell("V:S199", "time").isVisible());
  // The row keeps the focus when the wheel scrolls it out of sight.
  await page.mouse.move(300, 300);
  await page.mouse.wheel(0, -9_000);
  await watchlist.row("V:S001").waitFor();
  assert.deepEqual(await watchlist.focus(), { row: "V:S199", column: "time" });
  assert.deepEqual(await press("ArrowUp"), { row: "V:S198", column: "time" });
  assert.deepEqual(await press("Delete"), { row: "V:S199", column: "time" });
  await watchlist.row("V:S198").waitFor({ state: "detached" });
  assert.deepEqual(await press("Control+Home", "Home"), { row: "V:*", column: "" });
  await press("Enter");
  await watchlist.untilKeys(["V:*"]);
  await press("Enter");
  // Above the first row is the header: its cells sort.
  assert.equal((await press("ArrowUp", "ArrowRight", "ArrowRight")).column, "last");
  await press("Enter");
  assert.equal(await page.getByRole("columnheader", { name: "Last" }).getAttribute("aria-sort"), "descending");
  assert.equal((await press("ArrowDown")).row, "V:S199");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineStyle);
  assert.equal(outline, "solid", "the focus is visible");
  await press("?");
  await page.getByRole("dialog", { name: "Keys and signs" }).waitFor();
  await press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal((await watchlist.focus()).row, "V:S199", "the dialog restores the focus");
  watchlist.assertNoErrors();
});

test(
  "everything has a name and a role, rows have numbers, and the connection's state is announced",
  options,
  async (t) => {
    const gateway = await market(t, ["V:A", "V:B"]);
    const watchlist = await WatchlistPage.open(t, gateway.port, { viewport: { width: 1_400, height: 900 } });
    const { page } = watchlist;
    await watchlist.untilLive("V:B");
    await watchlist.row("V:A").click();
    await page.locator(".chart canvas").first().waitFor();
    const tree = await page.locator("body").ariaSnapshot();
    for (const part of [
      /heading "Tickgate" \[level=1\]/,
      /combobox "Search for symbols to add"/,
      /searchbox "Filter the rows"/,
      /button "Share this list"/,
      /button "Keys and help"/,
      /button "Theme: as the system has it/,
      /grid "Watchlist"/,
      /columnheader "Symbol"/,
      /row "A V /,
      /radio "250 ms" \[checked\]/,
      /complementary "Chart of V:A"/,
      /button "Close the chart"/,
    ])
      assert.match(tree, part);
    const unnamed = await page.evaluate(() =>
      [...document.querySelectorAll("button, a, input, [role=grid], dialog")]
        .filter((element) => {
          const labelled = element.getAttribute("aria-label") || element.textContent?.trim();
          return !labelled && !(element as HTMLInputElement).labels?.length && !element.getAttribute("aria-labelledby");
        })
        .map((element) => element.outerHTML.slice(0, 80)),
    );
    assert.deepEqual(unnamed, []);
    const indexes = await page.evaluate(() =>
      [...document.querySelectorAll(".rows > .row")].map((row) => row.getAttribute("aria-rowindex")),
    );
    assert.deepEqual(indexes, ["2", "3"]);
    assert.equal(await page.locator("[role=grid] [tabindex='0']").count(), 1, "one stop for the Tab key");
    gateway.signal("SIGTERM");
    await page.locator("#connection-said", { hasText: "restarting" }).waitFor({ state: "attached" });
  },
);

test("a phone's width has the main columns, large targets, and no horizontal scrolling", options, async (t) => {
  const gateway = await simulator(t, "--feed", "sim:?symbols=60&rate=600");
  const watchlist = await WatchlistPage.open(t, gateway.port, {
    ...{ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: "light" },
  });
  const { page } = watchlist;
  await watchlist.untilLive("SIM:S0000");
  for (const column of ["symbol", "trend", "last", "percent"])
    assert.ok(await watchlist.cell("SIM:S0000", column).isVisible(), column);
  for (const column of ["bid", "ask", "volume", "range", "time"])
    assert.ok(!(await watchlist.cell("SIM:S0000", column).isVisible()), column);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);

  const small = () =>
    page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>("button, label:has(input), a, [role=columnheader], .rows > .row")]
        .filter((element) => element.checkVisibility() && !element.closest(".credits") && !element.closest("[inert]"))
        .map((element) => ({ element, box: element.getBoundingClientRect() }))
        .filter(({ box }) => box.width > 0 && (box.height < 44 || box.width < 44))
        .map(({ element, box }) => `${element.outerHTML.slice(0, 60)} ${box.width} x ${box.height}`),
    );
  assert.deepEqual(await small(), []);

  await watchlist.row("SIM:S0002").tap();
  const panel = page.getByRole("complementary");
  await panel.locator("canvas").first().waitFor();
  const box = await panel.boundingBox();
  assert.ok(box && box.width === 390 && box.y > 40 && box.y + box.height === 844, "a sheet at the bottom");
  assert.deepEqual(await small(), []);
  // A click above the sheet closes it.
  await page.touchscreen.tap(200, 30);
  await panel.waitFor({ state: "detached" });
  watchlist.assertNoErrors();
});

test("the theme is the system's until one is chosen, and reduced motion is respected", options, async (t) => {
  const gateway = await simulator(t, "--feed", "sim:?symbols=20&rate=2000");
  const watchlist = await WatchlistPage.open(t, gateway.port, { colorScheme: "dark", reducedMotion: "reduce" });
  const { page } = watchlist;
  await watchlist.untilLive("SIM:S0000");
  const theme = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
  assert.equal(await theme(), "dark");
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await polled(theme, (name) => name === "light", "the page to follow the system");
  await page.getByRole("button", { name: /^Theme/ }).click();
  await polled(theme, (name) => name === "dark", "the chosen theme");
  await page.reload();
  assert.equal(await theme(), "dark", "it is stored");
  await page.locator("[data-flash]").first().waitFor();
  const flashes = await page.evaluate(() =>
    [...document.querySelectorAll("[data-flash]")].map((cell) => getComputedStyle(cell, "::before").display),
  );
  assert.ok(flashes.every((display) => display === "none"));
  watchlist.assertNoErrors();
});

test(
  "with --origin the gateway's own page may connect; under a name that is not listed it shows that it may not",
  options,
  async (t) => {
    const gateway = await simulator(t, "--feed", "sim:?symbols=5&rate=50", "--origin", "https://ours.example");
    const watchlist = await WatchlistPage.open(t, gateway.port);
    await watchlist.untilLive("SIM:S0001");
    watchlist.assertNoErrors();
    const browser = await launchBrowser(t, "--host-resolver-rules=MAP prices.example 127.0.0.1");
    const page = await browser.newPage();
    const response = await page.goto(`http://prices.example:${gateway.port}/`);
    assert.equal(response?.status(), 403);
    await page.getByText(`--origin https://prices.example:${gateway.port}`).waitFor();
  },
);

test("rejected symbols are in the list with the reason, and without a price", options, async (t) => {
  const gateway = await GatewayProcess.open("--max-symbols-per-connection", "2");
  t.after(() => gateway.close());
  for (const symbol of ["V:A", "V:B", "V:C"]) gateway.tick(symbol, { last: 5 });
  await gateway.known("V:C");
  const watchlist = await WatchlistPage.open(t, gateway.port, { hash: "#symbols=V:A,NOPE,V:C" });
  await watchlist.untilLive("V:A");
  await watchlist.row("NOPE").getByText("no tick yet").waitFor();
  await watchlist.row("V:C").getByText("refused").waitFor();
  assert.match((await watchlist.row("V:C").locator(".badge").getAttribute("title")) ?? "", /2 symbols/);
  assert.equal(await watchlist.cell("V:C", "last").textContent(), "–");
  // A removed symbol makes room for the next.
  await watchlist.row("V:A").hover();
  await watchlist.page.locator(".remove").click();
  await watchlist.untilLive("V:C");
  watchlist.assertNoErrors();
});

test("it can be turned off", options, async (t) => {
  const gateway = await simulator(t, "--no-watchlist");
  const response = await gateway.get("/");
  assert.equal(response.status, 404);
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  const other = await simulator(t);
  const page = await other.get("/");
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  other.signal("SIGTERM");
  assert.match((await other.ended()).stdout, new RegExp(`page +http://127.0.0.1:${other.port}/\n`));
});

test("without storage, or with invalid data in it, the page works", options, async (t) => {
  const gateway = await market(t, ["V:A"]);
  const browser = await launchBrowser(t);
  const context = await browser.newContext();
  await context.addInitScript(() => {
    localStorage.setItem("tickgate.watchlist", '{"version":1,"entries":[{"text":7},{"text":"V:A","without":"x"}]}');
    localStorage.setItem("tickgate.view", "{{{");
  });
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${gateway.port}/`);
  await page.locator('.row[data-symbol="V:A"][data-state="live"]').waitFor({ timeout: PATIENCE });
  const denied = await browser.newContext();
  await denied.addInitScript(() => {
    Object.defineProperty(window, "localStorage", {
      get() {
        throw new DOMException("denied", "SecurityError");
      },
    });
  });
  const other = await denied.newPage();
  await other.goto(`http://127.0.0.1:${gateway.port}/`);
  await other.locator('.row[data-symbol="V:A"][data-state="live"]').waitFor({ timeout: PATIENCE });
  await other.locator('.row[data-symbol="V:A"] .symbol').focus();
  await other.keyboard.press("Delete");
  await other.locator(".toast").getByText("This browser keeps nothing for this page").waitFor({ timeout: PATIENCE });
});

test("names and prices of any length do not overlap, at any width", options, async (t) => {
  const long = `VENUE-OF-A-LONG-NAME:${"X".repeat(43)}`;
  const gateway = await market(t, [long, "V:CHEAP", "V:DEAR", "V:BELOW"]);
  gateway.tick(long, { bid: 123_456_789.123_456, ask: 123_456_790.5, last: 123_456_789.9, low: 1e-8, high: 1e9 });
  gateway.tick("V:CHEAP", { bid: 0.000_012_34, ask: 0.000_012_4, last: 0.000_012_345, open: 0.000_02 });
  gateway.tick("V:DEAR", { bid: 1_234_567_890, ask: 1_234_567_999, last: 1_234_567_891, open: 1_234_000_000 });
  gateway.tick("V:BELOW", { bid: -37.63, ask: -37.6, last: -37.61 });
  const watchlist = await WatchlistPage.open(t, gateway.port, { viewport: { width: 1_440, height: 700 } });
  const { page } = watchlist;
  await watchlist.untilLive("V:BELOW");
  await polled(
    () => watchlist.cell("V:BELOW", "last").textContent(),
    (text) => text === "−37.61" || text === "▼−37.61",
    "a price below nought",
  );
  const outside = () =>
    page.evaluate(() => {
      const spills = [...document.querySelectorAll<HTMLElement>(".rows > .row > .cell")].filter(
        (cell) => getComputedStyle(cell).overflow !== "hidden" && cell.scrollWidth > cell.clientWidth,
      );
      const signs = [...document.querySelectorAll<HTMLElement>(".strip > *, .badge:not(:empty)")].filter((sign) => {
        const around = sign.closest(".symbol, .strip")?.getBoundingClientRect();
        return sign.checkVisibility() && around && sign.getBoundingClientRect().right > around.right;
      });
      return [...spills, ...signs].map((element) => `${element.className}: ${element.textContent}`);
    });
  const widths = [1_440, 1_000, 820, 600, 390, 320];
  const look = async (when: string) => {
    for (const width of widths) {
      await page.setViewportSize({ width, height: 700 });
      await polled(outside, (found) => found.length === 0, `nothing outside ${when}, ${width} pixels wide`);
    }
  };
  await look("while it is live");
  await gateway.close();
  await page.locator(".banner.warn").waitFor();
  await polled(
    () => watchlist.cell(long, "symbol").locator(".badge").textContent(),
    (text) => /^stale \d+ s$/.test(text ?? ""),
    "its age",
  );
  await look("while the gateway is away");
  watchlist.assertNoErrors();
});

test("on a small screen the chart is beside the list, whose rows stay in place", options, async (t) => {
  const gateway = await simulator(t, "--feed", "sim:?symbols=60&rate=600");
  const watchlist = await WatchlistPage.open(t, gateway.port, { viewport: { width: 760, height: 600 } });
  await watchlist.untilLive("SIM:S0000");
  await watchlist.page.locator(".grid").evaluate((grid) => grid.scrollTo({ top: 600 }));
  await watchlist.cell("SIM:S0025", "last").click();
  const panel = watchlist.page.getByRole("complementary");
  await panel.locator("canvas").first().waitFor();
  const [row, side, list] = await Promise.all(
    [watchlist.row("SIM:S0025"), panel, watchlist.page.locator(".grid")].map((part) => part.boundingBox()),
  );
  assert.ok(row && side && list);
  assert.ok(row.x + row.width <= side.x, "beside it");
  assert.ok(row.y >= list.y && row.y + row.height <= list.y + list.height + 1, "on the screen");
});

/** The watchlist at a gateway that reads tokens, in a real Chromium: how one is entered, and what it shows. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { GatewayProcess, polled } from "./support/gateway_process.ts";
import { SECRET, sign } from "./support/tokens.ts";
import { WatchlistPage } from "./support/web_page.ts";

const options = { timeout: 120_000 };
const OTHER_SECRET = "another secret of the tests, of 32 bytes or more";
const DELAY = 20_000;
const POLICY = {
  roles: {
    anonymous: { grants: [{ symbols: ["PUB:*", "LATE:*"], delay: DELAY }] },
    desk: { grants: [{ symbols: ["PUB:*", "DESK:*"] }, { symbols: ["LATE:*"], delay: DELAY }] },
  },
};
const viewport = { width: 1_400, height: 800 };

async function openGateway(t: TestContext, auth: "required" | "optional", ...args: string[]): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.open("--auth", auth, "--jwt-secret", SECRET, ...args);
  t.after(() => gateway.close());
  for (const symbol of ["PUB:A", "DESK:A", "LATE:A"]) gateway.tick(symbol, { bid: 10, ask: 11, last: 10.5 });
  await polled(
    () => gateway.metric("tickgate_symbols"),
    (count) => count === 3,
    "all symbols",
  );
  return gateway;
}

/** Whatever the page has kept, asked for, and shows in its address. */
async function placesOf({ page, requests }: WatchlistPage) {
  const kept = await page.evaluate(() => ({
    local: JSON.stringify(localStorage),
    session: JSON.stringify(sessionStorage),
    address: location.href,
    cookies: document.cookie,
  }));
  return { ...kept, requests: requests.join() };
}

test("a gateway that requires a token: the page asks for one, and keeps it in the tab alone", options, async (t) => {
  const gateway = await openGateway(t, "required");
  const watchlist = await WatchlistPage.open(t, gateway.port, { viewport, hash: "#symbols=PUB:A,DESK:A" });
  const { page } = watchlist;
  const dialog = page.getByRole("dialog", { name: "Token" });
  const field = dialog.getByLabel("Token for this gateway");
  await dialog.getByText("it requires a token").waitFor();
  assert.equal((await watchlist.focus()).column, "token", "the field has the keyboard");
  assert.equal(await field.getAttribute("type"), "password");
  // Escape closes it; the banner opens it again.
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.match((await page.locator("#connection-said").textContent()) ?? "", /refused this page.*it requires a token/);
  await page.getByRole("button", { name: "Enter a token" }).click();
  await dialog.waitFor();

  await field.fill("a password");
  await page.keyboard.press("Enter");
  await dialog.getByRole("alert").getByText("This is not a token").waitFor();
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  assert.equal((await watchlist.focus()).column, "token");
  // One that the gateway refuses, which a browser does not tell: the page asks, once, and tries no more.
  await field.fill(await sign({}, 60, OTHER_SECRET));
  await page.keyboard.press("Enter");
  await dialog.getByText("it does not accept the token").waitFor();

  const token = await sign();
  await field.fill(`Bearer ${token}`);
  await dialog.getByRole("button", { name: "Use it" }).click();
  await watchlist.untilLive("DESK:A");
  assert.deepEqual(await watchlist.keys(), ["PUB:A", "DESK:A"], "the list of the link stands");
  await page.reload();
  await watchlist.untilLive("DESK:A");
  const { session, ...others } = await placesOf(watchlist);
  assert.ok(session.includes(token));
  for (const [place, text] of Object.entries(others)) assert.ok(!text.includes("eyJ"), `${place}: ${text}`);
  // Symbols are found with it, too.
  await page.keyboard.press("/");
  await page.keyboard.type("LATE");
  await page.getByRole("option", { name: "LATE:A" }).waitFor();
  await page.keyboard.press("Escape");
  // Another tab has none.
  const other = await page.context().newPage();
  await other.goto(`http://127.0.0.1:${gateway.port}/`);
  await other.getByRole("dialog", { name: "Token" }).waitFor();
  // Only that requests were refused is said.
  const others401 = watchlist.errors.filter((text) => !text.includes("401"));
  assert.deepEqual(others401, []);
});

test("a token that expires: the page asks for another", options, async (t) => {
  const gateway = await openGateway(t, "required");
  const watchlist = await WatchlistPage.open(t, gateway.port, { viewport, hash: "#symbols=PUB:A" });
  const dialog = watchlist.page.getByRole("dialog", { name: "Token" });
  await dialog.getByLabel("Token for this gateway").fill(await sign({}, 8));
  await watchlist.page.keyboard.press("Enter");
  await watchlist.untilLive("PUB:A");
  await dialog.getByText(/\(4401\)/).waitFor();
  assert.equal((await watchlist.rows())[0].state, "stale");
});

test("late data and symbols without entitlement say so; a token changes that, and is forgotten", options, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-web-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const policy = join(folder, "policy.json");
  writeFileSync(policy, JSON.stringify(POLICY));
  const gateway = await openGateway(t, "optional", "--policy", policy);
  const hash = "#symbols=PUB:A,LATE:A,DESK:A,NOPE,DESK:*";
  const watchlist = await WatchlistPage.open(t, gateway.port, { viewport, hash });
  const { page } = watchlist;
  const strip = page.locator(".strip .late");
  await strip.getByText("Delayed 20 s", { exact: true }).waitFor();
  await page.locator("#delay-said", { hasText: "Delayed 20 s." }).waitFor({ state: "attached" });
  const badge = (symbol: string) => watchlist.row(symbol).locator(".badge");
  await badge("DESK:A").getByText("not entitled", { exact: true }).waitFor();
  await badge("NOPE").getByText("not entitled", { exact: true }).waitFor();
  assert.match((await badge("DESK:A").getAttribute("title")) ?? "", /not allowed/);
  assert.equal(await watchlist.cell("DESK:A", "last").textContent(), "–");
  const tree = await page.locator("body").ariaSnapshot();
  assert.match(tree, /button "Token"/);
  assert.match(tree, /row "A DESK not entitled/);

  const button = page.getByRole("button", { name: "Token" });
  const dialog = page.getByRole("dialog", { name: "Token" });
  await button.click();
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.equal(await button.evaluate((element) => element === document.activeElement), true, "the focus is back");
  await button.click();
  await dialog.getByLabel("Token for this gateway").fill(await sign({ roles: ["desk"] }, 600));
  await page.keyboard.press("Enter");
  await watchlist.untilLive("PUB:A");
  await watchlist.untilLive("DESK:A");
  await strip.getByText("Some delayed up to 20 s", { exact: true }).waitFor();
  await page.locator("#delay-said", { hasText: "Some delayed up to 20 s." }).waitFor({ state: "attached" });

  await button.click();
  await dialog.waitFor();
  await dialog.getByRole("button", { name: "Forget the present token" }).click();
  await badge("DESK:A").getByText("not entitled", { exact: true }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  watchlist.assertNoErrors();
});

test("what an expired token showed is not taken for a feed that is silent", options, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-web-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const policy = join(folder, "policy.json");
  writeFileSync(policy, JSON.stringify(POLICY));
  const gateway = await openGateway(t, "optional", "--policy", policy);
  const watchlist = await WatchlistPage.open(t, gateway.port, { viewport, hash: "#symbols=PUB:A,DESK:A" });
  const { page } = watchlist;
  await page.getByRole("button", { name: "Token" }).click();
  await page.getByLabel("Token for this gateway").fill(await sign({ roles: ["desk"] }, 8));
  await page.keyboard.press("Enter");
  await watchlist.untilLive("DESK:A");
  await watchlist
    .row("DESK:A")
    .getByText(/^token expired/)
    .waitFor();
  watchlist.assertNoErrors();
});

test("a gateway that reads no tokens has no button for one", options, async (t) => {
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  gateway.tick("V:A", { last: 1 });
  await gateway.known("V:A");
  const watchlist = await WatchlistPage.open(t, gateway.port);
  await watchlist.untilLive("V:A");
  assert.equal(await watchlist.page.getByRole("button", { name: "Token" }).count(), 0);
  assert.equal(await watchlist.page.locator(".strip .late").count(), 0);
  watchlist.assertNoErrors();
});

/** What the watchlist shows while a gateway ends, hangs and returns; and what a hidden tab costs a gateway. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { polled, ServerProcess } from "./support/gateway_process.ts";
import { freePort } from "./support/redis_server.ts";
import { SlowLink } from "./support/slow_link.ts";
import { numberOf, WatchlistPage } from "./support/web_page.ts";
import { type Tab, TabBrowser } from "./support/web_tab.ts";

const options = { timeout: 180_000 };
/** The longest time until the page shows that the connection is lost, ms. */
const NOTICE = 3_000;
/** How long hidden tabs are measured, s: longer than the client's interval for them. */
const HIDDEN = 36;

/** Measures for so many seconds. @returns bytes a second */
async function rateOf(tab: Tab, seconds: number): Promise<number> {
  const before = tab.bytes;
  await sleep(seconds * 1_000);
  return (tab.bytes - before) / seconds;
}

/** A gateway that can be killed and restarted on the same port. */
class Place {
  readonly #args: readonly string[];
  server!: ServerProcess;

  private constructor(args: readonly string[]) {
    this.#args = args;
  }

  static async open(t: TestContext, feed: string): Promise<Place> {
    const port = String(await freePort());
    const place = new Place(["all", "--port", port, "--admin-port", "0", "--feed", feed]);
    t.after(() => place.server.close());
    await place.start();
    return place;
  }

  async start(): Promise<void> {
    this.server = await ServerProcess.open(...this.#args);
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    this.server.signal(signal);
    await this.server.ended();
  }
}

test(
  "a gateway is killed: the page shows that, marks prices as old, and is live again by itself",
  options,
  async (t) => {
    const place = await Place.open(t, "sim:?symbols=40&rate=400");
    const watchlist = await WatchlistPage.open(t, place.server.port, { viewport: { width: 1_400, height: 800 } });
    const { page } = watchlist;
    await watchlist.untilLive("SIM:S0010");
    const banner = page.locator(".banner");

    await place.stop("SIGKILL");
    const killedAt = performance.now();
    await banner.getByText("Connection lost.").waitFor({ timeout: NOTICE * 5 });
    const noticed = performance.now() - killedAt;
    t.diagnostic(`said ${Math.round(noticed)} ms after the gateway was dead`);
    assert.ok(noticed < NOTICE, `it said so after ${noticed} ms`);
    assert.match((await banner.textContent()) ?? "", /Prices are from \d\d:\d\d:\d\d, \d+ s old\. Trying again/);
    assert.match((await page.locator("#connection-said").textContent()) ?? "", /^Connection lost\./);
    assert.match(await page.title(), /^Disconnected/);
    const rows = await watchlist.rows();
    assert.ok(rows.length > 10);
    for (const { symbol, state, last } of rows) {
      assert.equal(state, "stale", symbol);
      assert.notEqual(last, "–", "the last price stays");
    }
    await polled(
      async () => (await watchlist.rows()).map((row) => row.badge),
      (badges) => badges.every((badge) => /^stale [2-9] s$/.test(badge)),
      "the age in every row",
    );
    assert.equal(await watchlist.figure("updates"), "–");

    // It tries again, with growing delays; or now.
    await place.start();
    await page
      .getByRole("button", { name: "Try now" })
      .click({ timeout: 5_000 })
      .catch(() => {});
    await banner.getByText(/^Live again, after \d+ s\.$/).waitFor();
    await polled(
      async () => (await watchlist.rows()).map((row) => row.state),
      (states) => states.every((state) => state === "live"),
      "every row to be live",
    );
    await polled(
      () => watchlist.figure("updates"),
      (text) => numberOf(text.replace("/s", "")) > 0,
      "updates",
    );
    await banner.waitFor({ state: "detached" });
    assert.equal(await page.title(), "Tickgate");
    watchlist.assertNoErrors();
  },
);

test("the page reconnects without the button too; a restart is shown as one", options, async (t) => {
  const place = await Place.open(t, "sim:?symbols=10&rate=100");
  const watchlist = await WatchlistPage.open(t, place.server.port);
  await watchlist.untilLive("SIM:S0001");
  await place.stop("SIGTERM");
  await watchlist.page.locator(".banner").getByText("The gateway is restarting.").waitFor();
  await place.start();
  await watchlist.untilLive("SIM:S0001");
  watchlist.assertNoErrors();
});

test(
  "when the network returns it tries at once, but not before the gateway's time to reconnect",
  options,
  async (t) => {
    const place = await Place.open(t, "sim:?symbols=10&rate=100");
    const watchlist = await WatchlistPage.open(t, place.server.port);
    const { page } = watchlist;
    await watchlist.untilLive("SIM:S0001");
    await place.stop("SIGKILL");
    const waiting = page.locator(".banner .retry").getByText(/in ([3-9]|\d\d) s/);
    await waiting.waitFor();
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await waiting.waitFor({ state: "detached" });
    await place.start();
    await page.getByRole("button", { name: "Try now" }).click();
    await watchlist.untilLive("SIM:S0001");
    await place.stop("SIGTERM");
    await page.locator(".banner").getByText("The gateway is restarting.").waitFor();
    await waiting.waitFor();
    const shown = await page.evaluate(async () => {
      dispatchEvent(new Event("online"));
      for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
      return document.querySelector(".retry")?.textContent;
    });
    assert.notEqual(shown, "Trying again now…");
  },
);

test(
  "a gateway hangs with its connections open: the page shows within seconds that it does not answer",
  options,
  async (t) => {
    const place = await Place.open(t, "sim:?symbols=10&rate=100");
    const watchlist = await WatchlistPage.open(t, place.server.port);
    await watchlist.untilLive("SIM:S0001");
    await polled(
      () => watchlist.figure("roundTrip"),
      (text) => text.endsWith("ms"),
      "a round trip",
    );
    place.server.signal("SIGSTOP");
    const stoppedAt = performance.now();
    const banner = watchlist.page.locator(".banner");
    await banner.getByText("The gateway does not answer.").waitFor();
    t.diagnostic(`said ${Math.round(performance.now() - stoppedAt)} ms after the gateway had stopped`);
    await watchlist.page.locator('.grid[data-old="true"]').waitFor();
    place.server.signal("SIGCONT");
    await banner.getByText(/^Live again/).waitFor();
    await watchlist.page.locator('.grid[data-old="false"]').waitFor();
    watchlist.assertNoErrors();
  },
);

test("a line too slow for its subscriptions: the status bar shows the slower interval, and why", options, async (t) => {
  const place = await Place.open(t, "sim:?symbols=20&rate=20000");
  const link = await SlowLink.open(place.server.port, 30_000);
  t.after(() => link.close());
  const { port } = new URL(link.url);
  const watchlist = await WatchlistPage.open(t, Number(port), { viewport: { width: 1_500, height: 800 } });
  await watchlist.untilLive("SIM:S0001");
  await watchlist.page.getByText("tick", { exact: true }).click();
  const slowed = watchlist.page.getByText(/^Slowed to \d+ m?s: slow connection$/);
  await slowed.waitFor();
  assert.equal(await watchlist.page.locator(".banner").count(), 0, "nothing is lost");
  // With fewer symbols, updates are as granted again.
  await watchlist.page.getByText("5 s", { exact: true }).click();
  await slowed.waitFor({ state: "detached" });
  watchlist.assertNoErrors();
});

test(
  "a hidden tab costs a fifth at most: one with fifty symbols, and one with a pattern of two thousand",
  options,
  async (t) => {
    const place = await Place.open(t, "sim:?symbols=2000&rate=10000");
    const browser = await TabBrowser.launch(t);
    const tabs = [];
    for (const hash of ["", "#symbols=SIM:*"]) {
      const tab = await browser.open(`http://127.0.0.1:${place.server.port}/${hash}`);
      await tab.show();
      const live = () => tab.value<number>(`document.querySelectorAll('.row[data-state="live"]').length`);
      await polled(live, (count) => count > 10, "rows to be live");
      assert.equal(await tab.value("document.visibilityState"), "visible");
      // Snapshots come first, in a frame or several: then two times in a row are alike.
      let last = Number.POSITIVE_INFINITY;
      await polled(
        async () => {
          const before = last;
          last = await rateOf(tab, 0.5);
          return last / before;
        },
        (ratio) => ratio > 0.8 && ratio < 1.25,
        "a steady rate",
      );
      // The next tab hides this one.
      tabs.push({ tab, seen: await rateOf(tab, 6), asked: tab.subscribes });
    }

    const other = await browser.open("about:blank");
    await other.show();
    for (const { tab } of tabs)
      await polled(
        () => tab.value<string>("document.visibilityState"),
        (state) => state === "hidden",
        "the tab to be hidden",
      );
    // Symbols with the longer interval get one more snapshot. Then each gets two ticks in a minute.
    for (const { tab, seen, asked } of tabs) {
      await polled(
        async () => tab.subscribes,
        (count) => count > asked,
        "another interval to be asked for",
      );
      await polled(
        () => rateOf(tab, 0.5),
        (rate) => rate < seen / 5,
        "the slower pace",
      );
    }
    const before = tabs.map(({ tab }) => tab.bytes);
    await sleep(HIDDEN * 1_000);
    for (const [index, { tab, seen }] of tabs.entries()) {
      const hidden = (tab.bytes - before[index]) / HIDDEN;
      t.diagnostic(
        `${Math.round(seen)} bytes/s seen, ${Math.round(hidden)} hidden: ${(seen / hidden).toFixed(1)} times less`,
      );
      assert.ok(hidden * 5 <= seen, `${hidden} bytes/s hidden, ${seen} seen`);
    }

    const [{ tab, seen }] = tabs;
    await tab.show();
    await polled(
      () => rateOf(tab, 0.5),
      (now) => now > seen / 3,
      "the traffic to be back",
    );
  },
);

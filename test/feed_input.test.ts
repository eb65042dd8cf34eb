/** An ndjson feed of a real process: what clients and metrics show when its writer hangs, is replaced or ends. */
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { GatewayProcess, polled } from "./support/gateway_process.ts";
import { Scrape } from "./support/metrics_page.ts";

const SILENCE = 300;

test("a writer that hangs makes its symbols stale, the next one's ticks are live, and after the end of input the feed is not connected", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-"));
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const gateway = await GatewayProcess.open("--feed", `ndjson:${pipe}?name=pipe&silence=${SILENCE}`);
  t.after(async () => {
    await gateway.close();
    rmSync(folder, { recursive: true });
  });
  const tick = async (symbol: string) => {
    const { ticks } = (await (await gateway.get(`/v1/ticks?symbols=${symbol}`)).json()) as {
      ticks: { symbol: string; state: string; bid: number | null }[];
    };
    return ticks[0];
  };
  const stands = (symbol: string, state: string, bid: number) =>
    polled(
      () => tick(symbol),
      (found) => found?.state === state && found.bid === bid,
      `${symbol} to be ${state} at ${bid}`,
    );
  const connected = (feed: string, value: number) =>
    polled(
      async () => (await Scrape.of(`http://127.0.0.1:${gateway.adminPort}`)).value("tickgate_feed_connected", { feed }),
      (found) => found === value,
      `the feed ${feed} to be connected: ${value}`,
    );

  // It keeps the pipe open, and writes one line only.
  const hanging = spawn("sh", ["-c", `exec 3>${pipe}; echo '{"symbol":"P","bid":1}' >&3; exec sleep 600`]);
  t.after(() => hanging.kill("SIGKILL"));
  await stands("P", "live", 1);
  await connected("pipe", 1);
  await stands("P", "stale", 1);
  await connected("pipe", 0);
  hanging.kill("SIGKILL");
  await once(hanging, "exit");
  for (const bid of [2, 3])
    await promisify(execFile)("sh", ["-c", `echo '{"symbol":"P","bid":${bid}}' > ${pipe}`], { timeout: 10_000 });
  await polled(
    () => tick("P"),
    ({ bid }) => bid === 3,
    "the last writer's line",
  );
  await stands("P", "stale", 3);
  await connected("pipe", 0);

  gateway.tick("S", { bid: 1 });
  await stands("S", "live", 1);
  await connected("ndjson", 1);
  gateway.endFeed();
  await stands("S", "closed", 1);
  await connected("ndjson", 0);
  assert.ok(gateway.alive);
});

test("zeros that mean nothing and times of the past are not shown", async (t) => {
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  const before = Date.now() * 1_000;
  gateway.ticks([
    { symbol: "NONE", bid: 0, bidSize: 0, last: null, volume: 0 },
    { symbol: "ZERO", bid: 0, bidSize: 5, ask: 0 },
    { symbol: "SECONDS", bid: 1, time: 1_700_000_000 },
    { symbol: "END", bid: 1 },
  ]);
  await gateway.known("END");
  const answer = await (await gateway.get("/v1/ticks?symbols=NONE,ZERO,SECONDS")).json();
  const { ticks } = answer as { ticks: Record<string, unknown>[] };
  const [none, zero, ...more] = ticks.filter(({ state }) => state !== "unknown");
  assert.deepEqual(more, []);
  assert.deepEqual([none.state, none.bid, none.bidSize, none.volume], ["stale", null, null, 0]);
  assert.deepEqual([zero.state, zero.bid, zero.bidSize, zero.ask], ["live", 0, 5, 0]);
  for (const { eventTime } of [none, zero]) {
    assert.ok(Number.isSafeInteger(eventTime));
    assert.ok(Number(eventTime) >= before);
  }
});

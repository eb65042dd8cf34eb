/** The access log of a gateway process: which subject saw which venue. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { GatewayProcess, polled, runTickgate } from "./support/gateway_process.ts";
import { SECRET, sign } from "./support/tokens.ts";
import { WireClient } from "./support/wire_client.ts";

const POLICY = {
  roles: {
    anonymous: { grants: [{ symbols: ["*"], delay: 60_000 }] },
    desk: { grants: [{ symbols: ["X:*"] }] },
  },
};

test("the log has each subject, venue and delay, with the begin and the end", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-access-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [policy, file] = [join(folder, "policy.json"), join(folder, "access.log")];
  writeFileSync(policy, JSON.stringify(POLICY));
  const own = ["--auth", "optional", "--jwt-secret", SECRET, "--policy", policy, "--access-log", file];
  const gateway = await GatewayProcess.open(...own);
  t.after(() => gateway.close());
  const client = await WireClient.open(gateway.url);
  await client.subscribe(["X:A", "X:B", "Y:A"]);
  await client.ask({ op: "auth", token: await sign({ roles: ["desk"] }) }, "authenticated");
  await client.heard("unsubscribed", ({ reason }) => reason === "not_entitled");
  const lines = () =>
    readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  await polled(
    async () => lines(),
    (all) => all.some(({ event, delay }) => event === "sees" && delay === 0),
    "live",
  );
  client.close();
  await polled(
    async () => lines(),
    (all) => all.some(({ event }) => event === "disconnected"),
    "the end",
  );
  const shown = lines().map(({ event, subject, venue, delay }) => [event, subject, venue, delay].join(" ").trim());
  assert.deepEqual(shown, [
    "connected",
    "sees  X 60000",
    "sees  Y 60000",
    "saw  X 60000",
    "saw  Y 60000",
    "identified ann",
    "sees ann X 0",
    "saw ann X 0",
    "disconnected ann",
  ]);
  for (const { event, from, to } of lines()) if (event === "saw") assert.ok((from as string) <= (to as string));
  const { code, stderr } = await runTickgate("all", "--access-log", join(folder, "none", "a.log"));
  assert.deepEqual([code, stderr.trim().split("\n").length], [2, 1]);
  assert.match(stderr, /--access-log .* cannot be written/);
});

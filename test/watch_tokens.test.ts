/** `tickgate watch` at a gateway that requires tokens: it ends when its token cannot become another one. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CommandProcess } from "./support/command_process.ts";
import { GatewayProcess } from "./support/gateway_process.ts";
import { SECRET, sign } from "./support/tokens.ts";

const OTHER_SECRET = "another secret of the tests, of 32 bytes or more";
const REFUSED = "tickgate_tokens_refused_total";

async function open(t: TestContext): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.open("--auth", "required", "--jwt-secret", SECRET);
  t.after(() => gateway.close());
  gateway.tick("V:A", { bid: 1 });
  return gateway;
}

test("a token that is wrong, and one that expires: exit code 1 and one line", async (t) => {
  const gateway = await open(t);
  const watch = (token: string, ...more: string[]) =>
    new CommandProcess(t, ["watch", "V:A", "--url", gateway.url, "--token", token, ...more]);
  const wrong = await sign({}, 60, OTHER_SECRET);
  for (const more of [[], ["--json"]]) {
    const refused = watch(wrong, ...more);
    assert.equal(await refused.end(), 1);
    assert.equal(
      refused.stderr,
      `tickgate: ${gateway.url} refuses the token: Unexpected server response: 401\n`,
      "the token is not in it",
    );
  }
  assert.equal(await gateway.metric(REFUSED), 2, "one attempt each");
  const expiring = watch(await sign({}, 8));
  await expiring.writes("stdout", "V:A");
  assert.equal(await expiring.end(), 1);
  assert.match(expiring.stderr, /^tickgate: ws:\S+ refuses: .* \(4401\)\n$/);
});

test("a token file: after a refusal it tries again only when the file has another token", async (t) => {
  const gateway = await open(t);
  const folder = mkdtempSync(join(tmpdir(), "tickgate-watch-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "token");
  writeFileSync(file, await sign({}, 60, OTHER_SECRET));
  const watch = (onTerminal: boolean) =>
    new CommandProcess(t, ["watch", "V:A", "--url", gateway.url, "--token-file", file], onTerminal);
  const [table, lines] = [watch(true), watch(false)];
  // The second attempt of each.
  await table.writes("stdout", "NO CONNECTION: no token: Error: the gateway has refused the token in");
  await lines.writes("stderr", "trying again");
  assert.equal(await gateway.metric(REFUSED), 2, "the gateway has seen one attempt of each");
  writeFileSync(file, await sign());
  await table.writes("stdout", "connected to");
  await lines.writes("stdout", "V:A");
  assert.equal(await gateway.metric(REFUSED), 2);
  assert.match(
    lines.stderr,
    /^tickgate: no connection to ws:\S+: Unexpected server response: 401; trying again\ntickgate: connected to \S+\n$/,
  );
});

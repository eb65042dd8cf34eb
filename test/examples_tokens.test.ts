/** The examples that present tokens, at gateways that require them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildClient } from "../scripts/build_client.ts";
import { ExampleProgram, languages } from "./support/example_program.ts";
import { GatewayProcess } from "./support/gateway_process.ts";
import { CLIENT, openProvider, RESOURCE } from "./support/identity_provider.ts";
import { SECRET, sign } from "./support/tokens.ts";

const REFRESH = fileURLToPath(new URL("../examples/refresh.mjs", import.meta.url));

const python = languages().find(({ name }) => name === "Python");
const missing = python && "missing" in python && process.env.TEST_ALL !== "1" && `left out: ${python.missing}`;

test("the example in Python presents the token of its environment, and ends when it is refused", {
  skip: missing,
}, async (t) => {
  assert.ok(python && "command" in python);
  const gateway = await GatewayProcess.open("--auth", "required", "--jwt-secret", SECRET);
  t.after(() => gateway.close());
  gateway.tick("V:A", { bid: 1.5 });
  const run = (token: string) => {
    const command = ["env", `TICKGATE_TOKEN=${token}`, ...python.command];
    return new ExampleProgram(t, { name: "Python", command }, gateway.url, "V:A");
  };
  const program = run(await sign());
  await program.printed(/^V:A bid=1.5 /);
  program.interrupt();
  assert.equal(await program.ended(), 0);
  const wrong = await sign({}, 60, "another secret of the tests, of 32 bytes or more");
  const refused = run(wrong);
  assert.equal(await refused.ended(), 1);
  assert.match(refused.errors, /^the gateway refuses the token: .*401.*\n$/);
  assert.ok(!refused.errors.includes(wrong));
});

test("the example with refresh gets tokens of a provider, and keeps its connection beyond their lifetime", async (t) => {
  await buildClient();
  const provider = await openProvider(t, 6);
  const own = ["--auth", "required", "--jwt-issuer", provider.issuer, "--jwt-audience", RESOURCE];
  const gateway = await GatewayProcess.open(...own);
  t.after(() => gateway.close());
  gateway.tick("V:A", { bid: 1.5 });
  const env = {
    TOKEN_URL: `${provider.issuer}/token`,
    TOKEN_RESOURCE: RESOURCE,
    CLIENT_ID: CLIENT.client_id,
    CLIENT_SECRET: CLIENT.client_secret,
  };
  const command = ["env", ...Object.entries(env).map((pair) => pair.join("=")), process.execPath, REFRESH];
  const program = new ExampleProgram(t, { name: "refresh", command }, gateway.url, "V:*");
  let read = await program.printed(/^V:A bid=1.5 ask=- live$/);
  // Three refreshes, and so the end of the first token.
  for (let refreshes = 0; refreshes < 3; refreshes++) read = await program.printed(/^a token for 6 s$/, read);
  gateway.tick("V:A", { bid: 2.5 });
  await program.printed(/^V:A bid=2.5 ask=- live$/, read);
  assert.deepEqual(
    program.lines.filter((line) => line.startsWith("prices are")),
    ["prices are live"],
    "one connection",
  );
  program.interrupt();
  assert.equal(await program.ended(), 0);
  assert.equal(program.errors, "");
});

test("without what it needs the example with refresh says how it is used", async (t) => {
  const program = new ExampleProgram(t, { name: "refresh", command: [process.execPath, REFRESH] });
  assert.equal(await program.ended(), 2);
  assert.match(program.errors, /^usage: .*\n$/);
});

/** The client library at a gateway that reads tokens: it presents them, refreshes them, and never shows too much. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type ClientOptions, TickgateClient } from "../src/client/client.ts";
import { GatewayProcess, polled } from "./support/gateway_process.ts";
import { SECRET, sign } from "./support/tokens.ts";

const POLICY = {
  roles: {
    anonymous: { grants: [{ symbols: ["PUB:*"] }, { symbols: ["LATE:*"], delay: 1_000 }] },
    desk: { grants: [{ symbols: ["PUB:*", "DESK:*", "LATE:*"] }] },
  },
};

async function open(t: TestContext, auth: string, policy?: unknown): Promise<GatewayProcess> {
  const args = ["--auth", auth, "--jwt-secret", SECRET];
  if (policy) {
    const folder = mkdtempSync(join(tmpdir(), "tickgate-client-"));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "policy.json"), JSON.stringify(policy));
    args.push("--policy", join(folder, "policy.json"));
  }
  const gateway = await GatewayProcess.open(...args);
  t.after(() => gateway.close());
  for (const symbol of ["PUB:A", "DESK:A", "LATE:A"]) gateway.tick(symbol, { bid: 1 });
  await polled(
    () => gateway.metric("tickgate_symbols"),
    (count) => count === 3,
    "all symbols",
  );
  return gateway;
}

function connect(t: TestContext, gateway: GatewayProcess, options: ClientOptions) {
  const client = new TickgateClient(gateway.url, options);
  t.after(() => client.close());
  const heard: string[] = [];
  client.on("error", ({ code, message, symbol }) => heard.push(`${code} ${symbol ?? message}`));
  client.on("connection", (state) => heard.push("reason" in state ? `${state.phase} ${state.reason}` : state.phase));
  return { client, heard };
}

const is = <T>(read: () => T, wanted: T, what: string) =>
  polled(
    async () => read(),
    (found) => found === wanted,
    what,
  );

for (const subprotocol of ["tickgate.v1.msgpack", "tickgate.v1.json"] as const)
  test(`${subprotocol}: a token is presented, and another one before it expires; the connection continues`, async (t) => {
    const gateway = await open(t, "required");
    let calls = 0;
    const token = () => {
      calls++;
      return sign({ sub: "ann", jti: String(calls) }, 3);
    };
    const { client, heard } = connect(t, gateway, { token, subprotocol });
    const { quotes } = client.subscribe(["DESK:A"]);
    await is(() => quotes.get("DESK:A")?.state, "live", "a live quote");
    await is(() => calls >= 4, true, "three refreshes");
    gateway.tick("DESK:A", { bid: 2 });
    await is(() => quotes.get("DESK:A")?.bid, 2, "the next tick");
    assert.deepEqual(heard, ["connecting", "open"]);
    assert.equal(client.stats.reconnects, 0);
  });

test("without a required token the client is refused, with the reason", async (t) => {
  const gateway = await open(t, "required");
  const { client, heard } = connect(t, gateway, {});
  client.subscribe(["DESK:A"]);
  await is(() => client.state, "closed", "the end");
  assert.match(heard.join("; "), /not_authenticated.*refused/);
});

test("after an unavailable or refused token the client tries again with another", async (t) => {
  const gateway = await open(t, "required");
  const tokens = [
    () => Promise.reject(new Error("the issuer is away")),
    () => Promise.resolve("words and spaces"),
    () => Promise.resolve("not.valid.indeed"),
    () => sign({}, 3_600),
  ];
  let calls = 0;
  const token = () => tokens[Math.min(calls++, tokens.length - 1)]();
  const { client, heard } = connect(t, gateway, { token, random: () => 0 });
  const { quotes } = client.subscribe(["DESK:A"]);
  await is(() => quotes.get("DESK:A")?.state, "live", "a live quote");
  assert.match(heard[1], /^waiting no token: Error: the issuer is away/);
  assert.ok(!/words and spaces|not\.valid/.test(heard.join()));
});

test("symbols of an expired token become stale immediately, and live with the next token; delayed data is marked", async (t) => {
  const gateway = await open(t, "optional", POLICY);
  let isAway = false;
  const token = () => {
    if (isAway) throw new Error("the issuer is away");
    return sign({ roles: ["desk"] }, 3);
  };
  const { client, heard } = connect(t, gateway, { token });
  const { quotes } = client.subscribe(["*"]);
  await is(() => quotes.get("DESK:A")?.state, "live", "a live quote");
  assert.equal(quotes.get("LATE:A")?.delay, 0);
  isAway = true;
  await is(() => quotes.get("DESK:A")?.state, "stale", "the end of the token");
  assert.equal(quotes.get("DESK:A")?.reason, "expired");
  await is(() => quotes.get("LATE:A")?.delay, 1_000, "late data");
  assert.equal(quotes.get("PUB:A")?.state, "live");
  assert.ok(heard.some((text) => text.startsWith("invalid_token no token: Error: the issuer is away")));
  isAway = false;
  await is(() => quotes.get("DESK:A")?.state, "live", "the next token");
  await is(() => quotes.get("LATE:A")?.delay, 0, "live data");
  assert.equal(client.stats.reconnects, 0);
  assert.deepEqual(
    Object.values(client.violations).filter((count) => count > 0),
    [],
  );
});

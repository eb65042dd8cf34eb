/** Tokens and policy at a gateway process, for an outside client: in both subprotocols, and over HTTP. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { GatewayProcess, polled, runTickgate } from "./support/gateway_process.ts";
import { Issuer, SECRET, sign } from "./support/tokens.ts";
import { WireClient } from "./support/wire_client.ts";

const POLICY = {
  roles: {
    anonymous: { grants: [{ symbols: ["PUB:*"] }] },
    desk: { grants: [{ symbols: ["PUB:*", "DESK:*"] }], symbolsPerConnection: 100 },
    slow: { grants: [{ symbols: ["DESK:*"], interval: 1_000 }] },
    single: { grants: [{ symbols: ["PUB:*"] }], connections: 1 },
  },
};
const SUBPROTOCOLS = ["tickgate.v1.json", "tickgate.v1.msgpack"] as const;

/** A policy file that can be replaced as a whole. */
function policyFile(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-policy-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "policy.json");
  const write = (policy: unknown) => {
    writeFileSync(`${path}.new`, typeof policy === "string" ? policy : JSON.stringify(policy));
    renameSync(`${path}.new`, path);
  };
  write(POLICY);
  return { path, write };
}

async function openGateway(t: TestContext, ...args: string[]): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.open(...args);
  t.after(() => gateway.close());
  for (const symbol of ["PUB:A", "DESK:A", "DESK:B", "HIDDEN:A"]) gateway.tick(symbol, { bid: 1 });
  await polled(
    () => gateway.metric("tickgate_symbols"),
    (count) => count === 4,
    "all symbols to be known",
  );
  return gateway;
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

for (const subprotocol of SUBPROTOCOLS) {
  test(`${subprotocol}: every way to present a token`, async (t) => {
    const policy = policyFile(t);
    const gateway = await openGateway(t, "--auth", "optional", "--jwt-secret", SECRET, "--policy", policy.path);
    const token = await sign({ roles: ["desk"] });
    const ways: WireClient[] = [
      await WireClient.open(gateway.url, subprotocol, bearer(token)),
      await WireClient.open(gateway.url, subprotocol, { protocols: [`bearer.${token}`, subprotocol] }),
      await WireClient.open(gateway.url, subprotocol),
    ];
    t.after(() => {
      for (const client of ways) client.close();
    });
    for (const client of ways) {
      assert.equal(client.socket.protocol, subprotocol);
      const { auth, channels } = await client.heard("hello");
      assert.deepEqual([auth, channels], ["optional", ["quote", "book", "trade", "bar"]]);
    }
    const { subject, expires } = await ways[2].ask({ op: "auth", token }, "authenticated");
    assert.equal(subject, "ann");
    assert.ok(Math.abs((expires as number) / 1e6 - Date.now() / 1e3 - 3_600) < 60);
    for (const client of ways) {
      const { symbols, rejected } = await client.ask(
        { op: "subscribe", symbols: ["PUB:A", "DESK:A", "HIDDEN:A", "HIDDEN:NONE"] },
        "subscribed",
      );
      assert.deepEqual(
        symbols.map(([symbol]) => symbol),
        ["PUB:A", "DESK:A"],
      );
      assert.deepEqual(
        rejected.map(({ symbol, code, message }) => [symbol, code, message]),
        ["HIDDEN:A", "HIDDEN:NONE"].map((symbol) => [symbol, "not_entitled", "not allowed for this client"]),
      );
    }
    // Anonymous.
    const stranger = await WireClient.open(gateway.url, subprotocol);
    t.after(() => stranger.close());
    const handles = await stranger.subscribe(["*", "DESK:A"]);
    const rejected = stranger.controls.flatMap((message) => (message.op === "subscribed" ? message.rejected : []));
    assert.deepEqual([[...handles.keys()], rejected.map(({ code }) => code)], [["PUB:A"], ["not_entitled"]]);
  });

  test(`${subprotocol}: required, refused, refreshed, of another subject`, async (t) => {
    const gateway = await openGateway(t, "--auth", "required", "--jwt-secret", SECRET);
    const wrong = [
      await sign({}, -60),
      await sign({}, 60, "another secret that also has 32 bytes"),
      await sign({ sub: "" }),
      await sign({ nbf: Math.floor(Date.now() / 1_000) + 600 }),
      "no.token.at-all",
      "",
    ];
    for (const token of wrong) {
      const { status, headers } = await WireClient.refused(gateway.url, { protocols: [subprotocol], ...bearer(token) });
      assert.equal(status, 401);
      assert.match(String(headers["www-authenticate"]), /^Bearer/);
    }
    const client = await WireClient.open(gateway.url, subprotocol);
    t.after(() => client.close());
    const before = await client.ask({ op: "subscribe", symbols: ["PUB:A"] }, "error");
    assert.equal(before.code, "not_authenticated");
    await client.ask({ op: "ping" }, "pong");
    for (const token of wrong) assert.equal((await client.ask({ op: "auth", token }, "error")).code, "invalid_token");
    await client.ask({ op: "auth", token: await sign() }, "authenticated");
    const handles = await client.subscribe(["PUB:A", "HIDDEN:A"]);
    assert.equal(handles.size, 2);
    const other = await client.ask({ op: "auth", token: await sign({ sub: "bob" }) }, "error");
    assert.equal(other.code, "forbidden");
    await client.ask({ op: "auth", token: await sign({}, 7_200) }, "authenticated");
    gateway.tick("HIDDEN:A", { bid: 2 });
    await client.tick(({ handle, values }) => handle === handles.get("HIDDEN:A") && values[0] === 2, "the tick");
    // A token and commands in one write: the second command waits for the first.
    const quick = await WireClient.open(gateway.url, subprotocol);
    t.after(() => quick.close());
    quick.say({ op: "auth", id: 1, token: await sign() });
    quick.say({ op: "subscribe", id: 2, symbols: ["PUB:A"] });
    assert.equal((await quick.heard("subscribed", ({ id }) => id === 2)).symbols.length, 1);
  });

  test(`${subprotocol}: a token expires: a warning, then only what anonymous clients may see`, async (t) => {
    const policy = policyFile(t);
    const gateway = await openGateway(t, "--auth", "optional", "--jwt-secret", SECRET, "--policy", policy.path);
    const client = await WireClient.open(gateway.url, subprotocol, bearer(await sign({ roles: "desk" }, 4)));
    t.after(() => client.close());
    const handles = await client.subscribe(["PUB:*", "DESK:*"]);
    assert.equal(handles.size, 3);
    const { in: left } = await client.heard("expiring");
    assert.ok(left > 500 && left <= 2_500, `${left}`);
    const { symbols } = await client.heard("unsubscribed", ({ reason }) => reason === "expired");
    assert.deepEqual(symbols.toSorted(), ["DESK:A", "DESK:B"]);
    const end = client.ticks.length;
    gateway.tick("DESK:A", { bid: 7 });
    gateway.tick("PUB:A", { bid: 8 });
    await client.tick(({ values }) => values[0] === 8, "the public tick");
    assert.ok(client.ticks.slice(end).every(({ handle }) => handle === handles.get("PUB:A")));
    // A new one: the patterns match again, with the handles as before.
    await client.ask({ op: "auth", token: await sign({ roles: "desk" }) }, "authenticated");
    await client.heard("subscribed", ({ id, symbols }) => id === undefined && symbols.length > 0);
    await client.tick(({ values, handle }) => values[0] === 7 && handle === handles.get("DESK:A"), "the desk's tick");
  });

  test(`${subprotocol}: a required token expires: bye and 4401`, async (t) => {
    const gateway = await openGateway(t, "--auth", "required", "--jwt-secret", SECRET);
    const client = await WireClient.open(gateway.url, subprotocol, bearer(await sign({}, 2)));
    const { code } = await client.heard("bye");
    assert.equal(code, 4401);
    assert.equal((await client.untilClosed()).code, 4401);
  });
}

test("a client that answers the warning with the same token is not warned again", async (t) => {
  const gateway = await openGateway(t, "--auth", "required", "--jwt-secret", SECRET, "--jwt-clock-tolerance", "0");
  const token = await sign({}, 3);
  const client = await WireClient.open(gateway.url, "tickgate.v1.json", bearer(token));
  t.after(() => client.close());
  await client.heard("expiring");
  await client.ask({ op: "auth", token }, "authenticated");
  await client.untilClosed();
  assert.equal(client.controls.filter(({ op }) => op === "expiring").length, 1);
});

test("a client without a required token is closed after 10 s", async (t) => {
  const gateway = await openGateway(t, "--auth", "required", "--jwt-secret", SECRET);
  const client = await WireClient.open(gateway.url);
  const opened = performance.now();
  assert.equal((await client.untilClosed()).code, 4401);
  const time = performance.now() - opened;
  assert.ok(time > 9_000 && time < 12_000, `${time} ms`);
});

test("a changed policy applies to subscriptions, patterns, intervals and limits; an invalid one does not", async (t) => {
  const policy = policyFile(t);
  const gateway = await openGateway(t, "--auth", "required", "--jwt-secret", SECRET, "--policy", policy.path);
  const client = await WireClient.open(gateway.url, "tickgate.v1.json", bearer(await sign({ roles: ["desk"] })));
  const slow = await WireClient.open(gateway.url, "tickgate.v1.json", bearer(await sign({ roles: ["slow"] })));
  t.after(() => {
    for (const each of [client, slow]) each.close();
  });
  const { interval } = await slow.ask({ op: "subscribe", symbols: ["DESK:A"], interval: 50 }, "subscribed");
  assert.equal(interval, 1_000);
  const handles = await client.subscribe(["*"], { interval: 0 });
  assert.deepEqual([...handles.keys()].toSorted(), ["DESK:A", "DESK:B", "PUB:A"]);

  policy.write("{");
  await polled(
    async () => gateway.stderr,
    (log) => log.includes("the policy cannot be read"),
    "the log",
  );
  policy.write({
    roles: {
      desk: { grants: [{ symbols: ["DESK:A", "HIDDEN:*"] }], symbolsPerConnection: 100 },
      slow: { grants: [{ symbols: ["DESK:*"], interval: 200 }] },
    },
  });
  const { symbols } = await client.heard("unsubscribed", ({ reason }) => reason === "not_entitled");
  assert.deepEqual(symbols.toSorted(), ["DESK:B", "PUB:A"]);
  const added = await client.heard("subscribed", ({ id }) => id === undefined);
  assert.deepEqual(
    added.symbols.map(([symbol]) => symbol),
    ["HIDDEN:A"],
  );
  assert.equal((await slow.heard("subscribed", ({ id }) => id === undefined)).interval, 200);
  gateway.tick("HIDDEN:A", { bid: 5 });
  await client.tick(({ values }) => values[0] === 5, "the new symbol's tick");
});

test("connections of a subject are limited", async (t) => {
  const policy = policyFile(t);
  const gateway = await openGateway(t, "--auth", "optional", "--jwt-secret", SECRET, "--policy", policy.path);
  const token = await sign({ roles: ["single"] });
  const first = await WireClient.open(gateway.url, "tickgate.v1.json", bearer(token));
  t.after(() => first.close());
  assert.equal((await WireClient.refused(gateway.url, bearer(token))).status, 503);
  const late = await WireClient.open(gateway.url);
  late.say({ op: "auth", token });
  assert.equal((await late.untilClosed()).code, 4429);
});

test("over HTTP the same rules apply, and symbols that are not allowed look unknown", async (t) => {
  const policy = policyFile(t);
  const gateway = await openGateway(t, "--auth", "optional", "--jwt-secret", SECRET, "--policy", policy.path);
  const ask = async (path: string, token?: string) => {
    const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const desk = await sign({ roles: ["desk"] });
  assert.deepEqual((await ask("/v1/symbols")).body.symbols, ["PUB:A"]);
  assert.deepEqual((await ask("/v1/symbols", desk)).body.symbols, ["DESK:A", "DESK:B", "PUB:A"]);
  assert.deepEqual((await ask("/v1/symbols?prefix=HIDDEN", desk)).body.symbols, []);
  const { body } = await ask("/v1/ticks?symbols=DESK:A,HIDDEN:A,HIDDEN:NONE,HID*", desk);
  assert.deepEqual(
    (body.ticks as { symbol: string }[]).map(({ symbol }) => symbol),
    ["DESK:A"],
  );
  assert.deepEqual(body.unknown, ["HIDDEN:A", "HIDDEN:NONE"]);
  assert.equal((await ask("/v1/symbols", "nonsense")).status, 401);
  // Not in the address, unless a setting allows it.
  assert.deepEqual((await ask(`/v1/symbols?access_token=${desk}`)).body.symbols, ["PUB:A"]);
  const required = await openGateway(t, "--auth", "required", "--jwt-secret", SECRET, "--token-in-query");
  const plain = await fetch(`http://127.0.0.1:${required.port}/v1/symbols`);
  assert.deepEqual([plain.status, plain.headers.get("www-authenticate")], [401, "Bearer"]);
  const inQuery = await fetch(`http://127.0.0.1:${required.port}/v1/symbols?access_token=${desk}`);
  assert.equal(inQuery.status, 200);
});

test("keys are rotated, and their address fails: valid tokens stay valid, others do not become so", async (t) => {
  const issuer = await Issuer.open();
  t.after(() => issuer.close());
  const gateway = await openGateway(t, "--auth", "required", "--jwt-issuer", issuer.address);
  const old = await issuer.sign();
  const client = await WireClient.open(gateway.url, "tickgate.v1.json", bearer(old));
  t.after(() => client.close());
  issuer.isUp = false;
  (await WireClient.open(gateway.url, "tickgate.v1.json", bearer(old))).close();
  issuer.isUp = true;
  await issuer.rotate();
  const renewed = await issuer.sign();
  // The keys were read a moment ago: a token with an unknown key may have to wait.
  const ask = async () => {
    const headers = { authorization: `Bearer ${renewed}` };
    return (await fetch(`http://127.0.0.1:${gateway.port}/v1/symbols`, { headers })).status;
  };
  await polled(ask, (status) => status === 200, "the new key to be known");
  (await WireClient.open(gateway.url, "tickgate.v1.json", bearer(renewed))).close();
  assert.equal((await WireClient.refused(gateway.url, bearer(old))).status, 401);
  const foreign = await Issuer.open();
  t.after(() => foreign.close());
  assert.equal(
    (await WireClient.refused(gateway.url, bearer(await foreign.sign({ iss: issuer.address })))).status,
    401,
  );
  assert.equal(client.closed, undefined);
});

test("watch reads a token from the environment or a file, and shows that prices are delayed", async (t) => {
  const policy = policyFile(t);
  policy.write({ roles: { late: { grants: [{ symbols: ["PUB:*"], delay: 300 }] } } });
  const gateway = await openGateway(t, "--auth", "required", "--jwt-secret", SECRET, "--policy", policy.path);
  const file = `${policy.path}.token`;
  writeFileSync(file, `${await sign({ roles: ["late"] })}\n`);
  const watch = spawn(process.execPath, ["src/main.ts", "watch", "PUB:A", "--url", gateway.url, "--token-file", file]);
  t.after(() => watch.kill());
  let text = "";
  watch.stdout.on("data", (chunk: Buffer) => (text += chunk));
  gateway.tick("PUB:A", { bid: 4.25 });
  await polled(
    async () => text,
    (shown) => shown.includes("4.25"),
    "the price",
  );
  const { code, stderr } = await runTickgate("watch", "A", "--token-file", "/nowhere/token");
  assert.deepEqual([code, stderr.trim().split("\n").length], [2, 1]);
});

test("settings that contradict each other, and files that cannot be used, end with 2 and one line", async () => {
  const wrong: [args: string[], message: RegExp][] = [
    [["--auth", "required"], /--auth required needs --jwt-secret, --jwks, or a --jwt-issuer/],
    [["--auth", "always"], /--auth must be one of none, optional, required/],
    [["--auth", "required", "--jwt-secret", "short"], /--jwt-secret must be empty or at least 32 bytes/],
    [["--auth", "required", "--jwt-secret", SECRET, "--jwks", "x.json"], /exclude each other/],
    [["--auth", "required", "--jwt-secret", SECRET, "--jwt-algorithms", "RS256"], /RS256 does not fit a secret/],
    [["--auth", "required", "--jwks", "https://a/keys", "--jwt-algorithms", "HS256"], /HS256 does not fit public keys/],
    [["--auth", "required", "--jwks", "https://a/keys", "--jwt-algorithms", "none"], /--jwt-algorithms must be/],
    [["--auth", "required", "--jwks", "/nowhere/keys.json"], /--jwks \/nowhere\/keys.json cannot be used/],
    [["--auth", "required", "--jwks", tmpdir()], /--jwks \S+ cannot be used: it is a directory/],
    [["--auth", "required", "--jwks", "http://a/keys"], /--jwks http:\/\/a\/keys must be https/],
    [["--auth", "required", "--jwt-issuer", "http://a"], /--jwt-issuer http:\/\/a must be https/],
    [["--auth", "required", "--jwt-secret", SECRET, "--jwt-algorithms", "HS512"], /at least 64 bytes for HS512/],
    [["--jwt-secret", SECRET], /--jwt-secret has no effect with --auth none/],
    [["--auth", "none", "--jwks", "keys.json"], /--jwks has no effect with --auth none/],
    [["--policy", "/nowhere/policy.json"], /--policy \/nowhere\/policy.json cannot be used/],
  ];
  for (const [args, message] of wrong) {
    const { code, stderr } = await runTickgate("all", "--port", "0", "--admin-port", "0", ...args);
    assert.match(stderr, message);
    assert.deepEqual([code, stderr.trim().split("\n").length], [2, 1], stderr);
    assert.ok(!stderr.includes("short") && !stderr.includes(SECRET), stderr);
  }
});

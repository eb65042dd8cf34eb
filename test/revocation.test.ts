/** Revoked tokens at gateways that share a Redis: real processes, and a Redis that is started again. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { polled, runTickgate, ServerProcess } from "./support/gateway_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { SECRET, sign } from "./support/tokens.ts";
import { WireClient } from "./support/wire_client.ts";

const OWN = ["--port", "0", "--admin-port", "0", "--auth", "required", "--jwt-secret", SECRET];

async function open(t: TestContext, redis: RedisServer): Promise<ServerProcess> {
  const gateway = await ServerProcess.open("gateway", "--redis-url", redis.url, ...OWN);
  t.after(() => gateway.signal("SIGKILL"));
  return gateway;
}

/** Whether a gateway accepts a token. */
async function takes(gateway: ServerProcess, token: string): Promise<boolean> {
  const client = new WireClient(gateway.url, {
    protocols: ["tickgate.v1.json"],
    headers: { authorization: `Bearer ${token}` },
  });
  await client.until(() => client.refused !== undefined || client.controls.length > 0, "an answer");
  client.close();
  return client.refused === undefined;
}

async function revoke(redis: RedisServer, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runTickgate("revoke", "--redis-url", redis.url, ...args);
  assert.equal(code, 0, stderr);
  return stdout;
}

test("a subject, a token, and all tokens before a time: connections end, the tokens are refused, others are not", async (t) => {
  const redis = await RedisServer.start([]);
  t.after(() => redis.stop());
  const gateways = [await open(t, redis), await open(t, redis)];
  const now = Math.floor(Date.now() / 1_000);
  const token = {
    ann: await sign({ sub: "ann" }),
    annLater: await sign({ sub: "ann", iat: now + 3 }),
    bob: await sign({ sub: "bob", jti: "b1" }),
    bobToo: await sign({ sub: "bob", jti: "b2" }),
    old: await sign({ sub: "carl", iat: now - 7_200 }),
    undated: await sign({ sub: "dora", iat: undefined }),
  };
  const clients = await Promise.all(
    gateways.map(({ url }) =>
      WireClient.open(url, "tickgate.v1.json", { headers: { authorization: `Bearer ${token.ann}` } }),
    ),
  );
  assert.match(await revoke(redis, "--subject", "ann"), /Revoked: tokens of "ann" issued before/);
  for (const client of clients) {
    assert.equal((await client.heard("bye")).code, 4401);
    assert.equal((await client.untilClosed()).code, 4401);
  }
  await revoke(redis, "--token-id", "b1", "--for", "1");
  await revoke(redis, "--issued-before", String(now - 3_600));
  for (const gateway of gateways)
    await polled(
      () => takes(gateway, token.undated),
      (isTaken) => !isTaken,
      "the last revocation",
    );
  const expected = { ann: false, annLater: true, bob: false, bobToo: true, old: false, undated: false };
  for (const gateway of gateways)
    for (const [name, isTaken] of Object.entries(expected))
      assert.equal(await takes(gateway, token[name as keyof typeof token]), isTaken, name);

  // A gateway that starts later has them; so has one whose Redis has lost its data.
  const late = await open(t, redis);
  await polled(
    () => takes(late, token.ann),
    (isTaken) => !isTaken,
    "the earlier revocations",
  );
  const eve = await sign({ sub: "eve" });
  const client = redis.client();
  await client.flushall();
  client.disconnect();
  await revoke(redis, "--subject", "eve");
  await polled(
    () => takes(late, eve),
    (isTaken) => !isTaken,
    "the next one",
  );
  assert.equal(await takes(late, token.ann), false);
});

test("a Redis that has lost its list: the next revocation is learned; a shorter one does not end a longer one", async (t) => {
  const redis = await RedisServer.start([]);
  t.after(() => redis.stop());
  const gateway = await open(t, redis);
  const [ann, bob] = [await sign({ sub: "ann" }), await sign({ sub: "bob" })];
  await revoke(redis, "--subject", "ann", "--for", "720");
  await polled(
    () => takes(gateway, ann),
    (isTaken) => !isTaken,
    "the first revocation",
  );
  const client = redis.client();
  t.after(() => client.disconnect());
  await client.flushall();
  await revoke(redis, "--subject", "bob");
  await polled(
    () => takes(gateway, bob),
    (isTaken) => !isTaken,
    "the revocation after the loss",
  );
  await client.flushall();
  await revoke(redis, "--subject", "ann", "--for", "1");
  assert.equal(await takes(gateway, ann), false);
});

test("a wrong revocation is an error of one line", async (t) => {
  const redis = await RedisServer.start([]);
  t.after(() => redis.stop());
  const wrong: [args: string[], message: RegExp][] = [
    [["--subject", "a"], /revoke needs the gateways' Redis/],
    [["--redis-url", redis.url], /takes one of --subject, --token-id and --issued-before/],
    [["--redis-url", redis.url, "--subject", "a", "--token-id", "b"], /takes one of/],
    [["--redis-url", redis.url, "--issued-before", "yesterday"], /must be a time/],
    [["--redis-url", redis.url, "--issued-before", String(Date.now())], /must not be in the future/],
    [["--redis-url", redis.url, "--subject", "a", "--for", "0"], /--for must be/],
    [["--redis-url", "redis://127.0.0.1:1", "--subject", "a"], /ECONNREFUSED|not connected/],
  ];
  for (const [args, message] of wrong) {
    const { code, stderr } = await runTickgate("revoke", ...args);
    assert.match(stderr, message);
    assert.deepEqual([code, stderr.trim().split("\n").length], [2, 1], stderr);
  }
});

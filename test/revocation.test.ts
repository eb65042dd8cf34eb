/** Revoked tokens at gateways that share a Redis: real processes, and a Redis that is started again. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { problemsOf } from "../src/admin/status/problems.ts";
import { polled, runTickgate, ServerProcess } from "./support/gateway_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { assertReport } from "./support/status_schema.ts";
import { SECRET, sign } from "./support/tokens.ts";
import { WireClient } from "./support/wire_client.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const OWN = ["--port", "0", "--admin-port", "0", "--auth", "required", "--jwt-secret", SECRET];

async function open(t: TestContext, redis: RedisServer): Promise<ServerProcess> {
  const gateway = await ServerProcess.open("gateway", "--redis-url", redis.url, ...OWN);
  t.after(() => gateway.signal("SIGKILL"));
  return gateway;
}

/** The status with which a gateway answers an upgrade. */
async function statusOf(gateway: ServerProcess, token: string): Promise<number> {
  const client = new WireClient(gateway.url, {
    protocols: ["tickgate.v1.json"],
    headers: { authorization: `Bearer ${token}` },
  });
  await client.until(() => client.refused !== undefined || client.controls.length > 0, "an answer");
  client.close();
  return client.refused?.status ?? 101;
}

/** Whether a gateway accepts a token. */
async function takes(gateway: ServerProcess, token: string): Promise<boolean> {
  return (await statusOf(gateway, token)) === 101;
}

async function problems(gateway: ServerProcess): Promise<string[]> {
  const report: unknown = await (await gateway.admin("/status.json")).json();
  assertReport(report);
  return problemsOf(report).map(({ text }) => text);
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
  // Tokens of the second of the revocation are revoked as well; those of later ones are not.
  const later = { annLater: await sign({ sub: "ann", iat: Math.floor(Date.now() / 1_000) + 2 }) };
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
  const tokens = { ...token, ...later };
  const expected = { ann: false, annLater: true, bob: false, bobToo: true, old: false, undated: false };
  for (const gateway of gateways)
    for (const [name, isTaken] of Object.entries(expected))
      assert.equal(await takes(gateway, tokens[name as keyof typeof tokens]), isTaken, name);

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

test("a gateway that starts while Redis is away accepts no token before it knows the revocations", async (t) => {
  const redis = await RedisServer.start(["appendonly yes", "appendfsync always"]);
  t.after(() => redis.stop());
  const [ann, bob] = [await sign({ sub: "ann" }), await sign({ sub: "bob" })];
  await revoke(redis, "--subject", "ann");
  await redis.kill();
  const gateway = await open(t, redis);
  for (const token of [ann, bob]) assert.equal(await statusOf(gateway, token), 503);
  assert.ok((await problems(gateway)).includes("the revocations of tokens have not been read: no token is accepted"));
  assert.equal((await gateway.admin("/readyz")).status, 503);
  await redis.run();
  const seen = new Set<number>();
  await polled(
    async () => {
      seen.add(await statusOf(gateway, ann));
      return statusOf(gateway, bob);
    },
    (status) => status === 101,
    "another's token to be accepted",
  );
  assert.equal(await statusOf(gateway, ann), 401);
  assert.ok(!seen.has(101), [...seen].join());
  await polled(
    () => problems(gateway),
    (all) => !all.some((text) => text.includes("revocations")),
    "the problem to be over",
  );
});

test("a subject that is revoked again takes no more room; a full list is refused, and what is left out is told", async (t) => {
  const redis = await RedisServer.start([]);
  t.after(() => redis.stop());
  const client = redis.client();
  t.after(() => client.disconnect());
  const fill = async (name: string) => {
    const until = (Date.now() + 3_600_000) * 1_000;
    const list = Array.from({ length: 10_000 }, (_, index) => ({
      kind: "subject",
      value: `${name}${index}`,
      issuedBefore: Date.now() * 1_000,
      until,
    }));
    await client.mset("tickgate:{revoked}:list", JSON.stringify(list), "tickgate:{revoked}:version", name);
  };
  const entries = async () => (JSON.parse((await client.get("tickgate:{revoked}:list")) ?? "[]") as unknown[]).length;
  for (let times = 0; times < 3; times++) await revoke(redis, "--subject", "ann");
  assert.equal(await entries(), 1);
  await fill("a");
  const gateway = await open(t, redis);
  const { code, stderr } = await runTickgate("revoke", "--redis-url", redis.url, "--subject", "ann");
  assert.match(stderr, /^tickgate: nothing was revoked: 10000 revocations are in force, which is the most\n$/);
  assert.equal(code, 2);
  await revoke(redis, "--subject", "a7", "--for", "9");
  assert.equal(await entries(), 10_000);
  assert.equal(await statusOf(gateway, await sign({ sub: "a7", iat: Math.floor(Date.now() / 1_000) - 60 })), 401);
  // Redis has lost them: the gateway still observes them, and has no room for more.
  await client.flushall();
  await revoke(redis, "--subject", "ann");
  const told = "revocations that do not fit: 1; such tokens are accepted";
  await polled(
    () => problems(gateway),
    (all) => all.includes(told),
    told,
  );
  assert.match(gateway.stderr, /"count":1,"most":10000,"msg":"revocations of tokens are left out/);
});

test("the time of a revocation is that of Redis, whatever the clock of the machine that revokes", async (t) => {
  const redis = await RedisServer.start([]);
  t.after(() => redis.stop());
  const gateway = await open(t, redis);
  const token = await sign({ sub: "ann", iat: Math.floor(Date.now() / 1_000) - 60 });
  assert.equal(await statusOf(gateway, token), 101);
  const slow = "data:text/javascript,const now = Date.now; Date.now = () => now() - 86400000;";
  const args = ["--import", slow, MAIN, "revoke", "--redis-url", redis.url, "--subject", "ann", "--for", "1"];
  await promisify(execFile)(process.execPath, args);
  await polled(
    () => statusOf(gateway, token),
    (status) => status === 401,
    "the token to be refused",
  );
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

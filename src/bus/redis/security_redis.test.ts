/** Logging in to Redis: a password, an ACL user with no more rights than it needs, TLS. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { busSettings, TestFeed, TestGateway, until } from "../../../test/support/bus_bench.ts";
import { freePort, RedisServer, requireProgram } from "../../../test/support/redis_server.ts";
import { UsageError } from "../../settings/option.ts";
import type { BusSettings } from "../open.ts";

async function works(settings: BusSettings): Promise<void> {
  const feed = new TestFeed(settings);
  const gateway = new TestGateway(settings);
  try {
    await Promise.all([feed.started, gateway.started]);
    feed.tick(50);
    await gateway.settles(feed);
  } finally {
    await Promise.all([feed.close(), gateway.close()]);
  }
}

/** What the gateway says is wrong. */
async function reason(settings: BusSettings, expected: RegExp): Promise<void> {
  const gateway = new TestGateway(settings);
  try {
    await until(String(expected), () => expected.test(gateway.reader.unready() ?? ""), 5_000);
  } finally {
    await gateway.close();
  }
}

test("a password, in the address or beside it; a wrong one is named as the reason", async () => {
  const server = await RedisServer.start(["requirepass s3cret@"]);
  try {
    await works(busSettings(`redis://:s3cret%40@127.0.0.1:${server.port}`));
    await works(busSettings(server.url, { redisPassword: "s3cret@" }));
    await reason(busSettings(server.url, { redisPassword: "wrong" }), /WRONGPASS/);
    await reason(busSettings(server.url), /NOAUTH/);
  } finally {
    await server.stop();
  }
});

// The rules that docs/bus.md gives.
const FEED_RULES = "+@connection +info +time +evalsha +eval +hget +hset +hscan +get +set +del +publish +spublish";
const GATEWAY_RULES = "+@connection +info +time +get +hscan +subscribe +unsubscribe +ssubscribe +sunsubscribe";

test("ACL users with only the rights that each needs", async () => {
  const server = await RedisServer.start([
    "user default off",
    `user feed on >one ~tickgate:* resetchannels &tickgate:* ${FEED_RULES}`,
    `user gateway on >two %R~tickgate:* resetchannels &tickgate:* ${GATEWAY_RULES}`,
  ]);
  const feed = new TestFeed(busSettings(`redis://feed:one@127.0.0.1:${server.port}`));
  const gateway = new TestGateway(busSettings(server.url, { redisUsername: "gateway", redisPassword: "two" }));
  try {
    await Promise.all([feed.started, gateway.started]);
    feed.tick(50);
    await gateway.settles(feed);
    for (const { bus } of [feed, gateway])
      await until("its clock is compared", () => bus.links()[0].offset.uncertainty > 0);
  } finally {
    await Promise.all([feed.close(), gateway.close()]);
    await server.stop();
  }
});

test("rights that are missing are named as the reason, and their coming is noticed", async () => {
  const rules = "on >two ~tickgate:* resetchannels";
  const server = await RedisServer.start([`user gateway ${rules} ${GATEWAY_RULES}`]);
  const gateway = new TestGateway(busSettings(`redis://gateway:two@127.0.0.1:${server.port}`));
  const client = server.client();
  try {
    await until("it is said", () => /not heard|being read/.test(gateway.reader.unready() ?? ""));
    await until("why", () => /NOPERM/.test(gateway.reader.unready() ?? ""));
    await client.call("ACL", "SETUSER", "gateway", "&tickgate:*");
    await until("it is ready", () => gateway.reader.unready() === undefined, 4_000);
  } finally {
    client.disconnect();
    await gateway.close();
    await server.stop();
  }
});

test("TLS with a certificate of one's own, which must be known", async () => {
  requireProgram("openssl", "apt-get install openssl");
  const dir = mkdtempSync(join(tmpdir(), "tickgate-tls-"));
  const key = join(dir, "key.pem");
  const certificate = join(dir, "certificate.pem");
  const made = spawnSync("openssl", [
    ..."req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1".split(
      " ",
    ),
    ...["-keyout", key, "-out", certificate],
  ]);
  assert.equal(made.status, 0, String(made.stderr));
  const port = await freePort();
  const server = await RedisServer.start([
    `tls-port ${port}`,
    `tls-cert-file ${certificate}`,
    `tls-key-file ${key}`,
    `tls-ca-cert-file ${certificate}`,
    "tls-auth-clients no",
  ]);
  try {
    await works(busSettings(`rediss://localhost:${port}`, { redisCa: certificate }));
    await reason(busSettings(`rediss://localhost:${port}`), /self-signed|certificate/);
    assert.throws(() => new TestGateway(busSettings("rediss://localhost", { redisCa: "/none.pem" })), UsageError);
  } finally {
    await server.stop();
    rmSync(dir, { recursive: true });
  }
});

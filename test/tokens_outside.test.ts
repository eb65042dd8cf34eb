/** Tokens as a client of somebody else's presents them: a Python program that knows only the protocol page. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { SignJWT } from "jose";
import { ExampleProgram, languages } from "./support/example_program.ts";
import { GatewayProcess, runTickgate, ServerProcess } from "./support/gateway_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { SECRET } from "./support/tokens.ts";

const PROGRAM = fileURLToPath(new URL("./support/token_client.py", import.meta.url));
const [ISSUER, AUDIENCE] = ["https://id.example", "prices"];
const CLAIMS = ["--jwt-issuer", ISSUER, "--jwt-audience", AUDIENCE];
const POLICY = {
  roles: {
    anonymous: { grants: [{ symbols: ["PUB:*"] }] },
    desk: { grants: [{ symbols: ["PUB:*", "DESK:*"] }] },
  },
};
/** What the program finds, in some order. */
const FOUND = [
  "presented: header",
  "presented: subprotocol",
  "presented: message",
  "refused: key",
  "refused: algorithm none",
  "refused: algorithm HS512",
  "refused: audience",
  "refused: no audience",
  "refused: issuer",
  "refused: no issuer",
  "refused: expired",
  "refused: not yet valid",
  "refused: no subject",
  "refused: changed",
  "refused: public key as a secret",
  "another subject is forbidden",
  "refreshed",
  "expired: bye and 4401",
  "expired: anonymous from then on",
  "another token that allows less",
  "revoked",
  "no token within ten seconds",
  "all",
];

const python = languages().find(({ name }) => name === "Python");
const skip = python && "missing" in python && process.env.TEST_ALL !== "1" && `left out: ${python.missing}`;

async function openGateway(t: TestContext, ...args: string[]): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.open(...CLAIMS, ...args);
  t.after(() => gateway.close());
  for (const symbol of ["PUB:A", "DESK:A", "HIDDEN:A"]) gateway.tick(symbol, { bid: 1 });
  return gateway;
}

/** A gateway with public keys, and what the program needs to try them. */
async function openWithKeys(t: TestContext, folder: string) {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "k", alg: "RS256", use: "sig" };
  const keys = join(folder, "keys.json");
  writeFileSync(keys, JSON.stringify({ keys: [jwk] }));
  const gateway = await openGateway(t, "--auth", "required", "--jwks", keys);
  const good = await new SignJWT({ sub: "ann", iss: ISSUER, aud: AUDIENCE })
    .setExpirationTime("10m")
    .setProtectedHeader({ alg: "RS256", kid: "k" })
    .sign(privateKey);
  const pem = publicKey.export({ format: "pem", type: "spki" });
  return { url: gateway.url, tokens: { good, pem, jwk: JSON.stringify(jwk), n: jwk.n } };
}

test("a client in Python, in both subprotocols: tokens that are accepted, refused, renewed, expired, revoked", {
  skip,
  timeout: 120_000,
}, async (t) => {
  assert.ok(python && "command" in python);
  const folder = mkdtempSync(join(tmpdir(), "tickgate-outside-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const policy = join(folder, "policy.json");
  writeFileSync(policy, JSON.stringify(POLICY));
  const redis = await RedisServer.start([]);
  t.after(() => redis.stop());
  const signed = ["--auth", "required", "--jwt-secret", SECRET];
  const required = await openGateway(t, ...signed);
  const optional = await openGateway(t, "--auth", "optional", "--jwt-secret", SECRET, "--policy", policy);
  const shared = ["--redis-url", redis.url, "--port", "0", "--admin-port", "0"];
  const revocable = await ServerProcess.open("gateway", ...shared, ...signed, ...CLAIMS);
  t.after(() => revocable.signal("SIGKILL"));
  const { url: keys, tokens } = await openWithKeys(t, folder);
  const urls = { required: required.url, optional: optional.url, revocable: revocable.url, keys };

  const runs = ["tickgate.v1.json", "tickgate.v1.msgpack"].map(async (subprotocol) => {
    const task = { subprotocol, secret: SECRET, issuer: ISSUER, audience: AUDIENCE, urls, tokens };
    const command = [python.command[0], PROGRAM];
    const program = new ExampleProgram(t, { name: subprotocol, command }, JSON.stringify(task));
    await program.printed(/^revoke /);
    const subject = program.lines.find((line) => line.startsWith("revoke "))?.slice("revoke ".length) ?? "";
    const { code, stderr } = await runTickgate("revoke", "--redis-url", redis.url, "--subject", subject);
    assert.equal(code, 0, stderr);
    assert.equal(await program.ended(), 0, program.errors);
    const found = program.lines.filter((line) => !line.startsWith("revoke "));
    assert.deepEqual(found.toSorted(), FOUND.toSorted());
  });
  await Promise.all(runs);
  for (const gateway of [required, optional, revocable])
    assert.ok(!/eyJ[\w-]{10}/.test(gateway.stderr), "no token in the log");
});

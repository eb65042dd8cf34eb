/** The admin port where it requires a token or a client certificate. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { request as requestPlain } from "node:http";
import { type RequestOptions, request as requestTls } from "node:https";
import { after, test } from "node:test";
import { CertificateFolder } from "./support/certificate.ts";
import { GatewayProcess, polled, runTickgate } from "./support/gateway_process.ts";

const folder = new CertificateFolder();
after(() => folder.close());
const TOKEN = "0123456789abcdef0123456789abcdef";
const NEXT = "fedcba9876543210fedcba9876543210";
const PATHS = ["/metrics", "/status", "/status.json", "/status.js", "/nothing", "/trace?symbol=A"];

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly challenge: string | undefined;
}

/** A request to the admin port: with TLS if the options have an authority. */
function ask({ adminPort }: GatewayProcess, path: string, options: RequestOptions = {}): Promise<Answer> {
  const request = options.ca === undefined ? requestPlain : requestTls;
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port: adminPort, path, agent: false, ...options }, (response) => {
      let body = "";
      response.on("data", (part) => (body += part));
      const challenge = response.headers["www-authenticate"];
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body, challenge }));
    });
    asked.on("error", reject).end();
  });
}

function bearer(token: string): RequestOptions {
  return { headers: { Authorization: `Bearer ${token}` } };
}

function basic(token: string): RequestOptions {
  return { headers: { Authorization: `Basic ${Buffer.from(`anyone:${token}`).toString("base64")}` } };
}

test("an address that other machines reach needs a token, a client certificate or an opt-out", async () => {
  const { cert } = folder.create("alone");
  const short = folder.path("short");
  writeFileSync(short, "tooshort\n");
  for (const [args, message] of [
    [["--admin-host", "0.0.0.0"], /TICKGATE_ADMIN_TOKEN, --admin-token-file or --admin-client-ca, or --admin-open/],
    [["--admin-host", "::"], /TICKGATE_ADMIN_TOKEN/],
    [["--admin-token", "short-secret"], /--admin-token must be a list, each 32 to 512 characters/],
    [["--admin-token-file", folder.path("none")], /--admin-token-file: ENOENT/],
    [["--admin-token-file", short], /--admin-token-file: it must hold 1 to 16 tokens/],
    [["--admin-client-ca", cert], /--admin-client-ca needs TLS/],
  ] as const) {
    const { code, stderr } = await runTickgate("all", "--port", "0", "--admin-port", "0", ...args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /short-secret/);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }
});

test("without a token it answers only health, without a reason; Bearer and Basic are accepted", async (t) => {
  const gateway = await GatewayProcess.open("--admin-host", "0.0.0.0", "--admin-token", `${TOKEN} ${NEXT}`);
  t.after(() => gateway.close());
  assert.deepEqual((await ask(gateway, "/healthz")).body, "ok\n");
  assert.match((await ask(gateway, "/readyz")).body, /^(not )?ready\n$/);
  for (const path of PATHS) {
    const { status, body, challenge } = await ask(gateway, path);
    assert.deepEqual([status, body], [401, "a token is needed\n"], path);
    assert.match(String(challenge), /^Basic realm=/);
  }
  for (const header of ["Bearer", `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, "Basic !", `Digest ${TOKEN}`, TOKEN])
    assert.equal((await ask(gateway, "/metrics", { headers: { Authorization: header } })).status, 401, header);
  for (const options of [bearer(TOKEN), bearer(NEXT), basic(TOKEN)])
    for (const path of ["/metrics", "/status", "/status.json", "/status.js"])
      assert.equal((await ask(gateway, path, options)).status, 200, path);
  assert.match((await ask(gateway, "/metrics", bearer(TOKEN))).body, /^tickgate_admin_refused_total 12$/m);
  // Wrong tokens are slowed down; right ones are not.
  for (let guess = 0; guess < 30; guess++) await ask(gateway, "/metrics", bearer(`${guess}`.padStart(32, "0")));
  assert.equal((await ask(gateway, "/metrics")).status, 429);
  assert.equal((await ask(gateway, "/metrics", bearer(TOKEN))).status, 200);
  assert.equal((await ask(gateway, "/healthz")).status, 200);
  const lines = await ended(gateway);
  assert.ok((lines.match(/refusing a request at the admin port/g) ?? []).length <= 7, "logged at a limited rate");
  assert.ok(!lines.includes(TOKEN) && !lines.includes(NEXT));
});

async function ended(gateway: GatewayProcess): Promise<string> {
  gateway.signal("SIGTERM");
  const { stdout, stderr } = await gateway.ended();
  return stdout + stderr;
}

test("tokens in a file are exchanged while the process runs", async (t) => {
  const file = folder.path("tokens");
  writeFileSync(file, `${TOKEN}\n`);
  const gateway = await GatewayProcess.open("--admin-token-file", file);
  t.after(() => gateway.close());
  const status = async (token: string) => (await ask(gateway, "/metrics", bearer(token))).status;
  assert.deepEqual([await status(TOKEN), await status(NEXT)], [200, 401]);
  writeFileSync(`${file}.new`, `${NEXT}\n`);
  renameSync(`${file}.new`, file);
  await polled(
    () => status(NEXT),
    (code) => code === 200,
    "the new token to be accepted",
  );
  assert.notEqual(await status(TOKEN), 200);
  // A file without tokens does not open the port.
  writeFileSync(file, "");
  await polled(
    async () => gateway.stderr,
    (text) => text.includes("the admin tokens cannot be read"),
    "the log",
  );
  assert.equal(await status(NEXT), 200);
});

test("a client certificate of the authority is enough; one of another is not", async (t) => {
  const files = folder.create("server");
  const [authority, stranger] = [folder.create("authority"), folder.create("stranger")];
  const client = { cert: folder.path("client.pem"), key: folder.path("client.key") };
  const csr = folder.path("client.csr");
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", client.key, "-subj", "/CN=scraper", "-out", csr);
  const signed = ["-CA", authority.cert, "-CAkey", authority.key, "-CAcreateserial", "-days", "30"];
  openssl("x509", "-req", "-in", csr, ...signed, "-out", client.cert);
  const gateway = await GatewayProcess.open(
    ...["--admin-host", "0.0.0.0", "--admin-client-ca", authority.cert],
    ...["--tls-cert", files.cert, "--tls-key", files.key],
  );
  t.after(() => gateway.close());
  const ca = readFileSync(files.cert);
  const withCertificate = ({ cert, key }: typeof client) => ({ ca, cert: readFileSync(cert), key: readFileSync(key) });
  assert.equal((await ask(gateway, "/metrics", { ca })).status, 401);
  assert.equal((await ask(gateway, "/healthz", { ca })).status, 200);
  assert.equal((await ask(gateway, "/metrics", withCertificate(stranger))).status, 401);
  assert.equal((await ask(gateway, "/metrics", withCertificate(client))).status, 200);
  await assert.rejects(ask(gateway, "/healthz", { ca, maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" }));
});

test("top sends the token", async (t) => {
  const gateway = await GatewayProcess.open("--admin-token", TOKEN);
  t.after(() => gateway.close());
  const url = `127.0.0.1:${gateway.adminPort}`;
  const without = await runTickgate("top", "--once", url);
  assert.equal(without.code, 1);
  assert.match(without.stdout + without.stderr, /it asks for a token: TICKGATE_ADMIN_TOKEN/);
  const { code, stdout } = await runTickgate("top", "--once", "--admin-token", TOKEN, url);
  assert.equal(code, 0, stdout);
});

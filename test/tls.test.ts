/** TLS on the clients' port: accepted and refused versions, and a renewed certificate. */
import assert from "node:assert/strict";
import { copyFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { connect, type Socket } from "node:net";
import { after, test } from "node:test";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { type CertificateFiles, CertificateFolder } from "./support/certificate.ts";
import { GatewayProcess, polled, runTickgate, ServerProcess } from "./support/gateway_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { WireClient } from "./support/wire_client.ts";

// The certificates of these tests sign themselves.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
const folder = new CertificateFolder();
after(() => folder.close());
const files = folder.create("first");

function open({ cert, key }: CertificateFiles, ...args: string[]): Promise<GatewayProcess> {
  return GatewayProcess.open("--tls-cert", cert, "--tls-key", key, ...args);
}

/** The outcome of a handshake: version, cipher and the certificate's name; or the error's code. */
function handshake(port: number, options: ConnectionOptions = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket: TLSSocket = connectTls({ host: "127.0.0.1", port, ...options }, () => {
      const { CN } = socket.getPeerCertificate().subject;
      resolve(`${socket.getProtocol()} ${socket.getCipher().standardName} ${String(CN)}`);
      socket.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
  });
}

function head(port: number, path: string, method = "GET"): Promise<{ status: number; hsts: string | undefined }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, method, agent: false }, (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, hsts: response.headers["strict-transport-security"] });
    });
    asked.on("error", reject).end();
  });
}

/** How long a socket that sends only this stays open, ms; and whether it received anything. */
function closedAfter(port: number, bytes: Buffer | string): Promise<{ millis: number; answered: string }> {
  return new Promise((resolve) => {
    const begun = performance.now();
    let answered = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    socket.on("data", (part) => (answered += part.toString("latin1")));
    socket.on("error", () => {});
    socket.on("close", () => resolve({ millis: performance.now() - begun, answered }));
  });
}

test("TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers, and nothing else", async (t) => {
  for (const [name, keyType, key] of [
    ["ec", "ec:P-256", "ECDSA"],
    ["rsa", "rsa:2048", "RSA"],
  ]) {
    const gateway = await open(folder.create(name, keyType));
    t.after(() => gateway.close());
    const { port } = gateway;
    assert.match(await handshake(port), new RegExp(`^TLSv1\\.3 TLS_\\w+ ${name}$`));
    for (const cipher of ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"])
      assert.match(
        await handshake(port, { maxVersion: "TLSv1.2", ciphers: `ECDHE-${key}-${cipher}` }),
        new RegExp(`^TLSv1\\.2 TLS_ECDHE_${key}_WITH_`),
      );
    for (const version of ["TLSv1", "TLSv1.1"] as const)
      assert.equal(
        await handshake(port, { minVersion: version, maxVersion: version, ciphers: "ALL:@SECLEVEL=0" }),
        "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
      );
    // All others of OpenSSL: no forward secrecy, CBC, DHE, no authentication, no encryption.
    const weak = `ALL:eNULL:@SECLEVEL=0:!${["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"]
      .map((cipher) => `ECDHE-${key}-${cipher}`)
      .join(":!")}`;
    assert.match(
      await handshake(port, { maxVersion: "TLSv1.2", ciphers: weak }),
      /^ERR_SSL_\S+_ALERT_HANDSHAKE_FAILURE$/,
    );
  }
});

test("wss and https on one port; every response tells browsers to stay with TLS", async (t) => {
  const gateway = await open(files, "--hsts-max-age", "600");
  t.after(() => gateway.close());
  const origin = `https://127.0.0.1:${gateway.port}`;
  const url = `wss://127.0.0.1:${gateway.port}/v1/stream`;
  const client = await WireClient.open(url, "tickgate.v1.json", { origin });
  t.after(() => client.close());
  for (const [path, method, status] of [
    ["/v1/symbols", "GET", 200],
    ["/v1/nothing", "GET", 404],
    ["/v1/ticks", "POST", 405],
    ["/v1/stream", "GET", 426],
    ["/", "HEAD", 200],
  ] as const) {
    const answer = await head(gateway.port, path, method);
    if (path !== "/") assert.equal(answer.status, status, path);
    assert.equal(answer.hsts, "max-age=600", path);
  }
});

test("a plain request or garbage is refused at once, and a stalled handshake is closed; others are not affected", async (t) => {
  const gateway = await open(files, "--max-connections", "1000", "--max-connections-per-address", "1000");
  t.after(() => gateway.close());
  const { port } = gateway;
  for (const bytes of ["GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", Buffer.alloc(300, 0x7f)]) {
    const { millis, answered } = await closedAfter(port, bytes);
    assert.ok(millis < 2_000, `${millis} ms`);
    assert.ok(!answered.includes("HTTP/"), "no answer that is not encrypted");
  }
  const client = await WireClient.open(`wss://127.0.0.1:${port}/v1/stream`);
  t.after(() => client.close());
  const stalled: Socket[] = [];
  t.after(() => {
    for (const socket of stalled) socket.destroy();
  });
  let stillOpen = 0;
  const begun = performance.now();
  // The head of a ClientHello of 512 bytes, without the rest.
  const start = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);
  for (let index = 0; index < 500; index++) {
    const socket = connect(port, "127.0.0.1", () => socket.write(start));
    stalled.push(socket);
    stillOpen++;
    socket.on("error", () => {});
    socket.on("close", () => stillOpen--);
  }
  await polled(
    () => gateway.metric("tickgate_sockets"),
    (count) => count > 50,
    "sockets to be counted",
  );
  // One address may open half of the sockets that are not WebSockets: 64 of 128.
  await polled(
    () => gateway.metric("tickgate_sockets_shed_total"),
    (count) => count >= 430,
    "sockets to be shed",
  );
  gateway.tick("A", { last: 1 });
  await client.subscribe(["A"], { interval: 0 });
  const { length } = client.ticks;
  gateway.tick("A", { last: 2 });
  await client.until(() => client.ticks.length > length, "a tick beside stalled handshakes");
  await polled(
    async () => stillOpen,
    (count) => count === 0,
    "stalled handshakes to be closed",
  );
  assert.ok(performance.now() - begun < 15_000);
  assert.equal(client.closed, undefined);
});

test("a renewed certificate is used without closing connections, and both get broadcasts", async (t) => {
  const used = folder.create("used");
  const gateway = await open(used);
  t.after(() => gateway.close());
  const url = `wss://127.0.0.1:${gateway.port}/v1/stream`;
  const clients: WireClient[] = [];
  t.after(() => Promise.all(clients.map((client) => client.close())));
  const join = async () => {
    const client = await WireClient.open(url);
    clients.push(client);
    await client.subscribe(["A"], { interval: 0 });
  };
  gateway.tick("A", { last: 0 });
  await join();
  for (let round = 1; round <= 3; round++) {
    // By rename, and in place; the certificate first, so that the two do not match for a while.
    const next = folder.create(`round${round}`);
    if (round % 2 === 1) folder.replace(used, next);
    else {
      copyFileSync(next.cert, used.cert);
      await polled(
        async () => gateway.stderr,
        () => true,
        "the next turn",
      );
      copyFileSync(next.key, used.key);
    }
    await polled(
      () => gateway.metric("tickgate_certificate_reloads_total"),
      (count) => count === round,
      "a reload",
    );
    for (const servername of [undefined, "localhost"])
      assert.match(await handshake(gateway.port, { servername }), new RegExp(` round${round}$`));
    await join();
    const before = clients.map(({ ticks }) => ticks.length);
    gateway.tick("A", { last: round });
    for (const [index, client] of clients.entries())
      await client.until(() => client.ticks.length > before[index], "a tick at old and new connections");
  }
  // A file that cannot be used is reported, and the old certificate stays.
  writeFileSync(used.key, "no key");
  await polled(
    () => gateway.metric("tickgate_certificate_reload_failures_total"),
    (count) => count === 1,
    "the failure to be counted",
  );
  assert.match(await handshake(gateway.port), / round3$/);
  assert.ok(clients.every(({ closed }) => closed === undefined));
  assert.ok((await gateway.metric("tickgate_certificate_expires_seconds")) > 89 * 86_400);
});

test("each worker reads a renewed certificate by itself", async (t) => {
  const used = folder.create("shared");
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  const server = await ServerProcess.open(
    ...["gateway", "--workers", "2", "--port", "0", "--admin-port", "0", "--redis-url", redis.url],
    ...["--tls-cert", used.cert, "--tls-key", used.key],
  );
  t.after(() => server.close());
  assert.match(await handshake(server.port), / shared$/);
  folder.replace(used, folder.create("renewed"));
  await polled(
    () => server.metric("tickgate_certificate_reloads_total"),
    (count) => count === 2,
    "a reload at each worker",
  );
  // The kernel distributes them over both.
  for (let count = 0; count < 20; count++) assert.match(await handshake(server.port), / renewed$/);
});

test("certificates that cannot be used end the start with one line", async () => {
  const other = folder.create("other");
  const broken = folder.path("broken.pem");
  writeFileSync(broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const expired = folder.createExpired("expired");
  for (const [args, message] of [
    [["--tls-cert", files.cert], /TLS needs both --tls-cert and --tls-key/],
    [["--tls-key", files.key], /TLS needs both --tls-cert and --tls-key/],
    [["--tls-cert", files.cert, "--tls-key", other.key], /--tls-key is not the private key of the certificate/],
    [["--tls-cert", folder.path("none.pem"), "--tls-key", files.key], /--tls-cert: ENOENT/],
    [["--tls-cert", broken, "--tls-key", files.key], /--tls-cert holds no certificate/],
    [["--tls-cert", files.cert, "--tls-key", files.cert], /--tls-key holds no private key/],
    [["--tls-cert", expired.cert, "--tls-key", expired.key], /--tls-cert has expired/],
  ] as const) {
    const { code, stderr } = await runTickgate("all", "--port", "0", "--admin-port", "0", ...args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }
});

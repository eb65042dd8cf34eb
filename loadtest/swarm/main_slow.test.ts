/** `npm run swarm` as a process, against a real gateway and against fake servers. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createServer } from "node:tls";
import { fileURLToPath } from "node:url";
import { GatewayProcess } from "../gateway_process.ts";
import { tokenOf } from "../tokens.ts";
import { type Client, FakeServer, INTERVAL } from "./fake_server.testing.ts";

const snapshot = (client: Client) => client.frame(0, client.tick(0, 1), client.tick(1, 1));

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

async function runMain(args: readonly string[], env = process.env) {
  const child = spawn(process.execPath, [MAIN, "--quiet", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (data) => (out += data));
  child.stderr.on("data", (data) => (err += data));
  const [code] = (await once(child, "close")) as [number];
  return { code, out, err };
}

// They mostly wait: running them concurrently takes little longer than one.
describe("the program", { concurrency: true }, () => {
  test("against a real gateway, with slow and stalled readers in two processes, every promise is kept", async () => {
    const { code, out, err } = await runMain([
      ...["--connections", "60", "--symbols", "20", "--market", "100", "--ticks", "2000", "--interval", "50"],
      ...["--duration", "3", "--warm", "1", "--slow", "10%", "--slow-bytes", "4000", "--stalled", "5%", "--stall", "1"],
      ...["--trades", "3", "--books", "4", "--bars", "3"],
      ...["--churn", "30", "--processes", "2", "--json", "-", "--max-age", "10000", "--max-slow-age", "20000"],
    ]);
    assert.equal(code, 0, `${out}\n${err}`);
    const report = JSON.parse(out);
    assert.deepEqual([report.broken, report.faults, report.open], [[], [], 60]);
    const of = (reader: string) => report.readers.find((entry: { reader: string }) => entry.reader === reader);
    assert.deepEqual([of("healthy").connections, of("slow").connections, of("stalled").connections], [51, 6, 3]);
    assert.ok(of("healthy").age.count > 1_000 && of("slow").ticks > 0 && of("stalled").ticks > 0);
    const { convergence } = report;
    for (const { compared } of [convergence.values, convergence.books, convergence.bars]) assert.ok(compared > 0);
    const { trades, books, bars } = report.streams;
    assert.ok(
      trades > 0 && books > 0 && bars > 0 && of("healthy").trades > 0 && of("slow").books > 0,
      JSON.stringify(report.streams),
    );
    assert.equal(report.snapshot.count, 60);
    assert.ok(report.servers[0].memory.end > 0 && report.servers[0].user + report.servers[0].system > 0);
  });

  test("against a server that breaks promises, the exit code is 1 and the promises are named", async () => {
    const server = await FakeServer.start({
      play: (client) => {
        snapshot(client);
        const timer = setInterval(() => client.frame(0, client.tick(0, 1)), 20);
        client.socket.on("close", () => clearInterval(timer));
      },
    });
    server.seqs = [1, 2];
    try {
      const url = `ws://127.0.0.1:${server.port}/v1/stream`;
      const { code, out } = await runMain(["--url", url, "--connections", "2", "--symbols", "2", "--duration", "1"]);
      assert.equal(code, 1, out);
      assert.match(out, /BROKEN: two ticks of a handle within the interval: \d+ times/);
      assert.match(out, /BROKEN: the same seq again/);
      assert.match(out, /BROKEN: 2 symbols never received their last tick \(connection 0, healthy: FAKE:B at seq 1/);
    } finally {
      server.stop();
    }
  });

  test("the offset of another server's clock is measured, and ages are corrected", async () => {
    const server = await FakeServer.start({
      play: (client) => {
        let seq = 1;
        const timer = setInterval(() => client.frame(INTERVAL * seq, client.tick(0, seq), client.tick(1, seq++)), 20);
        client.socket.on("close", () => clearInterval(timer));
      },
    });
    server.ahead = -7_000;
    try {
      // An address of this machine that is not recognised as local.
      const url = `ws://[::ffff:127.0.0.1]:${server.port}/v1/stream`;
      const args = ["--url", url, "--connections", "1", "--symbols", "2", "--duration", "1", "--json", "-"];
      const { out, err } = await runMain(args);
      const { clock, readers } = JSON.parse(out || err);
      assert.ok(clock.offset < -6_900_000 && clock.offset > -7_100_000, JSON.stringify(clock));
      assert.ok(readers[0].age.count > 0 && readers[0].age.p50 < 3_000, JSON.stringify(readers));
    } finally {
      server.stop();
    }
  });

  test("through TLS with a trusted certificate", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tickgate-swarm-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const subject = "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1";
    const request = `req -x509 -newkey rsa:2048 -nodes -days 2 ${subject} -keyout ${key} -out ${cert}`;
    const made = spawnSync("openssl", request.split(" "));
    assert.equal(made.status, 0, String(made.stderr ?? made.error));
    const server = await FakeServer.start({
      play: (client) => {
        let seq = 1;
        const timer = setInterval(() => client.frame(INTERVAL * seq, client.tick(0, seq), client.tick(1, seq++)), 20);
        client.socket.on("close", () => clearInterval(timer));
      },
    });
    const options = { key: readFileSync(key), cert: readFileSync(cert) };
    const proxy = createServer(options, (socket) => {
      const inside = connect(server.port, "127.0.0.1");
      socket.pipe(inside).pipe(socket);
      for (const end of [socket, inside]) end.on("error", () => inside.destroy());
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const url = `wss://localhost:${(proxy.address() as AddressInfo).port}/v1/stream`;
    const args = [
      "--url",
      url,
      "--connections",
      "4",
      "--slow",
      "1",
      "--symbols",
      "2",
      "--duration",
      "1",
      "--json",
      "-",
    ];
    try {
      const untrusted = await runMain(args);
      assert.equal(untrusted.code, 2);
      assert.match(untrusted.err, /self-signed certificate/);
      const { out, err } = await runMain(args, { ...process.env, NODE_EXTRA_CA_CERTS: cert });
      const { readers, faults, refused, open } = JSON.parse(out || err);
      assert.deepEqual([faults, refused, open], [[], [], 4]);
      assert.ok(
        readers.every(({ age }: { age: { count: number } }) => age.count > 10),
        out,
      );
    } finally {
      server.stop();
      proxy.close();
      rmSync(folder, { recursive: true });
    }
  });

  test("with tokens: each connection is a subject of its own, one token for all, and late symbols are late", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "tickgate-swarm-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const [policy, secretFile] = [join(folder, "policy.json"), join(folder, "secret")];
    const secret = "the secret of a test of the swarm, long";
    writeFileSync(secretFile, `${secret}\n`);
    const symbols = ["SIM:*"];
    const roles = {
      single: { grants: [{ symbols }], connections: 1 },
      late: { grants: [{ symbols, delay: 600 }], connections: 1 },
      shared: { grants: [{ symbols }] },
    };
    writeFileSync(policy, JSON.stringify({ roles }));
    const gateway = await GatewayProcess.start([
      ...["--feed", "sim:?symbols=20&rate=500", "--delay-sample-interval", "100"],
      ...["--auth", "required", "--jwt-secret", secret, "--policy", policy],
    ]);
    t.after(() => gateway.stop());
    const run = (more: readonly string[], token?: string) =>
      runMain(
        [
          ...["--url", `ws://127.0.0.1:${gateway.port}/v1/stream`, "--connections", "6", "--symbols", "5"],
          ...["--duration", "2", "--warm", "0", "--churn", "5", "--max-age", "10000", "--json", "-", ...more],
        ],
        { ...process.env, ...(token !== undefined && { TICKGATE_TOKEN: token }) },
      );
    const signed = (role: string) => ["--jwt-secret-file", secretFile, "--claims", JSON.stringify({ roles: [role] })];
    const token = tokenOf({ secret, claims: { roles: ["shared"] } }, "one");
    for (const begin of [
      () => run(signed("single")),
      () => run([...signed("late"), "--delay", "600"]),
      () => run([], token),
    ]) {
      // One after the other: the subjects are the same.
      const { code, out, err } = await begin();
      assert.equal(code, 0, `${out}\n${err}`);
      const report = JSON.parse(out);
      assert.deepEqual([report.broken, report.open], [[], 6]);
      const { age } = report.readers[0];
      assert.ok(age.count > 50, out);
      assert.ok(!out.includes(secret) && !out.includes(token), "no secret in the report");
    }
    const live = await run([...signed("shared"), "--delay", "600"]);
    assert.equal(live.code, 1);
    assert.deepEqual(
      JSON.parse(live.out).faults.map(({ name }: { name: string }) => name),
      ["a grant of a late symbol that does not tell its delay", "a value younger than its delay"],
    );
    const refused = await run([]);
    assert.equal(refused.code, 2);
    assert.match(refused.err, /HTTP 401/);
  });

  test("wrong flags and wrong servers end with exit code 2 and one line", async () => {
    const cases: [string[], RegExp][] = [
      [["--connections", "0"], /--connections must be a whole number from 1 to 500000/],
      [["--slow", "60%", "--stalled", "60%"], /must not be more than --connections/],
      [["--url", "ws://127.0.0.1:9/v1/stream"], /does not answer as a gateway does/],
      [["--url", "http://127.0.0.1/"], /--url must be .*ws:\/\//],
      [["--url", "ws://127.0.0.1:9/v1/stream", "--market", "5"], /--market is for a gateway of its own/],
      [["--symbols", "5", "--trades", "6"], /--trades must not be more than --symbols/],
      [["--token", "x"], /--token needs --url/],
      [["--delay", "5"], /--delay needs --url/],
      [["--url", "ws://127.0.0.1:9/v1/stream", "--claims", "{}", "--claims", "[]"], /--claims must be a JSON object/],
      [["--url", "ws://127.0.0.1:9/v1/stream", "--claims", '{"a":1}'], /--claims needs --jwt-secret-file/],
      [["--url", "ws://127.0.0.1:9/v1/stream", "--jwt-secret-file", "/none"], /--jwt-secret-file: ENOENT/],
      [["--url", "ws://127.0.0.1:9/v1/stream", "--token", "a b"], /--token must be empty or a token/],
      [["--connections", "500000"], /need \d+ open files, and the limit is \d+/],
    ];
    for (const [args, message] of cases) {
      const { code, err } = await runMain(args);
      assert.equal(code, 2, err);
      assert.match(err, message);
      assert.equal(err.trim().split("\n").length, 1, err);
    }
  });
});

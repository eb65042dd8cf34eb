import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { FIELDS } from "../../src/base/tick.ts";
import { GatewayProcess } from "../gateway_process.ts";
import { type Client, FakeServer, INTERVAL, type Script, SYMBOLS } from "../swarm/fake_server.testing.ts";
import { tokenOf } from "../tokens.ts";
import { findK6, HOW_TO_GET_IT } from "./find.ts";
import type { Promised } from "./promises.ts";
import type { Report } from "./report.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
/** With TEST_ALL=1 a missing k6 fails the tests; otherwise they are skipped with a reason. */
const skip = findK6() === undefined && process.env.TEST_ALL !== "1" && `left out: ${HOW_TO_GET_IT}`;
/** Generous limits: a busy machine is slow, which breaks no promise. */
const PATIENT = ["--max-age", "60000", "--max-connect", "60000", "--max-snapshot", "60000"];

const folder = mkdtempSync(join(tmpdir(), "tickgate-loadtest-"));
after(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** The written report. */
  readonly report: Report;
  readonly page: string;
}

async function loadtest(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Ended> {
  const reports = mkdtempSync(join(folder, "reports-"));
  const command = [MAIN, ...args, ...(args[0] === "install" ? [] : ["--reports", reports])];
  const child = spawn(process.execPath, command, { env, stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (data) => (out += data));
  child.stderr.on("data", (data) => (err += data));
  const [code] = (await once(child, "close")) as [number];
  const read = (ending: string) => {
    const name = readdirSync(reports).find((file) => file.endsWith(ending));
    return name === undefined ? "" : readFileSync(join(reports, name), "utf8");
  };
  return { code, out, err, report: JSON.parse(read(".json") || "{}"), page: read(".html") };
}

const MARKET = ["--market", "100", "--ticks", "2000"];
const SHORT = ["--connections", "10", "--symbols", "5", "--rate", "100"];
// They mostly wait: running them concurrently takes as long as one.
describe("against a real gateway every promise is kept, and the report says so", { concurrency: true, skip }, () => {
  let gateway: GatewayProcess;
  before(async () => {
    gateway = await GatewayProcess.start(["--feed", "sim:?symbols=100&rate=2000&channels=quote,trade,book,bar"]);
  });
  after(() => gateway.stop());
  for (const [scenario, ...args] of [
    ["smoke", "--duration", "4", "--stay", "1", "--trades", "1", "--books", "1", "--bars", "1"],
    ["steady", "--duration", "4", "--sample", "50", "--trades", "1", "--books", "1", "--bars", "1"],
    ["ramp", "--duration", "4", "--sample", "100"],
    ["spike", "--duration", "8", "--within", "1", "--sample", "50"],
    ["soak", "--duration", "6", "--stay", "1", "--sample", "50"],
  ])
    test(scenario, async () => {
      const other = ["--url", `ws://127.0.0.1:${gateway.port}/v1/stream`, "--metrics", gateway.metricsUrl];
      const where = scenario === "smoke" ? MARKET : other;
      const { code, out, err, report, page } = await loadtest([scenario, ...where, ...SHORT, ...args, ...PATIENT]);
      const crossed = report.thresholds.filter(({ isKept }) => !isKept).map(({ metric }) => metric);
      // On a busy machine a second may be too short for all snapshots.
      assert.deepEqual(
        crossed.filter((metric) => metric !== "unfinished"),
        [],
        `${out}\n${err}`,
      );
      assert.equal(code, crossed.length > 0 ? 99 : 0);
      assert.equal(report.scenario, scenario);
      assert.deepEqual(
        report.promises.filter(({ broken }) => broken > 0),
        [],
      );
      const { connected, refused, ticks, read, conflated, trades, books, bars } = report.counts;
      assert.ok(!args.includes("--trades") || (trades > 0 && books > 0 && bars > 0), out);
      const visits = scenario === "steady" || scenario === "ramp" ? 10 : 15;
      assert.ok(connected >= visits && refused === 0, `${connected} connections`);
      assert.ok(ticks > 100 && read > 50 && read <= ticks && conflated > 0 && conflated < 1, out);
      assert.ok(report.times.length >= 3 && report.times.every(({ count, p50, max }) => count > 0 && p50 <= max));
      assert.ok(report.gateway[0].p50 > 10, "its memory, MB");
      assert.match(page, /^<!doctype html>[\s\S]*<\/html>\n$/);
      assert.match(page, crossed.length > 0 ? /thresholds crossed/ : /every threshold kept/);
      assert.match(out, /promises +all kept, on \d+ ticks/);
    });
});

const snapshot = (client: Client) => client.frame(0, client.tick(0, 1), client.tick(1, 1));
const grant = (client: Client, other: Record<string, unknown>) => {
  const symbols = SYMBOLS.map((symbol, handle) => [symbol, handle]);
  client.control({ op: "subscribed", interval: INTERVAL, fields: FIELDS, symbols, rejected: [], ...other });
};

/** For each promise a server script that breaks it; each runs on its own connection. */
const BREAKERS: Record<Promised, Partial<Script>> = {
  hello: { greet: () => {}, play: (client) => client.control({ op: "hello" }) },
  readable: { play: (client) => client.socket.send("[1]") },
  granted: { grant: (client) => grant(client, { interval: INTERVAL - 1 }) },
  snapshot: { play: (client) => client.frame(0, client.tick(0, 1)) },
  whole: { play: (client) => client.frame(200, client.tick(0, 2).slice(0, -1)) },
  once: { play: (client) => client.frame(200, client.tick(1, 2), client.tick(0, 2), client.tick(1, 3)) },
  interval: { play: (client) => client.frame(INTERVAL - 0.001, client.tick(0, 2)) },
  seq: {
    play: (client) => {
      client.frame(200, client.tick(0, 5));
      client.control({ op: "status", symbols: SYMBOLS, state: "gap", since: 0 });
      client.frame(400, client.tick(0, 4));
    },
  },
  trades: {
    playChannel: (client, channel, _grants, handle) => {
      const trade = (seq: number) => [handle, seq, Date.now() * 1_000, 1.5, 2, -1, "id"];
      if (channel === "trade") client.frame(0, trade(1), trade(3));
    },
  },
  book: {
    playChannel: (client, channel, _grants, handle) => {
      if (channel === "book") client.frame(0, [handle, 1, Date.now() * 1_000, [100, 1], [100, 1]]);
    },
  },
  bars: {
    playChannel: (client, channel, _grants, handle) => {
      const start = Math.floor(Date.now() / 1_000) * 1_000_000;
      const bar = (seq: number, flags: number) => [handle, seq, start, 1, 2, 1, 2, 5, 2, flags];
      if (channel === "bar") client.frame(0, bar(1, 1), bar(2, 0));
    },
  },
  delay: { play: (client) => client.frame(200, client.tick(0, 2)) },
  error: { play: (client) => client.control({ op: "error", code: "internal", message: "no", retryable: true }) },
  open: { play: (client) => client.socket.close(1011) },
};

test("against a server that breaks promises, each is named and the exit code is 99", { skip }, async () => {
  const promises = Object.keys(BREAKERS) as Promised[];
  const server = await FakeServer.start((index) => {
    const breaker = BREAKERS[promises[index]] ?? {};
    return {
      ...breaker,
      play: (client, grants) => {
        if (promises[index] !== "snapshot") snapshot(client);
        breaker.play?.(client, grants);
      },
    };
  });
  try {
    const url = `ws://127.0.0.1:${server.port}/v1/stream`;
    const count = String(promises.length);
    const args = [
      "smoke",
      "--url",
      url,
      "--connections",
      count,
      "--symbols",
      "2",
      "--duration",
      "4",
      "--stay",
      "600",
      "--delay",
      "1000",
      "--trades",
      "1",
      "--books",
      "1",
      "--bars",
      "1",
    ];
    const { code, out, report, page } = await loadtest([...args, ...PATIENT]);
    assert.equal(code, 99, out);
    const broken = report.promises.filter((promise) => promise.broken > 0).map(({ promise }) => promise);
    // When k6 is too slow, a missing snapshot counts as unfinished instead, as does a connection that was closed early.
    const missed = report.counts.unfinished > 0 ? ["snapshot"] : [];
    assert.deepEqual([...new Set([...broken, ...missed])].sort(), [...promises].sort());
    assert.equal(report.isKept, false);
    assert.match(out, /BROKEN \d+ times: two ticks of a handle are an interval apart/);
    assert.match(page, /thresholds crossed/);
  } finally {
    server.stop();
  }
});

test("a server without hello is detected, although k6 may lose a hello", { skip }, async () => {
  const server = await FakeServer.start({ greet: () => {}, play: snapshot });
  try {
    const url = `ws://127.0.0.1:${server.port}/v1/stream`;
    const args = ["smoke", "--url", url, "--connections", "2", "--symbols", "2", "--duration", "4", "--stay", "600"];
    const { code, out, report } = await loadtest([...args, ...PATIENT]);
    assert.equal(code, 99, out);
    assert.ok(
      report.promises.some(({ promise, broken }) => promise === "hello" && broken > 0),
      out,
    );
  } finally {
    server.stop();
  }
});

test("with tokens: each connection is a subject of its own, or one token for all; late symbols are late", {
  skip,
}, async (t) => {
  const [policy, secretFile] = [join(folder, "policy.json"), join(folder, "secret")];
  const secret = "the secret of a test of k6, long enough";
  writeFileSync(secretFile, secret);
  const symbols = ["SIM:*"];
  const roles = { single: { grants: [{ symbols }], connections: 1 }, late: { grants: [{ symbols, delay: 600 }] } };
  writeFileSync(policy, JSON.stringify({ roles }));
  const gateway = await GatewayProcess.start([
    ...["--feed", "sim:?symbols=20&rate=500", "--delay-sample-interval", "100"],
    ...["--auth", "required", "--jwt-secret", secret, "--policy", policy],
  ]);
  t.after(() => gateway.stop());
  const url = ["--url", `ws://127.0.0.1:${gateway.port}/v1/stream`];
  const run = (args: readonly string[], token?: string) =>
    loadtest(
      [
        "steady",
        ...url,
        "--connections",
        "4",
        "--symbols",
        "5",
        "--duration",
        "4",
        "--sample",
        "100",
        ...PATIENT,
        ...args,
      ],
      { ...process.env, ...(token !== undefined && { TICKGATE_TOKEN: token }) },
    );
  const late = tokenOf({ secret, claims: { roles: ["late"] } }, "one");
  for (const begin of [
    () => run(["--jwt-secret-file", secretFile, "--claims", '{"roles":["single"]}']),
    () => run(["--delay", "600"], late),
  ]) {
    const { out, err, report } = await begin();
    assert.ok(
      report.promises.every(({ broken }) => broken === 0),
      `${out}\n${err}`,
    );
    assert.ok(report.counts.refused === 0 && report.counts.connected >= 4 && report.counts.read > 50, out);
  }
  const { report } = await run(["--delay", "600", "--jwt-secret-file", secretFile, "--claims", '{"roles":["single"]}']);
  assert.deepEqual(
    report.promises.filter(({ broken }) => broken > 0).map(({ promise }) => promise),
    ["delay"],
  );
});

test("the offset of another server's clock is measured, and ages are corrected", { skip }, async () => {
  const server = await FakeServer.start({
    play: (client) => {
      let seq = 1;
      const timer = setInterval(() => client.frame(INTERVAL * seq, client.tick(0, seq), client.tick(1, seq++)), 50);
      client.socket.on("close", () => clearInterval(timer));
    },
  });
  server.ahead = 70_000;
  try {
    // An address of this machine that is not recognised as local.
    const url = `ws://[::ffff:127.0.0.1]:${server.port}/v1/stream`;
    const args = ["steady", "--url", url, "--connections", "1", "--symbols", "2", "--duration", "4", "--sample", "100"];
    const { report, out, err } = await loadtest([...args, ...PATIENT]);
    const [age] = report.times;
    assert.ok(age.count > 10 && Math.abs(age.p50) < 30_000, `${out}\n${err}`);
  } finally {
    server.stop();
  }
});

test("a gateway with growing memory fails a soak", { skip }, async () => {
  const server = await FakeServer.start({ play: snapshot });
  let memory = 100_000_000;
  const metrics = createServer((_request, response) => {
    memory += 40_000_000;
    response.end(`process_resident_memory_bytes ${memory}\nprocess_cpu_seconds_total 1.5\n`);
  });
  metrics.listen(0, "127.0.0.1");
  await once(metrics, "listening");
  try {
    const [url, page] = [server.port, (metrics.address() as AddressInfo).port];
    const where = ["--url", `ws://127.0.0.1:${url}/v1/stream`, "--metrics", `http://127.0.0.1:${page}/metrics`];
    const { code, report, out } = await loadtest([
      "soak",
      ...where,
      "--connections",
      "2",
      "--symbols",
      "2",
      "--duration",
      "6",
      ...PATIENT,
    ]);
    assert.equal(code, 99, out);
    const crossed = report.thresholds.filter(({ isKept }) => !isKept).map(({ metric }) => metric);
    assert.ok(crossed.includes("memory_over"), crossed.join(" "));
  } finally {
    server.stop();
    metrics.close();
  }
});

test("a gateway that does not answer is an error", {
  skip,
}, async () => {
  const refused = await loadtest(["smoke", "--url", "ws://127.0.0.1:9/v1/stream", "--duration", "4"]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.err, /does not answer as a gateway does/);
});

test("without k6 the message says how to get it, and the exit code is 2", async () => {
  const { code, err } = await loadtest(["smoke"], { PATH: "", HOME: folder, XDG_CACHE_HOME: folder });
  assert.equal(code, 2);
  assert.match(err, /^loadtest: k6 2\.x is neither in PATH .* "npm run loadtest -- install"/);
  const install = await loadtest(["install"], { PATH: "", HOME: folder, XDG_CACHE_HOME: folder });
  assert.equal(install.code, 2);
  assert.match(install.err, /Go is needed to build k6 \(on Debian: sudo apt-get install golang-go\)/);
});

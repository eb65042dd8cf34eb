/** `npm run cluster` as a user runs it: what it starts, and that no process or file is left after it ends. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { ClusterProcess } from "../scripts/cluster/cluster_process.ts";
import { hasLivePrice, waitUntil } from "../scripts/cluster/probe.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PATIENCE = 30_000;
/** Redis, two feeds, three gateways, HAProxy. */
const PARTS = 7;
/** Where processes are listed. */
const linuxOnly = { skip: process.platform !== "linux", timeout: 120_000 };

interface Run {
  readonly child: ChildProcess;
  /** The folder of its temporary files; it also identifies its processes, whatever their parent is. */
  readonly folder: string;
  output: string;
}

/** Runs `npm run cluster` in a process group of its own, as a terminal does. */
function runCluster(t: TestContext, args: readonly string[]): Run {
  const folder = mkdtempSync(join(tmpdir(), "cluster-test-"));
  const child = spawn("npm", ["run", "cluster", "--", ...args], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const run: Run = { child, folder, output: "" };
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data) => {
      run.output += data;
    });
  t.after(() => {
    for (const { pid } of processesOf(run)) process.kill(pid, "SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  return run;
}

/** The running processes that have the cluster's folder in their environment, or as their working folder. */
function processesOf({ folder }: Run): { pid: number; command: string }[] {
  const found: { pid: number; command: string }[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const environment = readFileSync(`/proc/${name}/environ`, "utf8");
      if (!environment.includes(folder) && !readlinkSync(`/proc/${name}/cwd`).startsWith(folder)) continue;
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      // An ended process whose parent has not read its exit code has no command line.
      if (command !== "") found.push({ pid: Number(name), command });
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

async function running(run: Run): Promise<string> {
  const isRunning = () => run.output.includes("The cluster is running.") || run.child.exitCode !== null;
  await waitUntil(isRunning, PATIENCE);
  assert.match(run.output, /The cluster is running\./);
  const parts = processesOf(run).filter(({ command }) =>
    /^redis-server|^haproxy|main\.ts (feed|gateway)/.test(command),
  );
  assert.equal(parts.length, PARTS, run.output);
  const [, url] = /stream +(wss?:\S+)/.exec(run.output) ?? [];
  return url;
}

async function assertGone(run: Run): Promise<void> {
  await waitUntil(() => processesOf(run).length === 0, PATIENCE);
  assert.deepEqual(processesOf(run), [], "nothing is left running");
  const left = readdirSync(run.folder).filter((name) => name.startsWith("tickgate"));
  assert.deepEqual(left, [], "no temporary files are left");
}

test("the cluster serves prices at the address that it prints, and Ctrl-C ends all of it", linuxOnly, async (t) => {
  const run = runCluster(t, ["--port", "0"]);
  const url = await running(run);
  const gateways = [...run.output.matchAll(/gateway\d (http:\S+)/g)].map(([, address]) => address);
  assert.equal(gateways.length, 3);
  for (const address of [url.replace("ws:", "http:").replace("/v1/stream", ""), ...gateways]) {
    const answer = await fetch(`${address}/v1/ticks?symbols=SIM:S0000`);
    const { ticks } = (await answer.json()) as { ticks: { state: string }[] };
    assert.deepEqual(
      ticks.map(({ state }) => state),
      ["live"],
      address,
    );
  }

  // The terminal sends it to the whole group, and npm forwards it.
  process.kill(-(run.child.pid as number), "SIGINT");
  await once(run.child, "close");
  await assertGone(run);
  assert.doesNotMatch(run.output, /again: killing/);
});

test("with --tls and --tokens, all of it is encrypted, and clients need a token", linuxOnly, async (t) => {
  const run = runCluster(t, ["--port", "0", "--tls", "--tokens"]);
  const url = await running(run);
  const [, cert] = /cert +(\S+)/.exec(run.output) ?? [];
  const [, token] = /token +(\S+)/.exec(run.output) ?? [];
  const ca = readFileSync(cert, "utf8");
  const gateways = [...run.output.matchAll(/gateway\d (https:\S+)/g)].map(([, address]) => address);
  const clients = [url.replace("wss:", "https:").replace("/v1/stream", ""), ...gateways];
  assert.equal(clients.length, 4);
  for (const address of clients) {
    assert.ok(await hasLivePrice(address, { ca, token }), address);
    assert.ok(!(await hasLivePrice(address, { ca })), "no price without a token");
    assert.ok(!(await hasLivePrice(address.replace("https:", "http:"), { token })), "nothing without TLS");
  }
  const socket = new WebSocket(url, "tickgate.v1.json", { ca, headers: { authorization: `Bearer ${token}` } });
  t.after(() => socket.terminate());
  const [hello] = (await once(socket, "message")) as [Buffer];
  assert.equal(JSON.parse(hello.toString()).auth, "required");
  const [, nodes] = /npx tickgate top (.*)/.exec(run.output) ?? [];
  const top = spawn(process.execPath, ["src/main.ts", "top", "--once", ...nodes.split(" ")], {
    cwd: ROOT,
    env: { ...process.env, NODE_EXTRA_CA_CERTS: cert },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let page = "";
  top.stdout.on("data", (data) => (page += data));
  await once(top, "close");
  for (const node of ["gateway1", "gateway2", "gateway3", "feed1", "feed2"]) assert.match(page, new RegExp(node));
  process.kill(-(run.child.pid as number), "SIGINT");
  await once(run.child, "close");
  await assertGone(run);
});

test("the terminal is closed", linuxOnly, async (t) => {
  const run = runCluster(t, ["--port", "0"]);
  await running(run);
  run.child.stdout?.destroy();
  run.child.stderr?.destroy();
  process.kill(-(run.child.pid as number), "SIGHUP");
  await assertGone(run);
});

test("the cluster's own process is killed", linuxOnly, async (t) => {
  const run = runCluster(t, ["--port", "0"]);
  await running(run);
  const own = processesOf(run).find(({ command }) => /^\S*node\S* \S*scripts\/cluster\/main\.ts/.test(command));
  process.kill(own?.pid as number, "SIGKILL");
  await assertGone(run);
});

test("Ctrl-C while it starts", linuxOnly, async (t) => {
  const run = runCluster(t, ["--port", "0"]);
  assert.ok(await waitUntil(() => processesOf(run).some(({ command }) => /main\.ts gateway/.test(command)), PATIENCE));
  process.kill(-(run.child.pid as number), "SIGINT");
  await assertGone(run);
  assert.doesNotMatch(run.output, /The cluster is running/);
});

test("a cluster without prices does not report that it runs", linuxOnly, async (t) => {
  // The input has no tick.
  const empty = join(mkdtempSync(join(tmpdir(), "cluster-feed-")), "ticks");
  writeFileSync(empty, "");
  t.after(() => rmSync(dirname(empty), { recursive: true }));
  const run = runCluster(t, ["--port", "0", "--feed", `ndjson:${empty}`]);
  assert.ok(await waitUntil(() => /no live price has come from its feeds within 15 s/.test(run.output), PATIENCE));
  assert.doesNotMatch(run.output, /The cluster is running/);
  process.kill(-(run.child.pid as number), "SIGINT");
  await assertGone(run);
});

test("a process that fails at its start ends the others, with the reason", linuxOnly, async (t) => {
  const blocker = createServer().listen(0, "127.0.0.1");
  await once(blocker, "listening");
  t.after(() => blocker.close());
  const { port } = blocker.address() as { port: number };
  const run = runCluster(t, ["--port", String(port)]);
  const [code] = await once(run.child, "close");
  assert.equal(code, 2);
  assert.match(run.output, new RegExp(`cluster: haproxy: ended at its start[^]*cannot bind socket[^]*${port}`));
  await assertGone(run);
});

test("a wrong setting of a process ends the cluster with the message of that process", linuxOnly, async (t) => {
  const run = runCluster(t, ["--port", "0", "--feed", "sim:?rate=fast"]);
  const [code] = await once(run.child, "close");
  assert.equal(code, 2);
  assert.match(run.output, /cluster: feed\d: ended at its start\n.*the option rate must be a whole number/);
  await assertGone(run);
});

test("a program that is not installed is named, with the package that it comes in", async () => {
  const part = new ClusterProcess(
    {
      name: "balancer",
      program: "no-such-program",
      package: "its-package",
      args: [],
      log: "stdout",
      ready: async () => false,
      stopSignal: "SIGTERM",
      stopTime: 1_000,
    },
    { line() {}, started() {}, ended() {}, lost() {} },
  );
  await assert.rejects(part.start(), {
    name: "UsageError",
    message: "balancer: no-such-program is not installed; on Debian: sudo apt-get install its-package",
  });
});

test("a process that ends later is restarted", linuxOnly, async (t) => {
  const run = runCluster(t, ["--port", "0"]);
  await running(run);
  const gateway = () => processesOf(run).find(({ command }) => /main\.ts gateway .*gateway2/.test(command))?.pid;
  const killed = gateway() as number;
  process.kill(killed, "SIGKILL");
  const isBack = () => gateway() !== undefined && gateway() !== killed;
  assert.ok(await waitUntil(isBack, PATIENCE));
  // The message may arrive after the restart.
  assert.ok(
    await waitUntil(() => /gateway2 has ended \(SIGKILL\); starting it again/.test(run.output), PATIENCE),
    run.output,
  );
  process.kill(-(run.child.pid as number), "SIGTERM");
  await assertGone(run);
});

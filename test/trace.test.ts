/** `tickgate trace`: the time of single ticks through real processes, from the source to a client. */
import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import type { Traced, TracedTick } from "../src/command/trace/join.ts";
import { CommandProcess } from "./support/command_process.ts";
import { GatewayProcess, polled, runTickgate, ServerProcess } from "./support/gateway_process.ts";
import { RedisServer } from "./support/redis_server.ts";

let redis: RedisServer;
let feed: ServerProcess;
before(async () => {
  redis = await RedisServer.start();
  const own = ["--redis-url", redis.url, "--admin-port", "0"];
  feed = await ServerProcess.open("feed", ...own, "--feed", "sim:?symbols=2&rate=100");
});
after(async () => {
  feed.signal("SIGTERM");
  await feed.ended();
  await redis.stop();
});

async function openGateway(t: TestContext, node: string, ...more: string[]): Promise<ServerProcess> {
  const own = ["--redis-url", redis.url, "--admin-port", "0", "--port", "0", "--node", node];
  const gateway = await ServerProcess.open("gateway", ...own, ...more);
  t.after(async () => {
    gateway.signal("SIGTERM");
    await gateway.ended();
  });
  await polled(
    async () => (await gateway.admin("/readyz")).status,
    (status) => status === 200,
    "readiness",
  );
  return gateway;
}

function adminOf(server: ServerProcess): string {
  return `http://127.0.0.1:${server.adminPort}`;
}

/** One line of a trace. */
async function traced(gateway: ServerProcess, symbol: string, ...more: string[]): Promise<Traced[]> {
  const where = ["--url", gateway.url, "--admin", adminOf(gateway)];
  const { code, stdout, stderr } = await runTickgate("trace", symbol, "--json", ...where, ...more);
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line): Traced => JSON.parse(line));
}

/** The ticks of a trace. */
async function ticksOf(...args: Parameters<typeof traced>): Promise<TracedTick[]> {
  return (await traced(...args)).filter((each) => each.kind === "tick");
}

/** No stage is negative, and together they are the time from the event to the arrival. */
function assertWhole(ticks: readonly TracedTick[]): void {
  for (const { stages, total } of ticks) {
    const times = Object.values(stages);
    assert.ok(
      times.every((time) => time >= 0),
      JSON.stringify(stages),
    );
    const sum = times.reduce((whole, time) => whole + time);
    // The table stores times in single precision.
    assert.ok(Math.abs(sum - total) <= 20, `${sum} of ${total} µs: ${JSON.stringify(stages)}`);
  }
}

test("within one process: every stage of ten ticks, which add up", async (t) => {
  const gateway = await GatewayProcess.open("--feed", "sim:?symbols=2&rate=100");
  t.after(() => gateway.close());
  const ticks = await ticksOf(gateway, "SIM:S0000");
  assert.equal(ticks.length, 10);
  assertWhole(ticks);
  assert.deepEqual(Object.keys(ticks[0].stages), ["source", "feed", "bus", "interval", "server", "client", "network"]);
});

test("through Redis, at an interval: replaced ticks are reported, with the interval as the cause", async (t) => {
  const gateway = await openGateway(t, "gateway1");
  const told = await traced(gateway, "SIM:S0001", "--interval", "300", "--count", "5");
  const ticks = told.filter((each) => each.kind === "tick");
  assert.equal(ticks.length, 5);
  assertWhole(ticks);
  assert.ok(ticks.every(({ stages }) => (stages.bus ?? 0) > 0));
  const conflated = told.filter((each) => each.kind === "conflated");
  // Fifty ticks a second, of which three or four are sent.
  assert.ok(conflated.some(({ from, to, why }) => why === "interval" && to - from >= 5));

  const { code, stdout } = await runTickgate("trace", "SIM:S0001", "--url", gateway.url, "--admin", adminOf(gateway));
  assert.equal(code, 0);
  assert.match(stdout, /^SIM:S0001 through gateway1 \(session gateway1-\d+\), at 0 ms; its clock is .* ours/);
  assert.match(stdout, /^ +seq +source +feed +bus +interval +Server +client +network +total$/m);
  assert.match(stdout, /^10 ticks/m);
});

test("several workers are one node: the one that has the session is asked", { timeout: 60_000 }, async (t) => {
  const gateway = await openGateway(t, "many", "--workers", "2");
  for (let count = 0; count < 4; count++) assertWhole(await ticksOf(gateway, "SIM:S0000", "--count", "2"));
});

test("a trace that is not possible is an error of one line", async (t) => {
  const gateway = await openGateway(t, "gateway1");
  const other = await openGateway(t, "gateway2");
  const trace = (...args: string[]) => runTickgate("trace", ...args);
  const elsewhere = await trace("SIM:S0000", "--url", gateway.url, "--admin", adminOf(other));
  assert.equal(elsewhere.code, 1);
  assert.match(
    elsewhere.stderr,
    /^tickgate: ws:\S+ led to gateway1, and http:\S+ is the admin port of another node: .*\n$/,
  );
  const nobody = await trace("SIM:S0000", "--url", "ws://127.0.0.1:1");
  assert.deepEqual([nobody.code, nobody.stdout], [1, ""]);
  assert.match(nobody.stderr, /^tickgate: cannot connect to ws:\/\/127\.0\.0\.1:1: .*\n$/);
  const ofFeed = await trace("SIM:S0000", "--url", gateway.url, "--admin", adminOf(feed));
  assert.match(ofFeed.stderr, /answers 404: it must be the admin port of the gateway that clients reach\n$/);
  for (const [args, text] of [
    [[], /takes one symbol/],
    [["A", "B"], /takes one symbol/],
    [["sim:*"], /"sim:\*" is not 1 to 64 of/],
    [["A", "--count", "0"], /--count must be a whole number from 1/],
  ] as const) {
    const { code, stderr } = await trace(...args);
    assert.equal(code, 2);
    assert.match(stderr, text);
  }
  const post = async (query: string) => (await fetch(`${adminOf(gateway)}/trace${query}`, { method: "POST" })).status;
  assert.equal(await post(""), 400);
  assert.equal(await post("?symbol=A&session=nobody-1"), 409);
});

test("a symbol without ticks is reported as waiting, in JSON mode too", { timeout: 60_000 }, async (t) => {
  const gateway = await openGateway(t, "gateway1");
  for (const more of [[], ["--json"]]) {
    const command = ["trace", "NOPE", "--url", gateway.url, "--admin", adminOf(gateway), ...more];
    const trace = new CommandProcess(t, command);
    await trace.writes("stderr", /^tickgate: (the gateway has no symbol NOPE yet|no tick of NOPE for 2 s); waiting\n/);
    assert.equal(await trace.end("SIGTERM"), 0);
  }
});
